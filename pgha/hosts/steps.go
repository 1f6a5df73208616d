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
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
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
	// away are hosts that stay, and that no step touches.
	away []spec.Host
	// looked is what preflight saw before the first step; nil where it was not asked.
	looked *inspect.PreflightReport
	// leader is the member that leads in place of one that gave its leadership away.
	leader string
}

// build makes the steps, which depend on the order alone: a later run makes the same ones.
func (w *work) build() {
	if len(w.Renew) > 0 {
		w.step("bring the new machine of "+names(w.Renew)+" in", "it is left to the next apply", "",
			func(ctx context.Context) error { return w.apply(ctx, w.to) })
		w.write()
		return
	}
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
	if len(w.Remove)+len(leaving) > 0 {
		w.remove(now, !first)
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
		what = append(what, "add "+names(w.order.Add))
	}
	if len(joining) > 0 {
		what = append(what, "bring etcd to "+names(joining))
	}
	w.step(strings.Join(what, ", and "), "they are taken out again", "",
		func(ctx context.Context) error {
			if err := w.apply(ctx, sp); err != nil || !w.undoing {
				return err
			}
			return w.refill(ctx, sp)
		})
}

// refill opens the read port to databases that came back: a run that was to take them out may have
// drained them.
func (w *work) refill(ctx context.Context, sp *spec.Spec) error {
	o, err := engine.BalancerOptions(w.on(sp))
	if err != nil {
		return err
	}
	return lb.Refill(ctx, o, memberNames(site.Only(sp, spec.RoleDatabase, w.order.Add))...)
}

func names(hosts []spec.Host) string { return strings.Join(site.HostNames(hosts), ", ") }

// apply runs the phases of Apply, and others beside them. With the last specification the
// certificates of hosts that are gone are taken back, so that what is left of them anywhere opens
// nothing.
func (w *work) apply(ctx context.Context, sp *spec.Spec, beside ...engine.Phase) error {
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
	on := w.sparing(sp)
	on.Hold(cr)
	phases := append(beside, engine.Saving(w.phases(sp, len(beside) > 0))...)
	return engine.RunPhases(ctx, on.Site, phases, w.Out, false)
}

// phases are those of Apply, quicker where that can be: what was looked at before the first step is
// not looked at again, and new members get Patroni's files while etcd takes theirs in. departing
// says that slotsPhase runs beside them, which sets what Patroni's phase would set back.
func (w *work) phases(sp *spec.Spec, departing bool) []engine.Phase {
	phases := provision.StandardPhases()
	phases[0].After = []string{} // for nothing of what runs beside it
	if w.looked != nil {
		phases[0].Run = engine.Standard(provision.JudgePhase(*w.looked))
		w.looked = nil // it is of this moment
	}
	at := slices.IndexFunc(phases, func(p engine.Phase) bool { return p.Name == "patroni" })
	if departing {
		phases[at].After = append(phases[at].After, slotsPhase)
	}
	come := slices.DeleteFunc(site.Only(sp, spec.RoleDatabase, w.order.Add),
		func(h spec.Host) bool { return !site.Among(sp.EtcdHosts(), h.Name) })
	if len(come) > 0 {
		const name = "files of new members"
		phases[at].After = append(phases[at].After, name)
		phases = slices.Insert(phases, at, engine.Phase{Name: name,
			After: []string{"install databases"}, Run: func(ctx context.Context,
				run *engine.Run) error {
				return prepare(ctx, run, come)
			}})
	}
	return phases
}

// prepare puts Patroni's files on hosts that come. It starts nothing.
func prepare(ctx context.Context, run *engine.Run, come []spec.Host) error {
	o, err := run.PatroniOptions()
	if err != nil {
		return err
	}
	for i, m := range o.Members {
		if !site.Among(come, m.Name) {
			other := *m.Target
			other.LeftOut = true
			o.Members[i].Target = &other
		}
	}
	return patroni.Install(ctx, o)
}

// save writes the specification's file, if it is not as it shall be.
func (w *work) save() error {
	text, err := os.ReadFile(w.file)
	if err != nil {
		return fmt.Errorf("read spec: %w", err)
	}
	edited, err := w.edit(text)
	if err != nil {
		return err
	}
	if err := wholefile.Replace(w.file, text, edited); err != nil {
		return fmt.Errorf("save the specification: %w", err)
	}
	return nil
}
