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
)

// rate of the writer: a resolution of 20 ms.
const rate = 50

// operation is a drill on a cluster of certain settings, which is done several times.
type operation struct {
	name  string // for -only
	drill string
	title string
	goal  string // seconds without writes
	// patroni is that section of the specification. Those that need the same stand together.
	patroni string
}

// What clusters are tuned to. One that fails over before its lease ends has the longer lease.
const (
	safe  = "{profile: safe}"
	fast  = "{profile: fast}"
	fence = "{profile: safe, synchronous_mode: quorum, fast_failover: {suspect_after: 3s}}"
)

const powerFastGoal = "<= 20, max <= 22"

// operations in the order in which they are measured.
var operations = [...]operation{
	{"power-safe", "leader-power", "leader power lost, safe", "<= 30", safe},
	{"power-safe-etcd", "leader-power-etcd", "leader power lost, safe (and led etcd)", "<= 30",
		safe},
	{"power-fence", "leader-power", "leader power lost, fast_failover 3s", "<= 5, max <= 6.5",
		fence},
	{"power-fence-etcd", "leader-power-etcd",
		"leader power lost, fast_failover 3s (and led etcd)", "<= 6.5, max <= 8", fence},
	{"isolated-fence", "leader-isolated", "leader cut from everybody, fast_failover 3s", "<= 5.5",
		fence},
	{"partitioned-fence", "leader-partitioned",
		"leader cut from the databases alone, fast_failover 3s", "<= 12", fence},
	{"power-fast", "leader-power", "leader power lost, fast", powerFastGoal, fast},
	{"power-fast-etcd", "leader-power-etcd", "leader power lost, fast (and led etcd)",
		powerFastGoal, fast},
	{"switchover", "switchover", "switchover", "<= 1.65, max <= 1.9", fast},
	{"postgres-killed", "postgres-killed", "postgres killed on the leader, fast", "<= 3",
		fast},
	{"patroni-stopped", "patroni-stopped", "systemctl stop patroni on the leader", "<= 2.5",
		fast},
	{"balancer-power", "balancer-power", "balancer with the address: power lost", "<= 1.1",
		fast},
	{"haproxy-killed", "haproxy-killed", "balancer with the address: HAProxy killed", "<= 1.1",
		fast},
	{"balancer-power-locks", "balancer-power-locks", "the same under a lock, which is waited for",
		"wait <= 26, max <= 31", fast},
	{"waiting-client", "waiting-client", "the same under a query, whose answer is waited for",
		"wait <= 26", fast},
}

func operationNames() []string {
	var names []string
	for _, o := range operations {
		names = append(names, o.name)
	}
	for _, o := range pooledOperations {
		names = append(names, o.name)
	}
	return names
}

// selected returns the operations of a list separated by commas, all for "".
func selected(only string) ([]operation, []pooled, error) {
	if only == "" {
		return operations[:], pooledOperations[:], nil
	}
	names := strings.Split(only, ",")
	for _, name := range names {
		if !slices.Contains(operationNames(), name) {
			return nil, nil, fmt.Errorf("no operation is called %q; there are %s", name,
				strings.Join(operationNames(), ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(operations[:]), func(o operation) bool {
			return !slices.Contains(names, o.name)
		}), slices.DeleteFunc(slices.Clone(pooledOperations[:]), func(o pooled) bool {
			return !slices.Contains(names, o.name)
		}), nil
}

// operate measures the operations on one lab, and those through the pooler on another one. What was
// measured before an error is printed too.
func operate(ctx context.Context, name string, runs int, only string, client probe.Client) error {
	chosen, through, err := selected(only)
	if err != nil {
		return err
	}
	if len(chosen) > 0 {
		err = operateDrills(ctx, name, runs, chosen, client)
	}
	if err == nil {
		err = measurePooled(ctx, name, runs, through, os.Stdout)
	}
	return err
}

// operateDrills measures those that are drills.
func operateDrills(ctx context.Context, name string, runs int, chosen []operation,
	client probe.Client) error {
	var out outcomes
	err := withLab(ctx, lab.Options{Name: name}, func(l *lab.Lab) error {
		applied := ""
		for _, o := range chosen {
			sp, err := specOf(l, "patroni: "+o.patroni+"\n")
			if err != nil {
				return err
			}
			err = connected(ctx, l, sp, pgha.ConnectOptions{}, func(c *pgha.Cluster) error {
				if applied != o.patroni {
					if _, err := c.Apply(ctx, pgha.ApplyOptions{}); err != nil {
						return fmt.Errorf("apply patroni: %s: %w", o.patroni, err)
					}
					applied = o.patroni
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
	phases := ""
	for i, p := range o.Phases {
		phases += fmt.Sprintf("%s%s %.2f", []string{" (", ", "}[min(i, 1)], p.Name, p.Seconds)
	}
	if phases != "" {
		phases += ")"
	}
	return fmt.Sprintf("%.2f s without writes%s, longest call %.2f s%s, %d rows acknowledged, "+
		"%d lost, %d moments with two writers, whole after %.1f s", o.GapSeconds,
		phases, o.LongestCallSeconds, wait, o.Acknowledged, o.Lost,
		len(o.DoubleWriters), o.RedundantSeconds)
}
