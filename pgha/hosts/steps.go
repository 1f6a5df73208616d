package hosts

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pgha/toolkit/internal/wholefile"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/adopt"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
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
	now := w.all
	if len(w.Remove) > 0 && !w.AddFirst {
		now = w.from
	}
	if len(w.Add) > 0 && w.AddFirst {
		w.add(now)
	}
	for _, h := range w.Remove {
		after := lacking(now, []spec.Host{h})
		if h.Role == spec.RoleBalancer {
			w.removeBalancer(h, now, after)
		} else {
			w.removeDatabase(h, now, after)
		}
		now = after
	}
	switch {
	case len(w.Add) > 0 && !w.AddFirst:
		w.add(w.to)
	case len(w.Remove) > 0:
		w.step("bring the others in line with the specification", "the hosts are put back by apply",
			"", func(ctx context.Context) error { return w.apply(ctx, w.to) })
	}
	if w.file != "" {
		w.step("write "+filepath.Base(w.file), "it is written as it was", "",
			func(context.Context) error { return w.save() })
	}
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

// add brings hosts in as apply does.
func (w *work) add(sp *spec.Spec) {
	w.step("add "+strings.Join(site.HostNames(w.Add), ", "), "they are taken out again", "",
		func(ctx context.Context) error { return w.apply(ctx, sp) })
}

// apply runs the phases of Apply.
func (w *work) apply(ctx context.Context, sp *spec.Spec) error {
	err := engine.RunPhases(ctx, w.on(sp).Site, engine.Saving(provision.StandardPhases()), w.Out,
		false)
	if err != nil || sp != w.to {
		return err
	}
	return w.forgetCertificates()
}

// reached runs f where the host can be reached. What cannot be done on it is told.
func (w *work) reached(h spec.Host, what string, f func(*job.Job) error) error {
	if _, err := w.Site.Target(h.Name); err != nil {
		w.Warn(h.Name, what+" could not be done: "+err.Error())
		return nil
	}
	return f(w.Job)
}

// removeBalancer takes a balancer out.
func (w *work) removeBalancer(h spec.Host, now, after *spec.Spec) {
	one := []spec.Host{h}
	cost := ""
	if now.VIP != nil {
		cost = "the address moves once, if " + h.Name + " holds it"
	}
	w.step("stop the balancer on "+h.Name, cameBack, cost, func(ctx context.Context) error {
		return w.reached(h, "stopping its services", func(*job.Job) error {
			return power.StopBalancer(ctx, w.on(now), h, after.Balancers())
		})
	})
	if now.VIP != nil {
		w.step("let the other balancers forget "+h.Name, cameBack, "", func(ctx context.Context) error {
			return provision.KeepalivedPhase(ctx, w.on(after))
		})
	}
	w.takeAway(one)
}

// removeDatabase takes a database host out: away from clients first, then from Patroni, then from
// etcd, which is asked to vote without it while it still has its vote.
func (w *work) removeDatabase(h spec.Host, now, after *spec.Spec) {
	one := []spec.Host{h}
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
	if len(now.Balancers()) > 0 {
		w.step("send no session to "+h.Name, cameBack,
			"read-only sessions on it end in one of the next steps", func(ctx context.Context) error {
				return provision.HAProxyPhase(ctx, w.on(after))
			})
	}
	w.step("stop PostgreSQL on "+h.Name, cameBack, "", func(ctx context.Context) error {
		return w.reached(h, "stopping PostgreSQL", func(*job.Job) error {
			if err := power.StopDatabase(ctx, w.on(now), one); err != nil {
				return err
			}
			// Patroni leaves its key to expire, after ttl: whoever counts members would wait for it.
			return adopt.ForgetMember(ctx, w.on(now), h.Member)
		})
	})
	w.step("take "+h.Member+" out of etcd", "it joins again, without data", "",
		func(ctx context.Context) error { return w.leaveEtcd(ctx, h, now) })
	w.step("drop the replication slots of "+h.Member, "they come back with the member", "",
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
				return w.reached(h, "deleting its data", func(*job.Job) error {
					return power.EmptyDatabase(ctx, w.on(now), one)
				})
			})
	}
	w.takeAway(one)
}

// bar is patroni.Bar where it matters: for a replica that runs, while commits wait for any.
func (w *work) bar(ctx context.Context, h spec.Host, now *spec.Spec) error {
	return w.reached(h, "changing its tags", func(*job.Job) error {
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

// leaveEtcd takes the host's member out of etcd.
func (w *work) leaveEtcd(ctx context.Context, h spec.Host, now *spec.Spec) error {
	o, err := engine.EtcdOptions(w.on(now))
	if err != nil {
		return err
	}
	if err := etcd.Remove(ctx, o, h.Member); err != nil {
		return err
	}
	return w.reached(h, "stopping etcd", func(*job.Job) error {
		return power.StopEtcd(ctx, w.on(now), []spec.Host{h})
	})
}

// takeAway takes from hosts what apply has put there: with the keys goes the way in.
func (w *work) takeAway(hosts []spec.Host) {
	name := strings.Join(site.HostNames(hosts), ", ")
	w.step("take keys, passwords and configuration from "+name, "apply puts them there again", "",
		func(ctx context.Context) error {
			for _, h := range hosts {
				_, err := w.Site.Target(h.Name)
				if err == nil {
					err = power.TakeAway(ctx, w.on(w.all), []spec.Host{h})
					if err != nil {
						return err
					}
					continue
				}
				if h.Role == spec.RoleDatabase {
					w.WarnNext(h.Name, stillValid(h))
				}
			}
			return nil
		})
}

// forgetCertificates deletes the certificates of hosts that are gone from the state directory.
func (w *work) forgetCertificates() error {
	for _, h := range w.Remove {
		if h.Role != spec.RoleDatabase || site.Among(w.to.Hosts, h.Name) {
			continue
		}
		for _, of := range certs.OfHost(w.all, h) {
			for _, suffix := range []string{".crt", ".key"} {
				if err := w.State.Remove(filepath.Join("certs", of.Stored+suffix)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// save writes the specification's file, if it is not as it shall be.
func (w *work) save() error {
	text, err := os.ReadFile(w.file)
	if err != nil {
		return fmt.Errorf("read spec: %w", err)
	}
	edited, err := spec.EditHosts(text, names(w.Remove), w.order.Add)
	if err != nil {
		return err
	}
	if err := wholefile.Replace(w.file, text, edited); err != nil {
		return fmt.Errorf("save the specification: %w", err)
	}
	return nil
}
