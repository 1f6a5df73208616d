package drill

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// experiment is the healthy cluster as a scenario finds it, and what the scenario has done to it.
// Hosts are named by their own names, not their members'.
type experiment struct {
	cluster *pgha.Cluster
	lab     Lab // nil outside a lab
	say     func(string)
	routes  routes

	leader, etcdLeader, holder string
	replicas, balancers        []string

	// expires is when the certificate ends that a scenario has made.
	expires time.Time
	// bound is after how long a host gives back by itself what was broken on it.
	bound time.Duration
	fault Fault
	// waiting is somebody who waits for a host that is gone; nil: nobody.
	waiting *waiting
	// faults are given back when the scenario has been measured, preparations at its very end.
	faults, preparations undone
}

// set notes who does what.
func (s *experiment) set(status pgha.Status) error {
	s.leader, s.etcdLeader, s.holder, s.replicas, s.balancers = "", "", "", nil, nil
	for _, m := range status.Members {
		if patroni.Role(m.Role).Leads() {
			s.leader = m.Host
		} else {
			s.replicas = append(s.replicas, m.Host)
		}
	}
	for _, e := range status.Etcd {
		if h, err := s.cluster.Spec.Host(e.Name); err == nil && e.Leader {
			s.etcdLeader = h.Name
		}
	}
	for _, b := range status.Balancers {
		s.balancers = append(s.balancers, b.Host)
	}
	if status.VIP != nil && len(status.VIP.Holders) == 1 {
		s.holder = status.VIP.Holders[0]
	}
	if s.leader == "" || s.etcdLeader == "" || s.holder == "" {
		return fmt.Errorf("the cluster has no leader, no leader of etcd or no holder of the "+
			"address: %q %q %q",
			s.leader, s.etcdLeader, s.holder)
	}
	return nil
}

// begin notes that the fault begins now.
func (s *experiment) begin(hosts []string, format string, args ...any) {
	s.fault.Hosts, s.fault.Text = hosts, fmt.Sprintf(format, args...)
	s.fault.At = time.Now()
	s.say(s.fault.Text)
}

// break breaks something on hosts, at the same time.
func (s *experiment) breakOn(ctx context.Context, f hostFault, hosts ...string) error {
	var targets []*remote.Target
	for _, name := range hosts {
		t, err := s.cluster.Target(name)
		if err != nil {
			return err
		}
		targets = append(targets, t)
	}
	s.faults = append(s.faults, func(ctx context.Context) error {
		return remote.Each(ctx, targets,
			func(ctx context.Context, t *remote.Target) error { return mendHost(ctx, t, f) })
	})
	return remote.Each(ctx, targets,
		func(ctx context.Context, t *remote.Target) error { return breakHost(ctx, t, f, s.bound) })
}

// run runs a script on a host.
func (s *experiment) run(ctx context.Context, host, script string, args ...string) error {
	t, err := s.cluster.Target(host)
	if err != nil {
		return err
	}
	return onHost(ctx, t, script, args...)
}

// powerOff takes a host's power.
func (s *experiment) powerOff(ctx context.Context, host string) error {
	s.faults = append(s.faults, func(ctx context.Context) error {
		return s.lab.StartHost(ctx, host)
	})
	return s.lab.Kill(ctx, host)
}

// others are the addresses of the other hosts of databases and of etcd.
func (s *experiment) others(host string) []string {
	var list []string
	for _, h := range s.cluster.Spec.MemberHosts() {
		if h.Name != host {
			list = append(list, h.Address)
		}
	}
	return list
}

// members are the hosts of databases and of etcd.
func (s *experiment) members() []string {
	var names []string
	for _, h := range s.cluster.Spec.MemberHosts() {
		names = append(names, h.Name)
	}
	return names
}

// voters are the hosts that run etcd.
func (s *experiment) voters() []string {
	var names []string
	for _, h := range s.cluster.Spec.EtcdHosts() {
		names = append(names, h.Name)
	}
	return names
}

// expiry is the longest that the cluster takes to act on a leader that fell silent.
func expiry(sp *pgha.Spec) time.Duration {
	return sp.Patroni.TTL + sp.Patroni.LoopWait + 5*time.Second
}

func and(names []string) string { return strings.Join(names, " and ") }
