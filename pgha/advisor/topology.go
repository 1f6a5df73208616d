package advisor

import (
	"fmt"
	"slices"

	"github.com/pgha/toolkit/pgha/spec"
)

// Host is what works on one host at one moment.
type Host struct {
	Name string
	// Member, Etcd and Balancer: the host's PostgreSQL member is healthy, its etcd member, its
	// HAProxy works.
	Member, Etcd, Balancer bool
	// Leads and LeadsEtcd: it has the leadership of the database, of etcd. Holds: it has the
	// virtual IP.
	Leads, LeadsEtcd, Holds bool
	// Barred from being promoted, by a tag.
	Barred bool
	// Synchronous: commits may wait for this replica.
	Synchronous bool
}

// works tells whether anything does.
func (h Host) works() bool { return h.Member || h.Etcd || h.Balancer }

// Topology is who works at one moment. The specification must be complete, as from spec.Parse.
type Topology struct {
	Spec  *spec.Spec
	Hosts []Host
}

// Expected is the topology of a healthy cluster: the first database leads, the first other host
// that runs etcd leads that, and the balancer with the highest priority holds the virtual IP.
func Expected(sp *spec.Spec) Topology {
	t := Topology{Spec: sp}
	leader, holder := "", highest(sp.Balancers())
	if databases := sp.Databases(); len(databases) > 0 {
		leader = databases[0].Name
	}
	for _, h := range sp.Hosts {
		host := Host{Name: h.Name, Etcd: sp.Runs(h, spec.RoleEtcd)}
		host.LeadsEtcd = h.Name == etcdLeader(sp.EtcdHosts(), leader)
		if h.Has(spec.RoleDatabase) {
			host.Member, host.Leads, host.Barred = true, h.Name == leader, Barred(h)
			host.Synchronous = !host.Leads && sp.Patroni.SynchronousMode != spec.SynchronousOff
		}
		if h.Has(spec.RoleBalancer) {
			host.Balancer, host.Holds = true, sp.VIP != nil && h.Name == holder
		}
		t.Hosts = append(t.Hosts, host)
	}
	return t
}

// etcdLeader is the first of the hosts beside the one whose database leads, or that where no other
// one runs etcd.
func etcdLeader(hosts []spec.Host, leader string) string {
	for _, h := range hosts {
		if h.Name != leader {
			return h.Name
		}
	}
	return leader
}

func highest(balancers []spec.Host) string {
	if len(balancers) == 0 {
		return ""
	}
	return slices.MaxFunc(balancers, func(a, b spec.Host) int {
		return a.Priority - b.Priority
	}).Name
}

// Barred tells whether a host's tags keep its member from being promoted.
func Barred(h spec.Host) bool {
	return truth(h.Tags["nofailover"]) || h.Tags["failover_priority"] != nil &&
		fmt.Sprint(h.Tags["failover_priority"]) == "0"
}

func truth(v any) bool { return slices.Contains([]string{"true", "on", "yes", "1"}, fmt.Sprint(v)) }

// without is the topology after the loss of hosts.
func (t Topology) without(names ...string) Topology {
	left := Topology{Spec: t.Spec, Hosts: slices.Clone(t.Hosts)}
	for i, h := range left.Hosts {
		if slices.Contains(names, h.Name) {
			left.Hosts[i] = Host{Name: h.Name}
		}
	}
	return left
}

// count counts hosts.
func (t Topology) count(is func(Host) bool) int {
	n := 0
	for _, h := range t.Hosts {
		if is(h) {
			n++
		}
	}
	return n
}

func (t Topology) members() int     { return t.count(func(h Host) bool { return h.Member }) }
func (t Topology) etcdMembers() int { return t.count(func(h Host) bool { return h.Etcd }) }
func (t Topology) balancers() int   { return t.count(func(h Host) bool { return h.Balancer }) }

// quorum tells whether etcd can agree on anything.
func (t Topology) quorum() bool { return t.etcdMembers() > len(t.Spec.EtcdHosts())/2 }

// failsafe tells whether the primary goes on without etcd: failsafe_mode asks every member for it,
// and all of them are healthy.
func (t Topology) failsafe() bool {
	return t.Spec.Patroni.FailsafeMode && t.members() == len(t.Spec.Databases()) &&
		t.count(func(h Host) bool { return h.Member && h.Leads }) > 0
}

// blocked says why applications could not write, even after everything that happens by itself; ""
// when they could.
func (t Topology) blocked() string {
	members := t.members()
	leads := t.count(func(h Host) bool { return h.Member && h.Leads })
	successors := t.count(func(h Host) bool { return h.Member && !h.Leads && !h.Barred })
	switch {
	case members == 0:
		return "no member of the database is left"
	case !t.quorum() && !t.failsafe():
		return fmt.Sprintf("etcd has no quorum: %d of its %d members are left",
			t.etcdMembers(), len(t.Spec.EtcdHosts()))
	case leads == 0 && successors == 0:
		return "nobody may be promoted: the members that are left are tagged nofailover"
	case members == 1 && t.Spec.Patroni.SynchronousMode == spec.SynchronousStrict:
		return "synchronous_mode strict stops writes without a replica"
	case len(t.Spec.Balancers()) > 0 && t.balancers() == 0:
		return "no balancer is left"
	}
	return ""
}
