package certificates

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/hosts"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/status"
)

// verbRotate is the verb of records.
const verbRotate = "certificates rotate-ca"

// RotateOptions say which authorities are replaced.
type RotateOptions struct {
	engine.Operation
	// Authorities by the names that operators use: etcd, postgres, rest and backup. No default.
	Authorities []string
	// Pause ends the run once all hosts trust both authorities, so that applications get the file
	// with both before PostgreSQL shows certificates of the new one. Continue finishes it.
	Pause bool
	// Without names hosts that are left as they are, because they are down: they trust the former
	// authorities alone in the end, until the next Apply brings them in. Connect with
	// AllowUnreachable.
	Without []string
	// Own replaces an authority of a company by one of the tool's own, which is refused otherwise
	// unless one was imported; what was imported is not brought in then.
	Own bool
}

// RotateResult is what a replacement, or its undoing, did.
type RotateResult struct {
	// Verb and Subject are those of the record: "certificates rotate-ca", "etcd, postgres".
	Verb    string `json:"verb"`
	Subject string `json:"subject"`
	// Paused: both authorities are trusted, and the change waits to be continued or taken back.
	Paused bool `json:"paused,omitempty"`
	Undone bool `json:"undone,omitempty"`
	// Steps are all that it has, and Reached is how many are done.
	Steps   []procedure.Outline `json:"steps"`
	Reached int                 `json:"reached"`
	// Handshakes counts those by which the steps of this run were checked.
	Handshakes int `json:"handshakes"`
	// Imported are the authorities, by the names that operators use, that are brought in because
	// they were imported; the others are made by the tool.
	Imported []string `json:"imported,omitempty"`
	// LeftOut are the hosts that the next Apply brings in.
	LeftOut []string        `json:"left_out,omitempty"`
	Elapsed patroni.Elapsed `json:"seconds"`
}

// Of is the result in the words of all changes of many steps.
func (r RotateResult) Of() hosts.Result {
	return hosts.Result{Verb: r.Verb, Subject: r.Subject, Steps: r.Steps, Undone: r.Undone,
		Elapsed: r.Elapsed}
}

// order is all that a later run needs to go on.
type order struct {
	// Former has the fingerprints of the authorities that are replaced, by their names in the
	// layout.
	Former map[string]string `json:"former"`
	// Imported has the fingerprints of those that take their place and were imported.
	Imported map[string]string `json:"imported,omitempty"`
	// Without are the hosts that are left out.
	Without []string `json:"without,omitempty"`
}

// imported are the names of those.
func (o order) imported() []string {
	var names []string
	for _, a := range o.authorities() {
		if o.Imported[a] != "" {
			names = append(names, name(a))
		}
	}
	return names
}

// authorities are those that are replaced, in the order of every.
func (o order) authorities() []string {
	return slices.DeleteFunc(every(), func(a string) bool { _, is := o.Former[a]; return !is })
}

// subject names them for people.
func (o order) subject() string {
	var names []string
	for _, a := range o.authorities() {
		names = append(names, name(a))
	}
	return strings.Join(names, ", ")
}

// RotateCA replaces authorities and every certificate that they have issued, by those that were
// imported (Import) or by new ones of the tool's own, in three recorded steps, each finished on all
// hosts before the next: both authorities are trusted, certificates of the new one are shown, the
// new one alone is trusted. After each step every host that dials a server tries it: with the new
// authority alone from the second step on, and in the end with the former one alone, and with a
// certificate of it, which must fail.
//
// No PostgreSQL is restarted, nobody's leadership moves but that of etcd, and no session is cut.
// etcd reads what it trusts at its start alone, so where its authority is replaced its members are
// restarted twice, one at a time, the leader last and after it has handed over. Clients that verify
// PostgreSQL's certificate need the file with both authorities, postgres-ca.crt of the state
// directory, before the second step: see RotateOptions.Pause.
//
// Before anything is changed the error matches errs.ErrRefused for a host that is down and not left
// out, a member or balancer that is not well, hosts that differ from the state directory, another
// change that is half done, a state directory that is not the cluster's newest, and an authority of
// a company, or one that was requested, without an imported one or RotateOptions.Own. An error
// after that, or a crash, leaves a record: Continue goes on, and until the last step begins Undo
// takes it back. That step deletes the key of the former authority, from which on there is no way
// back.
func (c Certificates) RotateCA(ctx context.Context, opts RotateOptions) (RotateResult, error) {
	o := order{Former: map[string]string{}, Imported: map[string]string{}, Without: opts.Without}
	for _, called := range opts.Authorities {
		authority, ok := layout.AuthorityNamed(called)
		switch {
		case !ok:
			return RotateResult{}, errs.WithNext(fmt.Errorf("%w: there is no authority %q",
				patroni.ErrInvalid, called), errs.Text("there are %s",
				strings.Join(layout.AuthorityNames(), ", ")))
		case authority == layout.BackupAuthority && c.site.Spec.Backup == nil:
			return RotateResult{}, errs.WithNext(fmt.Errorf("%w: the specification has no backups, "+
				"so there is no authority for them", errs.ErrRefused),
				errs.Text("leave backup out, or write all, which takes those that there are"))
		}
		former, err := c.former(authority)
		if err != nil {
			return RotateResult{}, err
		}
		o.Former[authority] = former
		if o.Imported[authority], err = c.next(authority, opts.Own); err != nil {
			return RotateResult{}, err
		}
	}
	if len(o.Former) == 0 {
		return RotateResult{}, fmt.Errorf("%w: no authority is named", patroni.ErrInvalid)
	}
	if err := c.site.Writable(); err != nil && !opts.DryRun {
		return RotateResult{}, err
	}
	if err := c.judge(ctx); err != nil {
		return RotateResult{}, err
	}
	r := procedure.Record{Verb: verbRotate, Subject: o.subject(), Since: time.Now().UTC()}
	return c.carryOut(ctx, o, r, opts)
}

// AllAuthorities are the names of all authorities that the cluster has, for RotateOptions.
func (c Certificates) AllAuthorities() []string {
	return slices.DeleteFunc(layout.AuthorityNames(), func(name string) bool {
		return name == layout.BackupAuthority && c.site.Spec.Backup == nil
	})
}

// former is the fingerprint of the authority that is to be replaced. Where a replacement was begun
// without a record, as before there were any, it is that of the one of before.
func (c Certificates) former(authority string) (string, error) {
	if c.site.State.Replacement(authority).Progress().Old {
		return c.site.State.Replacement(authority).Former()
	}
	return c.site.State.Replacement(authority).Issuing()
}

// Is tells whether a record is of an authority's replacement, which Continue and Undo of this
// package go on with.
func Is(r procedure.Record) bool { return r.Verb == verbRotate }

// Continue finishes a replacement, or its undoing, from the step on that was not finished.
func (c Certificates) Continue(ctx context.Context, r procedure.Record,
	op engine.Operation) (RotateResult, error) {
	var o order
	if err := readOrder(r, &o); err != nil {
		return RotateResult{}, err
	}
	return c.carryOut(ctx, o, r, RotateOptions{Operation: op, Without: o.Without})
}

// Undo takes a replacement that is half done back: certificates of the former authorities are shown
// again, and they alone are trusted. Refused (errs.ErrRefused) is it once the last step has begun.
// The undoing of one cannot be taken back: it is finished.
func (c Certificates) Undo(ctx context.Context, r procedure.Record,
	op engine.Operation) (RotateResult, error) {
	if r.Undoing {
		return c.Continue(ctx, r, op)
	}
	var o order
	if err := readOrder(r, &o); err != nil {
		return RotateResult{}, err
	}
	for authority, former := range o.Former {
		now, err := c.site.State.Replacement(authority).Issuing()
		if err != nil {
			return RotateResult{}, err
		}
		if r := c.site.State.Replacement(authority).Progress(); now != former && !r.Reversible {
			return RotateResult{}, errs.WithNext(fmt.Errorf("%w: %s", vault.ErrNoWayBack,
				name(authority)), errs.Text("it can only be finished: %s",
				errs.Verb("change", "continue")))
		}
	}
	r.Undoing, r.Reached, r.Steps = true, 0, nil
	return c.carryOut(ctx, o, r, RotateOptions{Operation: op, Without: o.Without})
}

func readOrder(r procedure.Record, o *order) error {
	if err := json.Unmarshal(r.Order, o); err != nil {
		return fmt.Errorf("read the record of %s %s: %w", r.Verb, r.Subject, err)
	}
	return nil
}

// carryOut does what is left of a record, under the lock of the cluster.
func (c Certificates) carryOut(ctx context.Context, o order, r procedure.Record,
	opts RotateOptions) (result RotateResult, err error) {
	start := time.Now()
	result = RotateResult{Verb: r.Verb, Subject: r.Subject, Undone: r.Undoing,
		LeftOut: opts.Without, Imported: o.imported(), Steps: []procedure.Outline{}}
	if !opts.DryRun {
		if err := c.site.Writable(); err != nil {
			return result, err
		}
	}
	left, err := provision.LeavingOut(ctx, c.site, opts.Without)
	if err != nil {
		return result, errs.WithKind(err, errs.Refused)
	}
	err = engine.Operate(ctx, left, r.Verb, opts.Operation, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			run.Lenient = false // a host without a connection is left out, or was refused
			w := &work{Job: run, order: o, pause: opts.Pause && !r.Undoing}
			defer func() { result.Handshakes, result.Reached = w.handshakes, r.Reached }()
			err := w.carryOut(ctx, &r)
			result.Steps, result.Paused = r.Steps, w.paused
			return err
		})
	if !opts.DryRun {
		c.site.Hold(left.Credentials())
	}
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// refuseRestarts refuses to leave hosts of etcd out where the others have no quorum while one of
// them restarts.
func (w *work) refuseRestarts() error {
	all := w.Spec.EtcdHosts()
	there := site.Without(all, w.LeftOut())
	if len(there) == len(all) || len(there)-1 >= len(all)/2+1 ||
		!slices.Contains(w.authorities(), layout.EtcdAuthority) {
		return nil
	}
	away := strings.Join(site.HostNames(site.Without(all, there)), ", ")
	return errs.WithNext(fmt.Errorf("%w: etcd's members restart where its authority is replaced, and "+
		"without %s the others have no quorum meanwhile: writes would stop", errs.ErrRefused, away),
		errs.Text("replace the other authorities now, and that of etcd when %s is back", away))
}

// refuse says why it must not begin now.
func (w *work) refuse(ctx context.Context) error {
	if err := w.refuseRestarts(); err != nil {
		return err
	}
	if former, err := status.Former(ctx, w.Site); err == nil && len(former) > 0 {
		return status.LeftBehind(former)
	}
	s, err := status.Look(ctx, w.Site)
	if err != nil {
		return err
	}
	var reasons []string
	for _, h := range site.Without(w.Spec.Databases(), w.LeftOut()) {
		i := slices.IndexFunc(s.Members, func(m status.MemberStatus) bool {
			return m.Name == h.Member && m.Healthy
		})
		if i < 0 {
			reasons = append(reasons, "member "+h.Member+" is not healthy")
		}
	}
	for _, h := range site.Without(w.Spec.EtcdHosts(), w.LeftOut()) {
		i := slices.IndexFunc(s.Etcd, func(m status.EtcdStatus) bool {
			return m.Name == h.Member && m.Healthy
		})
		if i < 0 {
			reasons = append(reasons, "etcd on "+h.Name+" is not healthy")
		}
	}
	for _, b := range s.Balancers {
		if b.Error != "" && !site.Among(w.LeftOut(), b.Host) {
			reasons = append(reasons, "HAProxy on "+b.Host+" does not answer: "+b.Error)
		}
	}
	if len(reasons) > 0 {
		return errs.WithNext(fmt.Errorf("%w: %w", errs.ErrRefused, errs.Reasons(reasons)),
			errs.Text("nothing was changed; %s and %s show how the cluster is",
				errs.Verb("status"), errs.Verb("doctor")))
	}
	return w.refuseDifferent(ctx)
}

// refuseDifferent refuses while hosts differ from the state directory in what the steps write:
// these are about the authorities alone.
func (w *work) refuseDifferent(ctx context.Context) error {
	rehearsed := w.Rehearsed()
	rehearsed.Lenient = false
	if err := deploy(ctx, rehearsed, w.authorities()); err != nil {
		return errs.WithKind(err, errs.Refused)
	}
	var reasons []string
	for _, ch := range rehearsed.Out.Changed() {
		reasons = append(reasons, ch.Host+": "+ch.String())
	}
	if len(reasons) == 0 {
		return nil
	}
	return errs.WithNext(fmt.Errorf("%w: hosts differ from what this state directory and the "+
		"specification say: %w", errs.ErrRefused, errs.Reasons(reasons)),
		errs.Text("%s brings them in line", errs.Verb("apply")))
}

// errLost: the state directory does not know the authority that hosts were given.
var errLost = errors.New("this state directory lacks the new authority, which hosts have by now")
