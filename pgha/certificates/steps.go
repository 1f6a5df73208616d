package certificates

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/status"
)

// trialLifetime is of certificates that only try servers.
const trialLifetime = 24 * time.Hour

// work is one replacement, or its undoing, under way.
type work struct {
	*job.Job
	order
	steps []procedure.Step
	// state is the directory, written to.
	state *vault.State
	// pause ends the run after the first step; paused says that it did.
	pause, paused bool
	handshakes    int
}

func (w *work) step(name, back, cost string, do func(context.Context) error) {
	w.steps = append(w.steps, procedure.Step{
		Outline: procedure.Outline{Name: name, Back: back, Cost: cost}, Do: do})
}

// build makes the steps, which depend on the order alone.
func (w *work) build() {
	restarts := ""
	if slices.Contains(w.authorities(), layout.EtcdAuthority) {
		restarts = "etcd's members restart one at a time, the leader last; applications notice nothing"
	}
	w.step("trust both authorities on all hosts", "the new ones are forgotten", restarts, w.trust)
	w.step("show certificates of the new authorities", "certificates of the former ones are shown "+
		"again", "clients of PostgreSQL that trust the former authority alone are refused",
		w.switchOver)
	w.step("trust the new authorities alone", "", restarts, w.drop)
}

// buildUndo makes the steps that take it back.
func (w *work) buildUndo() {
	w.step("show certificates of the former authorities again", "", "", w.revert)
	w.step("trust the former authorities alone", "", "", w.drop)
}

// carryOut does what is left of the record.
func (w *work) carryOut(ctx context.Context, r *procedure.Record) (err error) {
	fresh := len(r.Steps) == 0
	if err := status.Alone(ctx, w.Site, fresh && !r.Undoing, r); err != nil {
		return err
	}
	if w.build(); r.Undoing {
		w.steps = nil
		w.buildUndo()
	}
	if fresh {
		text, err := json.Marshal(w.order)
		if err != nil {
			return fmt.Errorf("write the record: %w", err)
		}
		r.Steps, r.Order = procedure.Outlines(w.steps), text
	}
	if fresh && !r.Undoing {
		if err := w.refuse(ctx); err != nil {
			return err
		}
		w.warn()
	}
	if w.Planning() {
		return engine.PlanSteps(w.Job, w.Spec.Hosts[0].Name, *r, w.steps)
	}
	s, end, err := settled(w.Site)
	if err != nil {
		return err
	}
	w.state = s
	defer func() { err = errors.Join(err, end()) }()
	// A copy that is made meanwhile is out of date afterwards.
	if err := w.GrowState(ctx, s); err != nil {
		return err
	}
	return errs.Join(w.run(ctx, r), w.GrowState(ctx, s))
}

// warn says which authorities come, and what applications need.
func (w *work) warn() {
	for _, a := range w.authorities() {
		if w.Imported[a] != "" {
			chain, _, _ := w.State.Replacement(a).Company().Imported() // RotateCA has read it
			info, _ := pki.Inspect(chain)
			w.Progress(fmt.Sprintf("%s: the authority of the company that was imported comes, "+
				"issued by %s, until %s", name(a), info.Issuer, info.NotAfter.Format(time.DateOnly)))
		}
	}
	if !slices.Contains(w.authorities(), layout.PostgresAuthority) || w.pause {
		return
	}
	w.WarnNext("", errs.Text("clients that verify PostgreSQL's certificate need the file with both "+
		"authorities before the second step: %s ends this run once that file is there, and "+
		"%s names it", errs.Verb("certificates", "rotate-ca", "--pause"), errs.Verb("connection")))
}

// run does the steps, each recorded before the next.
func (w *work) run(ctx context.Context, r *procedure.Record) error {
	keep := func(ctx context.Context, r procedure.Record) error {
		// Which certificate opens etcd changes with the steps.
		eo, err := engine.EtcdOptions(w.Job)
		if err != nil {
			return err
		}
		return etcd.Keep(ctx, eo, w.ChangeKey(), r.Text())
	}
	if w.pause && r.Reached == 0 {
		first := *r
		first.Steps = r.Steps[:1]
		err := engine.RunSteps(ctx, w.Job, &first, w.steps[:1],
			func(ctx context.Context, now procedure.Record) error {
				now.Steps = r.Steps
				return keep(ctx, now)
			})
		r.Reached, w.paused = first.Reached, err == nil
		return err
	}
	if err := engine.RunSteps(ctx, w.Job, r, w.steps, keep); err != nil {
		return err
	}
	eo, err := engine.EtcdOptions(w.Job)
	if err != nil {
		return err
	}
	return etcd.Forget(ctx, eo, w.ChangeKey())
}

// each does something with every authority.
func (w *work) each(f func(authority string) error) error {
	for _, a := range w.authorities() {
		if err := f(a); err != nil {
			return err
		}
	}
	return nil
}

// trust makes all hosts trust both authorities.
func (w *work) trust(ctx context.Context) error {
	err := w.each(func(a string) error {
		return w.state.Replacement(a).Introduce(w.Spec, w.Imported[a])
	})
	if err == nil {
		err = w.deploy(ctx)
	}
	if err != nil {
		return err
	}
	return w.check(ctx, func(a string) ([]byte, pki.KeyPair, error) {
		shown, err := w.issued(a, a+"-next")
		return w.Credentials().Authority(a), shown, err
	})
}

// switchOver makes all servers show certificates of the new authorities.
func (w *work) switchOver(ctx context.Context) error {
	err := w.each(func(a string) error {
		if err := w.state.Replacement(a).Adopt(); err != nil {
			return err
		}
		if now, err := w.state.Replacement(a).Issuing(); err != nil || now == w.Former[a] {
			return errors.Join(err, fmt.Errorf("%w: %w", errs.ErrRefused, errLost))
		}
		return nil
	})
	if err == nil {
		err = w.deploy(ctx)
	}
	if err != nil {
		return err
	}
	return w.checkNew(ctx)
}

// revert makes all servers show certificates of the former authorities again.
func (w *work) revert(ctx context.Context) error {
	err := w.each(func(a string) error { return w.state.Replacement(a).Revert(w.Former[a]) })
	if err == nil {
		err = w.deploy(ctx)
	}
	if err != nil {
		return err
	}
	return w.checkNew(ctx)
}

// drop makes all hosts trust the authority in force alone.
func (w *work) drop(ctx context.Context) error {
	err := w.each(func(a string) error { return w.state.Replacement(a).CloseWayBack() })
	if err == nil {
		err = w.deploy(ctx)
	}
	if err == nil {
		err = w.checkNew(ctx)
	}
	if err == nil {
		err = w.checkFormer(ctx)
	}
	if err == nil {
		err = w.each(func(a string) error { return w.state.Replacement(a).Forget() })
	}
	return err
}

// deploy gives the hosts what the state directory says by now. Patroni reads what it trusts again
// only together with a new server certificate (4.1), so that one is issued again each time.
func (w *work) deploy(ctx context.Context) error {
	w.state.Choose = func(of certs.Certificate) vault.Choice {
		if of.Name == layout.RESTServer && slices.Contains(w.authorities(), of.Authority) {
			return vault.Anew
		}
		return vault.AsDue
	}
	cr, err := vault.LoadCredentials(ctx, w.state, w.Spec)
	w.state.Choose = nil
	if err != nil {
		return err
	}
	w.Hold(cr)
	// Whoever continues from a copy must not go back behind what hosts trust and show from here on.
	if err := engine.Share(ctx, w.Job, w.state); err != nil {
		return err
	}
	return deploy(ctx, w.Job, w.authorities())
}

// check tries every server of the authorities from every host that dials it: with what is trusted
// and shown of each authority.
func (w *work) check(ctx context.Context,
	with func(authority string) (trusted []byte, shown pki.KeyPair, err error)) error {
	peers, err := peersOf(w.Job, w.authorities())
	if err != nil {
		return err
	}
	var trials []trial
	for _, a := range w.authorities() {
		trusted, shown, err := with(a)
		if err != nil {
			return err
		}
		root, err := w.root(a)
		if err != nil {
			return err
		}
		for _, p := range peers {
			if p.to.Authority != a {
				continue
			}
			p.to.CA, p.to.Own = trusted, shown
			trials = append(trials, trial{peer: p, what: p.to.Name + " with the new authority"})
			if root != nil {
				// As applications do: the intermediates have to come from the server.
				of := p
				of.to.CA = root
				trials = append(trials, trial{peer: of, what: p.to.Name + " with the company's root"})
			}
			if asks(p.to) {
				trials = append(trials, trial{peer: p, most: tls.VersionTLS12,
					what: p.to.Name + " with a certificate of the new authority"})
			}
		}
	}
	return w.tried(ctx, trials)
}

// tried opens the handshakes. A balancer opens its own: it has to see the primary.
func (w *work) tried(ctx context.Context, trials []trial) error {
	w.Progress(fmt.Sprintf("trying %d handshakes", len(trials)))
	n, err := tryAll(ctx, trials)
	w.handshakes += n
	if err != nil || !slices.Contains(w.authorities(), layout.PatroniAuthority) {
		return err
	}
	o, err := engine.BalancerOptions(w.Job)
	if err != nil {
		return err
	}
	o.Balancers = slices.DeleteFunc(o.Balancers, func(t *remote.Target) bool { return t.LeftOut })
	if len(o.Balancers) == 0 {
		return nil
	}
	return lb.WaitPrimary(ctx, o)
}

// checkNew tries every server with the authority in force alone.
func (w *work) checkNew(ctx context.Context) error {
	return w.check(ctx, func(a string) ([]byte, pki.KeyPair, error) {
		ca, err := w.state.Authority(a, vault.CAName(w.Spec, a))
		if err != nil {
			return nil, pki.KeyPair{}, err
		}
		shown, err := w.issued(a, a)
		return ca.CertPEM(), shown, err
	})
}

// root is the root above the authority in force whose certificates are shown; nil where that is one
// of the tool's own.
func (w *work) root(authority string) ([]byte, error) {
	ca, err := w.state.Authority(authority, vault.CAName(w.Spec, authority))
	if err != nil || len(ca.SentPEM()) == 0 {
		return nil, err
	}
	return ca.RootPEM(), nil
}

// checkFormer tries every server with the former authority alone: none must show a certificate of
// it, and none let one in.
func (w *work) checkFormer(ctx context.Context) error {
	peers, err := peersOf(w.Job, w.authorities())
	if err != nil {
		return err
	}
	var trials []trial
	for _, p := range peers {
		former, shown, err := w.state.Replacement(p.to.Authority).Witness()
		if err != nil {
			return err
		}
		if former == nil {
			continue
		}
		own := p
		own.to.CA, own.to.Own = former, pki.KeyPair{}
		trials = append(trials, trial{peer: own, untrusted: true,
			what: p.to.Name + " with the former authority"})
		if asks(p.to) && !shown.IsZero() {
			p.to.Own = shown
			trials = append(trials, trial{peer: p, refused: true, most: tls.VersionTLS12,
				what: p.to.Name + " with a certificate of the former authority"})
		}
	}
	return w.tried(ctx, trials)
}

// issued is a certificate of an authority of the state directory, for a trial. It is kept nowhere.
func (w *work) issued(authority, file string) (pki.KeyPair, error) {
	if _, there := w.state.File(vault.CAFile(file, ".crt")); !there {
		file = authority // the new one is in force by now
	}
	ca, err := w.state.Authority(file, vault.CAName(w.Spec, authority))
	if err != nil {
		return pki.KeyPair{}, err
	}
	leaf, err := ca.Issue(pki.Request{CommonName: "pgha-trial", Usage: pki.ClientUsage,
		Lifetime: trialLifetime})
	if err != nil {
		return pki.KeyPair{}, err
	}
	return leaf.KeyPair(), nil
}
