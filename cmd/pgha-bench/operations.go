package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/spec"
)

// rate of the writer: a resolution of 20 ms.
const rate = 50

// operation is a drill on a cluster of one profile, which is done several times.
type operation struct {
	name  string // for -only
	drill string
	title string
	goal  string // seconds without writes
	// profile is what the cluster must be tuned to. Those that need the same stand together.
	profile spec.Profile
}

const powerFastGoal = "<= 20, max <= 22"

// operations in the order in which they are measured.
var operations = [...]operation{
	{"power-safe", "leader-power", "leader power lost, safe", "<= 30", spec.ProfileSafe},
	{"power-safe-etcd", "leader-power-etcd", "leader power lost, safe (and led etcd)", "<= 30",
		spec.ProfileSafe},
	{"power-fast", "leader-power", "leader power lost, fast", powerFastGoal, spec.ProfileFast},
	{"power-fast-etcd", "leader-power-etcd", "leader power lost, fast (and led etcd)",
		powerFastGoal, spec.ProfileFast},
	{"switchover", "switchover", "switchover", "<= 1.65, max <= 1.9", spec.ProfileFast},
	{"postgres-killed", "postgres-killed", "postgres killed on the leader, fast", "<= 3",
		spec.ProfileFast},
	{"patroni-stopped", "patroni-stopped", "systemctl stop patroni on the leader", "<= 2.5",
		spec.ProfileFast},
	{"balancer-power", "balancer-power", "balancer with the address: power lost", "<= 1.1",
		spec.ProfileFast},
	{"haproxy-killed", "haproxy-killed", "balancer with the address: HAProxy killed", "<= 1.1",
		spec.ProfileFast},
	{"balancer-power-locks", "balancer-power-locks", "the same under a lock, which is waited for",
		"wait <= 26, max <= 31", spec.ProfileFast},
	{"waiting-client", "waiting-client", "the same under a query, whose answer is waited for",
		"wait <= 26", spec.ProfileFast},
}

func operationNames() []string {
	var names []string
	for _, o := range operations {
		names = append(names, o.name)
	}
	return names
}

// selected returns the operations of a list separated by commas, all for "".
func selected(only string) ([]operation, error) {
	if only == "" {
		return operations[:], nil
	}
	names := strings.Split(only, ",")
	for _, name := range names {
		if !slices.Contains(operationNames(), name) {
			return nil, fmt.Errorf("no operation is called %q; there are %s", name,
				strings.Join(operationNames(), ", "))
		}
	}
	chosen := slices.Clone(operations[:])
	return slices.DeleteFunc(chosen, func(o operation) bool {
		return !slices.Contains(names, o.name)
	}), nil
}

// operate measures the operations on one lab. What was measured before an error is printed too.
func operate(ctx context.Context, name string, runs int, only string, client probe.Client) error {
	chosen, err := selected(only)
	if err != nil {
		return err
	}
	var out outcomes
	err = withLab(ctx, lab.Options{Name: name}, func(l *lab.Lab) error {
		profile := spec.Profile("")
		for _, o := range chosen {
			sp, err := specOf(l, fmt.Sprintf("patroni: {profile: %s}\n", o.profile))
			if err != nil {
				return err
			}
			err = connected(ctx, l, sp, pgha.ConnectOptions{}, func(c *pgha.Cluster) error {
				if profile != o.profile {
					if _, err := c.Apply(ctx, pgha.ApplyOptions{}); err != nil {
						return fmt.Errorf("apply profile %s: %w", o.profile, err)
					}
					profile = o.profile
				}
				_, err := drill.Run(ctx, c, drill.Options{Scenarios: []string{o.drill}, Runs: runs,
					Rate: rate, Client: client, Lab: l, Dial: l.DialContext,
					Done: func(r drill.RunResult) {
						fmt.Fprintf(os.Stderr, "%s %d of %d: %s\n", o.name, r.Outcome.Run, runs,
							sentence(r))
						out.add(o, r)
					}})
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", o.name, err)
			}
		}
		return nil
	})
	return errors.Join(err, out.print(os.Stdout))
}

// sentence is the line that stands there while the next run is under way.
func sentence(r drill.RunResult) string {
	if r.Error != "" {
		return r.Error
	}
	o := r.Outcome
	wait := ""
	if o.WaitSeconds != 0 {
		wait = fmt.Sprintf(", waited %.2f s", o.WaitSeconds)
	}
	return fmt.Sprintf("%.2f s without writes, longest call %.2f s%s, %d rows acknowledged, %d lost, "+
		"whole after %.1f s", o.GapSeconds, o.LongestCallSeconds, wait, o.Acknowledged, o.Lost,
		o.RedundantSeconds)
}
