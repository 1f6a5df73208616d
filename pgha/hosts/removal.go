package hosts

import (
	"context"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/adopt"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/power"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/spec"
)

// leaver is what of the cluster goes: hosts, and etcd of hosts that stay.
type leaver struct {
	// now and after are the cluster with them and without.
	now, after *spec.Spec
	// hosts go altogether, their databases and balancers among them.
	hosts, databases, balancers []spec.Host
	// etcds run etcd now and not after; stayers are those of them that stay.
	etcds, stayers []spec.Host
}

// remove takes hosts out, all of them at the same time: away from clients first, then from Patroni,
// then from etcd, one member after the other, which votes while it still can. behind says that new
// hosts come in after that.
func (w *work) remove(now *spec.Spec, behind bool) {
	l := leaver{now: now, after: lacking(now, w.Remove), hosts: w.Remove,
		databases: site.Only(now, spec.RoleDatabase, w.Remove),
		balancers: site.Only(now, spec.RoleBalancer, w.Remove), etcds: w.leavingEtcd()}
	for _, h := range l.etcds {
		if site.Among(w.to.Hosts, h.Name) {
			h, _ = now.Host(h.Name)
			l.stayers, l.after = append(l.stayers, h), withoutEtcd(l.after, h)
		}
	}
	if len(l.balancers) > 0 {
		w.stopBalancers(l)
	}
	if len(l.databases) > 0 {
		w.stopDatabases(l)
	}
	if len(l.etcds) > 0 {
		w.step("take "+members(l.etcds)+" out of etcd",
			w.back("a member joins again, without data"), "",
			func(ctx context.Context) error { return w.leaveEtcd(ctx, l) })
	}
	w.forget(l, behind)
}

// back says how a step about hosts that may be dead is taken back: not at all if one is.
func (w *work) back(how string) string {
	if len(w.Dead) > 0 {
		return ""
	}
	return how
}

// stopBalancers are the steps after which these serve nobody, and are nobody's peers.
func (w *work) stopBalancers(l leaver) {
	cost := ""
	if l.now.VIP != nil {
		cost = "the address moves once, if it is there"
	}
	w.step("stop the balancer on "+names(l.balancers), "apply starts it again", cost,
		func(ctx context.Context) error {
			for _, h := range w.reachable(l.balancers, "stopping its services") {
				err := power.StopBalancer(ctx, w.on(l.now), h, l.after.Balancers())
				if err != nil {
					return err
				}
			}
			return nil
		})
	if l.now.VIP != nil {
		w.step("let the other balancers forget "+names(l.balancers), "apply makes them peers again",
			"", func(ctx context.Context) error {
				return provision.KeepalivedPhase(ctx, w.sparing(l.after))
			})
	}
}

// stopDatabases are the steps after which PostgreSQL runs there no more.
func (w *work) stopDatabases(l leaver) {
	w.step("move leaderships away from "+names(l.databases), "they stay where they are",
		"a switchover, if the leader is there", func(ctx context.Context) error {
			leader, moved, err := power.HandOver(ctx, w.on(l.now), l.databases, w.Force)
			if moved {
				w.leader = leader
			}
			return err
		})
	w.step("let no commit wait for "+members(l.databases), "the tags of before come back", "",
		func(ctx context.Context) error { return w.bar(ctx, l) })
	if len(l.after.Balancers()) > 0 {
		w.step("send no session to "+names(l.databases), "sessions are sent there again",
			"read-only sessions there end in the next step",
			func(ctx context.Context) error { return w.drain(ctx, l) })
	}
	w.step("stop PostgreSQL on "+names(l.databases), "apply starts it again", "",
		func(ctx context.Context) error { return w.stopPostgreSQL(ctx, l) })
}

// bar is patroni.Bar where it matters: for replicas that run, while commits wait for any.
func (w *work) bar(ctx context.Context, l leaver) error {
	o, err := engine.PatroniOptions(w.on(l.now))
	if err != nil {
		return err
	}
	state, err := patroni.NewClient(o).Cluster(ctx)
	if err != nil {
		return err
	}
	for _, h := range w.reachable(l.databases, "changing its tags") {
		m, there := state.Member(h.Member)
		if !there || m.Role != patroni.RoleSyncStandby && m.Role != patroni.RoleQuorumStandby {
			continue
		}
		if err := patroni.Bar(ctx, o, h.Member); err != nil {
			return err
		}
	}
	return nil
}

// drain lets no reader come to the databases. Their servers go with the last step, when HAProxy is
// reloaded anyway.
func (w *work) drain(ctx context.Context, l leaver) error {
	living := w.living(l.databases)
	if len(living) == 0 {
		return nil // nobody sends sessions to the dead
	}
	o, err := engine.BalancerOptions(w.on(l.after))
	if err != nil {
		return err
	}
	return lb.Drain(ctx, o, memberNames(living)...)
}

// stopPostgreSQL stops PostgreSQL and Patroni.
func (w *work) stopPostgreSQL(ctx context.Context, l leaver) error {
	err := power.StopDatabase(ctx, w.on(l.now), w.reachable(l.databases, "stopping PostgreSQL"))
	if err != nil {
		return err
	}
	// Patroni leaves its key to expire, after ttl (4.1.5): whoever
	// counts members would wait for it.
	for _, h := range l.databases {
		if err := adopt.ForgetMember(ctx, w.on(l.now), h.Member); err != nil {
			return err
		}
	}
	return nil
}

// leaveEtcd takes members out of etcd, whose leadership goes to another one first, and deletes what
// they had.
func (w *work) leaveEtcd(ctx context.Context, l leaver) error {
	living := w.reachable(l.etcds, "stopping etcd")
	if len(living) > 0 && len(l.after.EtcdHosts()) > 0 {
		if err := power.MoveEtcdOff(ctx, w.on(l.now), l.etcds); err != nil {
			return err
		}
	}
	left := l.now
	for _, h := range w.sickFirst(ctx, l) {
		o, err := engine.EtcdOptions(w.on(left))
		if err == nil {
			err = etcd.Remove(ctx, o, h.Member)
		}
		if err != nil {
			return err
		}
		if site.Among(l.stayers, h.Name) {
			left = withoutEtcd(left, h)
		} else {
			left = lacking(left, []spec.Host{h})
		}
	}
	return power.StopEtcd(ctx, w.on(l.now), living)
}

// sickFirst sorts the hosts whose members of etcd go: those that do not answer come first, because
// each one that does is a vote for those that are still to go.
func (w *work) sickFirst(ctx context.Context, l leaver) []spec.Host {
	all := slices.Clone(l.etcds)
	o, err := engine.EtcdOptions(w.on(l.now))
	if err != nil {
		return all
	}
	members, err := etcd.Health(ctx, o)
	if err != nil {
		return all
	}
	well := func(h spec.Host) int {
		if slices.ContainsFunc(members, func(m etcd.MemberHealth) bool {
			return m.Name == h.Member && m.Healthy
		}) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(a, b spec.Host) int { return well(a) - well(b) })
	return all
}

// slotsPhase drops replication slots.
const slotsPhase = "replication slots"

// forget is the step after which nothing of what went is left anywhere: with the keys goes the way
// in. The others are brought in line with the specification, which takes most of the time, while
// replication slots are dropped and hosts cleaned.
func (w *work) forget(l leaver, behind bool) {
	var what []string
	if behind && len(w.order.Add) > 0 {
		what = append(what, "add "+names(w.order.Add))
	}
	if len(l.databases) > 0 {
		what = append(what, "drop the replication slots of "+members(l.databases))
	}
	if w.Clean && len(l.databases) > 0 {
		what = append(what, "delete the data on "+names(l.databases))
	}
	if len(l.hosts) > 0 {
		what = append(what, "take keys, passwords and configuration from "+names(l.hosts))
	}
	if len(l.stayers) > 0 {
		what = append(what, "take etcd's keys and configuration from "+names(l.stayers))
	}
	w.step(strings.Join(what, ", ")+", and bring the others in line with the specification",
		w.back("apply puts all of it back"), "", func(ctx context.Context) error {
			none := []string{} // they wait for no other phase
			return w.apply(ctx, w.to,
				engine.Phase{Name: slotsPhase, After: none,
					Run: func(ctx context.Context, _ *engine.Run) error { return w.depart(ctx, l) }},
				engine.Phase{Name: "clean up", After: none,
					Run: func(ctx context.Context, _ *engine.Run) error { return w.cleanUp(ctx, l) }})
		})
}

// depart drops the replication slots of the databases.
func (w *work) depart(ctx context.Context, l leaver) error {
	o, err := engine.PatroniOptions(w.on(l.after))
	if err != nil {
		return err
	}
	return patroni.Depart(ctx, o, memberNames(l.databases)...)
}

// cleanUp takes from hosts what apply has put there and they have no more.
func (w *work) cleanUp(ctx context.Context, l leaver) error {
	if w.Clean {
		err := power.EmptyDatabase(ctx, w.on(l.now),
			w.reachable(l.databases, "deleting its data"))
		if err != nil {
			return err
		}
	}
	all := slices.Concat(l.hosts, l.stayers)
	living := w.living(all)
	for _, h := range site.Without(all, living) {
		if h.Role != spec.RoleBalancer {
			w.WarnNext(h.Name, stillValid(h))
		}
	}
	return power.TakeAway(ctx, w.on(l.now), w.on(l.after), living)
}

// living are those of the hosts that have a connection.
func (w *work) living(hosts []spec.Host) []spec.Host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h spec.Host) bool {
		_, err := w.Site.Target(h.Name)
		return err != nil
	})
}

// reachable are those that have a connection; of the others it is told what could not be done.
func (w *work) reachable(hosts []spec.Host, what string) []spec.Host {
	for _, h := range hosts {
		if _, err := w.Site.Target(h.Name); err != nil {
			w.Warn(h.Name, what+" could not be done: "+err.Error())
		}
	}
	return w.living(hosts)
}

// members names hosts by their members.
func members(hosts []spec.Host) string { return strings.Join(memberNames(hosts), ", ") }

func memberNames(hosts []spec.Host) []string {
	list := make([]string, len(hosts))
	for i, h := range hosts {
		list[i] = h.Member
	}
	return list
}
