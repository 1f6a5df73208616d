package hosts

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/wholefile"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/adopt"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/power"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/spec"
)

// work is one change under way.
type work struct {
	*job.Job
	order
	specifications
	// undoing: what is done takes another change back.
	undoing bool
	steps   []procedure.Step
	// leader is the member that leads in place of one that gave its leadership away.
	leader string
}

// cameBack is how a step is taken back that apply undoes by itself.
const cameBack = "the host is put back by apply"

// build makes the steps, which depend on the order alone: a later run makes the same ones.
func (w *work) build() {
	now, leaving := w.all, w.leavingEtcd()
	joining := site.Without(site.Without(w.to.EtcdHosts(), w.from.EtcdHosts()), w.order.Add)
	first := w.AddFirst || len(w.Remove) == 0 || len(joining) > 0
	if !first {
		now = lacking(w.all, w.order.Add)
	}
	if first && len(w.Remove)+len(leaving) == 0 {
		now = w.to
	}
	if first && len(joining)+len(w.order.Add) > 0 {
		w.add(joining, now)
	}
	// Where etcd leaves hosts that stay, only the new specification says where the record is.
	moves := len(joining)+len(site.Without(leaving, w.Remove)) > 0
	if moves {
		w.write()
		w.step("let Patroni find etcd's new members", "it finds those of before",
			"some seconds without writes, while the leader's Patroni restarts and balancers hear "+
				"nothing of it", w.rediscover)
	}
	for _, h := range w.Remove {
		after := lacking(now, []spec.Host{h})
		if now.Runs(h, spec.RoleBalancer) {
			w.removeBalancer(h, now, after)
		}
		w.removeMember(h, now, after)
		w.takeAway(h, now, after)
		now = after
	}
	for _, h := range leaving {
		if site.Among(w.to.Hosts, h.Name) {
			h, _ = now.Host(h.Name)
			after := withoutEtcd(now, h)
			w.leave(h, now, after)
			w.takeAway(h, now, after)
			now = after
		}
	}
	switch {
	case len(w.order.Add) > 0 && !first:
		w.add(nil, w.to)
	case len(w.Remove)+len(leaving) > 0:
		w.step("bring the others in line with the specification", "the hosts are put back by apply",
			"", func(ctx context.Context) error { return w.apply(ctx, w.to) })
	}
	if !moves {
		w.write()
	}
}

// write is the step that edits the specification's file, if there is one.
func (w *work) write() {
	if w.file == "" {
		return
	}
	w.step("write "+filepath.Base(w.file), "it is written as it was", "",
		func(context.Context) error { return w.save() })
}

// rediscover makes Patroni know etcd's new members before the ones that it knows go.
func (w *work) rediscover(ctx context.Context) error {
	o, err := engine.PatroniOptions(w.on(w.all))
	if err != nil {
		return err
	}
	return patroni.Rediscover(ctx, o)
}

// leavingEtcd are the hosts that run etcd before the change and not after it: those that go, and
// those that leave it to hosts of its own.
func (w *work) leavingEtcd() []spec.Host {
	return site.Without(w.from.EtcdHosts(), w.to.EtcdHosts())
}

// withoutEtcd is a specification in which a host runs no etcd.
func withoutEtcd(sp *spec.Spec, h spec.Host) *spec.Spec {
	less := *sp
	less.Hosts = slices.Clone(sp.Hosts)
	i := slices.IndexFunc(less.Hosts, func(other spec.Host) bool { return other.Name == h.Name })
	less.Hosts[i].Roles = slices.DeleteFunc(slices.Clone(h.Roles),
		func(r spec.Role) bool { return r == spec.RoleEtcd })
	return &less
}

// back says how a step about a host is taken back: not at all where the host is dead.
func (w *work) back(h spec.Host, how string) string {
	if slices.Contains(w.Dead, h.Name) {
		return ""
	}
	return how
}

func (w *work) step(name, back, cost string, do func(context.Context) error) {
	w.steps = append(w.steps, procedure.Step{
		Outline: procedure.Outline{Name: name, Back: back, Cost: cost}, Do: do})
}

// on is the work on hosts as another specification has them.
func (w *work) on(sp *spec.Spec) *job.Job {
	other := *w.Job
	other.Site = w.Apart(sp, w.Credentials())
	return &other
}

// add brings hosts in as apply does, and etcd to those that are there already.
func (w *work) add(joining []spec.Host, sp *spec.Spec) {
	var what []string
	if len(w.order.Add) > 0 {
		what = append(what, "add "+strings.Join(site.HostNames(w.order.Add), ", "))
	}
	if len(joining) > 0 {
		what = append(what, "bring etcd to "+strings.Join(site.HostNames(joining), ", "))
	}
	w.step(strings.Join(what, ", and "), "they are taken out again", "",
		func(ctx context.Context) error { return w.apply(ctx, sp) })
}

// apply runs the phases of Apply. With the last specification the certificates of hosts that are
// gone are taken back, so that what is left of them anywhere opens nothing.
func (w *work) apply(ctx context.Context, sp *spec.Spec) error {
	if sp == w.to {
		if err := w.State.Disown(w.all, w.to); err != nil {
			return err
		}
	}
	// A certificate names the balancers, so it depends on the specification.
	cr, err := vault.LoadCredentials(ctx, w.State, sp)
	if err != nil {
		return err
	}
	on := w.on(sp)
	on.Hold(cr)
	return engine.RunPhases(ctx, on.Site, engine.Saving(provision.StandardPhases()), w.Out, false)
}

// reached runs f where the host can be reached. What cannot be done on it is told.
func (w *work) reached(h spec.Host, what string, f func() error) error {
	if _, err := w.Site.Target(h.Name); err != nil {
		w.Warn(h.Name, what+" could not be done: "+err.Error())
		return nil
	}
	return f()
}

// removeBalancer takes a balancer out.
func (w *work) removeBalancer(h spec.Host, now, after *spec.Spec) {
	cost := ""
	if now.VIP != nil {
		cost = "the address moves once, if " + h.Name + " holds it"
	}
	w.step("stop the balancer on "+h.Name, cameBack, cost, func(ctx context.Context) error {
		return w.reached(h, "stopping its services", func() error {
			return power.StopBalancer(ctx, w.on(now), h, after.Balancers())
		})
	})
	if now.VIP != nil {
		w.step("let the other balancers forget "+h.Name, cameBack, "", func(ctx context.Context) error {
			return provision.KeepalivedPhase(ctx, w.on(after))
		})
	}
}

// removeMember takes a host's members out: away from clients first, then from Patroni, then from
// etcd, which is asked to vote without one while that still has its vote.
func (w *work) removeMember(h spec.Host, now, after *spec.Spec) {
	database, one := now.Runs(h, spec.RoleDatabase), []spec.Host{h}
	if database {
		w.step("move leaderships away from "+h.Name, "they stay where they are",
			"a switchover, if its member leads", func(ctx context.Context) error {
				leader, moved, err := power.HandOver(ctx, w.on(now), one, w.Force)
				if moved {
					w.leader = leader
				}
				return err
			})
		w.step("let no commit wait for "+h.Member, "its own tags come back", "",
			func(ctx context.Context) error { return w.bar(ctx, h, now) })
		if len(after.Balancers()) > 0 {
			w.step("send no session to "+h.Name, cameBack,
				"read-only sessions on it end in one of the next steps",
				func(ctx context.Context) error {
					return provision.HAProxyPhase(ctx, w.on(after))
				})
		}
		w.step("stop PostgreSQL on "+h.Name, cameBack, "", func(ctx context.Context) error {
			return w.stopDatabase(ctx, h, now)
		})
	}
	if now.Runs(h, spec.RoleEtcd) {
		w.leave(h, now, after)
	}
	if !database {
		return
	}
	w.step("drop the replication slots of "+h.Member, w.back(h, "they come back with the member"), "",
		func(ctx context.Context) error {
			o, err := engine.PatroniOptions(w.on(after))
			if err != nil {
				return err
			}
			return patroni.Depart(ctx, o, h.Member)
		})
	if w.Clean {
		w.step("delete the data on "+h.Name, "it is copied again from another member", "",
			func(ctx context.Context) error {
				return w.reached(h, "deleting its data", func() error {
					return power.EmptyDatabase(ctx, w.on(now), one)
				})
			})
	}
}

// stopDatabase stops PostgreSQL and Patroni.
func (w *work) stopDatabase(ctx context.Context, h spec.Host, now *spec.Spec) error {
	return w.reached(h, "stopping PostgreSQL", func() error {
		if err := power.StopDatabase(ctx, w.on(now), []spec.Host{h}); err != nil {
			return err
		}
		// Patroni leaves its key to expire, after ttl (4.1.5): whoever
		// counts members would wait for it.
		return adopt.ForgetMember(ctx, w.on(now), h.Member)
	})
}

// leave takes the host's member out of etcd.
func (w *work) leave(h spec.Host, now, after *spec.Spec) {
	w.step("take "+h.Member+" out of etcd", w.back(h, "it joins again, without data"), "",
		func(ctx context.Context) error { return w.leaveEtcd(ctx, h, now, after) })
}

// bar is patroni.Bar where it matters: for a replica that runs, while commits wait for any.
func (w *work) bar(ctx context.Context, h spec.Host, now *spec.Spec) error {
	return w.reached(h, "changing its tags", func() error {
		o, err := engine.PatroniOptions(w.on(now))
		if err != nil {
			return err
		}
		state, err := patroni.NewClient(o).Cluster(ctx)
		if err != nil {
			return err
		}
		m, there := state.Member(h.Member)
		if !there || m.Role != patroni.RoleSyncStandby && m.Role != patroni.RoleQuorumStandby {
			return nil
		}
		return patroni.Bar(ctx, o, h.Member)
	})
}

// leaveEtcd takes the host's member out of etcd, whose leadership goes to another one first, and
// deletes what it had.
func (w *work) leaveEtcd(ctx context.Context, h spec.Host, now, after *spec.Spec) error {
	o, err := engine.EtcdOptions(w.on(now))
	if err != nil {
		return err
	}
	if len(after.EtcdHosts()) > 0 {
		if err := power.MoveEtcdOff(ctx, w.on(now), []spec.Host{h}); err != nil {
			return err
		}
	}
	if err := etcd.Remove(ctx, o, h.Member); err != nil {
		return err
	}
	return w.reached(h, "stopping etcd", func() error {
		return power.StopEtcd(ctx, w.on(now), []spec.Host{h})
	})
}

// takeAway takes from a host what apply has put there and it has no more: with the keys goes the way
// in.
func (w *work) takeAway(h spec.Host, now, after *spec.Spec) {
	what := "keys, passwords and configuration"
	if site.Among(after.Hosts, h.Name) {
		what = "etcd's keys and configuration"
	}
	w.step("take "+what+" from "+h.Name, w.back(h, "apply puts them there again"), "",
		func(ctx context.Context) error {
			if _, err := w.Site.Target(h.Name); err != nil {
				if h.Role != spec.RoleBalancer {
					w.WarnNext(h.Name, stillValid(h))
				}
				return nil
			}
			return power.TakeAway(ctx, w.on(now), w.on(after), h)
		})
}

// save writes the specification's file, if it is not as it shall be.
func (w *work) save() error {
	text, err := os.ReadFile(w.file)
	if err != nil {
		return fmt.Errorf("read spec: %w", err)
	}
	edited, err := spec.EditHosts(text, site.HostNames(w.Remove), w.order.Add)
	if err != nil {
		return err
	}
	if err := wholefile.Replace(w.file, text, edited); err != nil {
		return fmt.Errorf("save the specification: %w", err)
	}
	return nil
}
