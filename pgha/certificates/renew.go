package certificates

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// RenewOptions say which certificates are issued again.
type RenewOptions struct {
	engine.Operation
	// All replaces every certificate. Otherwise those are that have less than a third of their
	// lifetime left, or are not what the specification asks for.
	All bool
	// Hosts, by their own or their members' names, limit it to certificates of these. Default: all
	// hosts, and the operator's own certificates.
	Hosts []string
}

// Renewed is a certificate that is new.
type Renewed struct {
	// Host is "" for the operator's own.
	Host      string    `json:"host,omitempty"`
	Name      string    `json:"name"`
	Authority string    `json:"authority"`
	NotAfter  time.Time `json:"not_after"`
}

// RenewResult is what Renew did.
type RenewResult struct {
	// Renewed are the certificates that are new. One that only had to be brought to its host again
	// is not among them.
	Renewed []Renewed `json:"renewed"`
	// Checked counts the servers that were asked in the end what they show.
	Checked int `json:"checked"`
	// Unreached are hosts without a connection: what they have stays as it is.
	Unreached []string        `json:"unreached,omitempty"`
	Elapsed   patroni.Elapsed `json:"seconds"`
}

// ErrUnreached: hosts could not be reached, and their certificates were not renewed.
var ErrUnreached = errs.New(errs.Unavailable, "hosts could not be reached, and keep the "+
	"certificates that they have")

// Renew issues certificates anew, gives them to the hosts and has the components take them: nothing
// is restarted, and no session is cut. etcd reads certificates for each handshake; Patroni is told
// to reload, one member after the other, the leader last, and tells PostgreSQL; poolers and
// pgBackRest are told to. In the end each server is asked what it shows.
//
// A host without a connection is left as it is, and the others get theirs; the error matches
// ErrUnreached then, if one of its certificates was due. Refused (errs.ErrRefused) is it while a
// change is half done, or with a state directory that is not the cluster's newest. Safe to repeat:
// a second run finds nothing due, and a run that was cut off is finished by the next one, or by
// Apply.
func (c Certificates) Renew(ctx context.Context, opts RenewOptions) (RenewResult, error) {
	start := time.Now()
	result := RenewResult{Renewed: []Renewed{}}
	if !opts.DryRun {
		if err := c.site.Writable(); err != nil {
			return result, err
		}
	}
	chosen, err := c.site.Chosen(opts.Hosts)
	if err != nil {
		return result, err
	}
	if err := c.judge(ctx); err != nil {
		return result, err
	}
	err = engine.Operate(ctx, c.site, "renew certificates", opts.Operation, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			w := &renewal{Job: run, opts: opts, chosen: chosen, result: &result}
			return w.run(ctx)
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// judge refuses to work with a state directory that is not the cluster's newest.
func (c Certificates) judge(ctx context.Context) error {
	notes, err := c.site.AskStateNotes(ctx)
	if err == nil {
		err = c.site.JudgeState(notes)
	}
	return err
}

// renewal is one run of Renew.
type renewal struct {
	*job.Job
	opts   RenewOptions
	chosen []spec.Host
	result *RenewResult
	// stored are the credentials of the state directory as it was.
	stored *vault.Credentials
}

// away are the hosts that keep what they have: those that are not asked for, and those that cannot
// be reached.
func (w *renewal) away() []spec.Host {
	return slices.DeleteFunc(slices.Clone(w.Spec.Hosts), func(h spec.Host) bool {
		_, err := w.Site.Target(h.Name)
		return err == nil && site.Among(w.chosen, h.Name)
	})
}

// choose says what becomes of a certificate.
func (w *renewal) choose(away []spec.Host) func(certs.Certificate) vault.Choice {
	stays := map[string]bool{}
	for _, h := range away {
		for _, of := range certs.OfHost(w.Spec, h) {
			stays[of.Stored] = true
		}
	}
	own := len(w.opts.Hosts) == 0
	return func(of certs.Certificate) vault.Choice {
		switch {
		case stays[of.Stored], of.Component == "" && !own:
			return vault.Stay
		case w.opts.All:
			return vault.Anew
		}
		return vault.AsDue
	}
}

func (w *renewal) run(ctx context.Context) error {
	if half, unknown := status.Change(ctx, w.Site); unknown == nil && half != nil {
		return status.HalfDone(*half)
	}
	if half := w.State.Rotating(); len(half) > 0 {
		return errs.WithNext(fmt.Errorf("%w: the replacement of an authority is not finished: %s",
			errs.ErrRefused, strings.Join(half, ", ")), finish(half))
	}
	away := w.away()
	if err := w.plan(ctx, away); err != nil {
		return err
	}
	w.warnShort()
	left := w.unreached()
	if w.Planning() {
		w.report()
		return left
	}
	if len(w.result.Renewed) > 0 {
		if err := w.issue(ctx, away); err != nil {
			return err
		}
	}
	on := *w.Job
	on.Site, on.Lenient = w.Site.LeavingOut(away), false
	if err := deploy(ctx, &on, every()); err != nil {
		return err
	}
	w.Progress("asking every server for its certificate")
	var err error
	w.result.Checked, err = onTheWire(ctx, &on, every())
	return errors.Join(err, left)
}

// plan finds what will be new, without writing anything.
func (w *renewal) plan(ctx context.Context, away []spec.Host) error {
	s := &vault.State{Dir: w.State.Dir, Box: w.State.Box, Choose: w.choose(away)}
	after, err := vault.LoadCredentials(ctx, s, w.Spec)
	if err != nil {
		return err
	}
	stored := &vault.State{Dir: w.State.Dir, Box: w.State.Box, ReadOnly: true}
	before, err := vault.LoadCredentials(ctx, stored, w.Spec)
	if err != nil {
		return err
	}
	w.stored = before
	w.result.Renewed = append(w.result.Renewed, renewed(w.Spec, before, after)...)
	return nil
}

// renewed are the certificates that differ.
func renewed(sp *spec.Spec, before, after *vault.Credentials) []Renewed {
	var list []Renewed
	add := func(host string, of layout.Certificate, was, is pki.KeyPair) {
		if string(was.Cert) == string(is.Cert) {
			return
		}
		r := Renewed{Host: host, Name: of.Label(), Authority: name(of.Authority)}
		if info, err := pki.Inspect(is.Cert); err == nil {
			r.NotAfter = info.NotAfter
		}
		list = append(list, r)
	}
	for _, of := range certs.OfOperator(sp) {
		was, is := before.EtcdOperator, after.EtcdOperator
		if of.Authority == layout.PatroniAuthority {
			was, is = before.PatroniOperator, after.PatroniOperator
		}
		add("", of.Certificate, was, is)
	}
	for _, h := range sp.CertifiedHosts() {
		for _, of := range certs.OfHost(sp, h) {
			add(h.Name, of.Certificate, before.Hosts[h.Name][of.Name], after.Hosts[h.Name][of.Name])
		}
	}
	return list
}

// warnShort says which authorities cut certificates short, as these end with them.
func (w *renewal) warnShort() {
	for _, a := range every() {
		first, err := pki.FirstEnd(w.Credentials().Chain(a))
		wanted := time.Now().Add(vault.LeafOf(w.Spec, a).Lifetime)
		if err != nil || !first.NotAfter.Before(wanted) || !slices.ContainsFunc(w.result.Renewed,
			func(r Renewed) bool { return r.Authority == name(a) }) {
			continue
		}
		w.WarnNext("", errs.Text("certificates of %s end with its authority on %s, before their time: "+
			"%s replaces that", name(a), first.NotAfter.Format(time.DateOnly),
			errs.Verb("certificates", "rotate-ca", name(a))))
	}
}

// unreached is an error if a host that is asked for cannot be reached, and has something due.
func (w *renewal) unreached() error {
	all := &vault.State{Dir: w.State.Dir, Box: w.State.Box}
	var due []string
	for _, h := range w.chosen {
		if _, err := w.Site.Target(h.Name); err == nil {
			continue
		}
		w.result.Unreached = append(w.result.Unreached, h.Name)
		for _, of := range certs.OfHost(w.Spec, h) {
			text, _ := all.File("certs/" + of.Stored + ".crt")
			if w.opts.All || of.Judge(w.Credentials().Authority(of.Authority), text, true,
				time.Now()) != nil {
				due = append(due, h.Name)
				break
			}
		}
	}
	if len(due) == 0 {
		return nil
	}
	return errs.WithNext(fmt.Errorf("%w: %s", ErrUnreached, strings.Join(due, ", ")),
		errs.Text("bring them back, then %s or %s", errs.Verb("certificates", "renew"),
			errs.Verb("apply")))
}

// report tells what would be new.
func (w *renewal) report() {
	for _, r := range w.result.Renewed {
		host := r.Host
		if host == "" {
			host = "operator"
		}
		w.Out.Emit(event.Event{Kind: event.Changed, Phase: w.Phase, Host: host,
			Change: &remote.Change{Host: host, Kind: "certificate", Name: r.Name, Planned: true,
				Action: "renewed, until " + r.NotAfter.Format(time.DateOnly)}})
	}
}

// issue writes the new certificates into the state directory, and holds them.
func (w *renewal) issue(ctx context.Context, away []spec.Host) (err error) {
	s, end, err := settled(w.Site)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := w.GrowState(ctx, s); err != nil {
		return err
	}
	s.Choose = w.choose(away)
	cr, err := vault.LoadCredentials(ctx, s, w.Spec)
	s.Choose = nil
	if err != nil {
		return err
	}
	w.result.Renewed = renewed(w.Spec, w.stored, cr)
	w.Hold(cr)
	return w.GrowState(ctx, s)
}
