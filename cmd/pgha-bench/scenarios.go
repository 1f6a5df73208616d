package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/spec"
)

// scenario is something that keeps applications from writing for a while.
type scenario struct {
	name  string // for -only
	title string
	goal  string // seconds
	// profile is what the cluster must be tuned to. Those that need the same stand together.
	profile spec.Profile
	// hostLost: the host of the cluster's leader goes down. Whether it led etcd as well then makes
	// a difference, and with etcdToo that is set first.
	hostLost, etcdToo bool
	// cause makes it happen, heal undoes it; nil when it heals by itself. The scene is the healthy
	// cluster's.
	cause, heal func(context.Context, *bench, scene) error
}

const powerFastGoal = "<= 20, max <= 22"

// scenarios in the order in which they are measured.
var scenarios = [...]scenario{
	{name: "power-safe", title: "leader power lost, safe", goal: "<= 30", profile: spec.ProfileSafe,
		hostLost: true, cause: killLeader, heal: startLeader},
	{name: "power-safe-etcd", title: "leader power lost, safe", goal: "<= 30",
		profile:  spec.ProfileSafe,
		hostLost: true, etcdToo: true, cause: killLeader, heal: startLeader},
	{name: "power-fast", title: "leader power lost, fast", goal: powerFastGoal,
		profile:  spec.ProfileFast,
		hostLost: true, cause: killLeader, heal: startLeader},
	{name: "power-fast-etcd", title: "leader power lost, fast", goal: powerFastGoal,
		profile:  spec.ProfileFast,
		hostLost: true, etcdToo: true, cause: killLeader, heal: startLeader},
	{name: "switchover", title: "switchover", goal: "<= 1.6", profile: spec.ProfileFast,
		cause: switchover},
	{name: "postgres-killed", title: "postgres killed on the leader, fast", goal: "<= 3",
		profile: spec.ProfileFast, cause: killPostgres},
	{name: "patroni-stopped", title: "systemctl stop patroni on the leader", goal: "<= 2.5",
		profile: spec.ProfileFast, cause: stopPatroni, heal: startPatroni},
	{name: "balancer-power", title: "balancer with the address: power lost", goal: "<= 1.1",
		profile: spec.ProfileFast, cause: killBalancer, heal: startBalancer},
	{name: "haproxy-killed", title: "balancer with the address: HAProxy killed", goal: "<= 1.1",
		profile: spec.ProfileFast, cause: killHAProxy, heal: startHAProxy},
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// selected returns the scenarios of a list separated by commas, all for "".
func selected(only string) ([]scenario, error) {
	if only == "" {
		return scenarios[:], nil
	}
	var chosen []scenario
	names := strings.Split(only, ",")
	for _, name := range names {
		if !slices.Contains(scenarioNames(), name) {
			return nil, fmt.Errorf("no operation is called %q; there are %s", name,
				strings.Join(scenarioNames(), ", "))
		}
	}
	for _, s := range scenarios {
		if slices.Contains(names, s.name) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

func killLeader(ctx context.Context, b *bench, s scene) error { return b.lab.Kill(ctx, s.leader) }
func startLeader(ctx context.Context, b *bench, s scene) error {
	return b.lab.StartHost(ctx, s.leader)
}

func killBalancer(ctx context.Context, b *bench, s scene) error {
	return b.lab.Kill(ctx, s.balancer)
}
func startBalancer(ctx context.Context, b *bench, s scene) error {
	return b.lab.StartHost(ctx, s.balancer)
}

func switchover(ctx context.Context, b *bench, _ scene) error {
	return connected(ctx, b.lab, b.spec, pgha.ConnectOptions{}, func(c *pgha.Cluster) error {
		_, err := c.Switchover(ctx, pgha.SwitchoverOptions{})
		return err
	})
}

// killPostgres kills the postmaster; its children end with it.
func killPostgres(ctx context.Context, b *bench, s scene) error {
	return b.inHost(ctx, s.leader, `kill -KILL "$(head -n 1 "$1/postmaster.pid")"`,
		b.spec.PostgreSQL.DataDir)
}

func stopPatroni(ctx context.Context, b *bench, s scene) error {
	return b.inHost(ctx, s.leader, "systemctl stop patroni")
}

func startPatroni(ctx context.Context, b *bench, s scene) error {
	return b.inHost(ctx, s.leader, "systemctl start patroni")
}

func killHAProxy(ctx context.Context, b *bench, s scene) error {
	return b.inHost(ctx, s.balancer, "systemctl kill -s KILL haproxy")
}

func startHAProxy(ctx context.Context, b *bench, s scene) error {
	return b.inHost(ctx, s.balancer, "systemctl start haproxy")
}
