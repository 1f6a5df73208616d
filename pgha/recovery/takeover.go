package recovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/remote"
)

// TakeOverOptions say how TakeOver works. There is nothing to choose.
type TakeOverOptions struct{ engine.Operation }

// TakeOverResult is what TakeOver did.
type TakeOverResult struct {
	// StateDir is the new state directory.
	StateDir string `json:"state_dir"`
	// NewPasswords are the roles whose password is a new one, because no host has the old one.
	NewPasswords []string `json:"new_passwords"`
	// Elapsed is the whole time.
	Elapsed patroni.Elapsed `json:"seconds"`
}

// TakeOver makes a new state directory for a cluster whose own is lost: with new authorities, new
// certificates, and the passwords that the hosts have. The superuser's is on no host, so it is a
// new one unless the spec says where it comes from. PostgreSQL's data and roles stay, no PostgreSQL
// is restarted, and no session is cut.
//
// The authorities' keys are lost with the directory. So hosts are made to trust new ones beside
// those that they trust, get certificates of the new ones, and at last trust the new ones alone,
// each step finished on every host before the next. For this etcd is restarted twice, one member at
// a time; Patroni, PostgreSQL and HAProxy reload. Applications that verify PostgreSQL's certificate
// need the new authority, postgres-ca.crt in the state directory, from the third step on: nobody
// can issue another certificate of the old one.
//
// It refuses (ErrRefused) before anything is changed when the state directory is there after all,
// when a host is out of reach or lacks a file, when a member is not healthy, or when preflight
// refuses. As apply does it also brings hosts to the specification. Interrupted anywhere it is
// finished by calling it again; until then Apply refuses. A copy of the lost directory that turns
// up later is refused as an older one.
//
// The connection must have been made without Existing, and with Stale: a copy that can be opened is
// refused, as there is nothing to take over then.
func TakeOver(ctx context.Context, c *site.Site, opts TakeOverOptions) (TakeOverResult, error) {
	start := time.Now()
	result := TakeOverResult{StateDir: c.State.Dir, NewPasswords: []string{}}
	if !opts.DryRun {
		if err := c.Writable(); err != nil {
			return result, err
		}
	}
	t := takeover{site: c}
	if err := t.prepare(ctx); err != nil {
		return result, err
	}
	if opts.DryRun { // nobody else must meet the credentials of a dry run
		t.site = c.Apart(c.Spec, c.Credentials())
	}
	t.site.TakesOver = true
	t.site.Hold(t.former)
	err := engine.Operate(ctx, t.site, "recover state", opts.Operation, job.LockHosts, t.run)
	if err == nil {
		result.NewPasswords = append(result.NewPasswords, t.generated...)
		result.Elapsed = patroni.Elapsed(time.Since(start))
	}
	return result, err
}

// takeover is one run of TakeOver.
type takeover struct {
	site *site.Site
	// former are the credentials that work now: certificates as hosts have them, and all
	// authorities trusted. next are those of the new state directory.
	former, next *vault.Credentials
	identity     lineage.State
	generated    []string // roles with a new password
}

// prepare finds what hosts have and drafts the state directory. It changes nothing.
func (t *takeover) prepare(ctx context.Context) error {
	s := t.site.State
	if err := t.refuseState(); err != nil {
		return err
	}
	for _, h := range t.site.Spec.Hosts {
		if err, lost := t.site.Unreachable[h.Name]; lost {
			return remote.WithHint(fmt.Errorf("%w: its host would be left with the lost "+
				"authorities: %w", errs.ErrRefused, err),
				"bring the host back, or take it out of the specification")
		}
	}
	if host := site.Openable(ctx, t.site); host != "" && !s.TakingOver() {
		return errs.WithNext(fmt.Errorf("%w: the state is not lost: %s has a copy that your identity "+
			"opens", errs.ErrRefused, host), errs.Text("%s fetches it", errs.Verb("state", "pull")))
	}
	f, err := findCredentials(ctx, t.site)
	if err != nil {
		return err
	}
	for _, h := range t.site.Spec.MemberHosts() {
		if path, lacks := f.absent[h.Name]; lacks {
			return errs.WithNext(fmt.Errorf("%w: %s has no %s, so it is no member of a cluster "+
				"that can be taken over", errs.ErrRefused, h.Name, path),
				errs.Text("where no host has a cluster run %s", errs.Verb("apply")))
		}
	}
	if f.note.Cluster != "" && f.note.Cluster != t.site.Spec.Cluster {
		return fmt.Errorf("%w: the hosts belong to cluster %s, not to %s", errs.ErrRefused,
			f.note.Cluster, t.site.Spec.Cluster)
	}
	if t.identity, err = s.Identity(); err != nil {
		return err
	}
	if !t.identity.Known() {
		t.identity = lineage.State{ID: f.note.ID, Generation: f.note.Generation}
	}
	t.next = t.site.Credentials().Copied()
	if err := t.keepPasswords(f); err != nil {
		return err
	}
	return t.keepAuthorities(f)
}

// refuseState wants a state directory that is not there, or one that an earlier run has begun.
func (t *takeover) refuseState() error {
	s := t.site.State
	if s.TakingOver() {
		return nil
	}
	for _, authority := range vault.Authorities() {
		if !slices.Contains(s.Made, vault.CAFile(authority, ".crt")) {
			return errs.WithNext(fmt.Errorf("%w: the state directory is there: %s has %s",
				errs.ErrRefused, s.Dir, vault.CAFile(authority, ".crt")),
				errs.Text("%s says what is wrong with the cluster, %s replaces secrets; if the "+
					"directory lacks a part and no backup has it, move it aside and run this again",
					errs.Verb("doctor"), errs.Verb("secrets", "rotate")))
		}
	}
	return nil
}

// run replaces the authorities of the whole cluster, with the lock held.
func (t *takeover) run(ctx context.Context, r *job.Job) error {
	if err := t.refuseCluster(ctx, r); err != nil {
		return err
	}
	if r.Planning() {
		planned := t.trusting(t.next)
		planned.EtcdOperator, planned.PatroniOperator = t.former.EtcdOperator,
			t.former.PatroniOperator
		r.Hold(planned)
		return errs.Join(t.setPasswords(ctx, r), deploy(ctx, r))
	}
	var err error
	if t.identity, err = r.State.Grow(r.Spec, t.identity); err != nil {
		return err
	}
	if err := r.State.Begin(r.Spec); err != nil {
		return err
	}
	if err := engine.Share(ctx, r, r.State); err != nil {
		return t.unfinished(err)
	}
	r.TellGeneration(ctx, t.identity, nil)
	if err := t.setPasswords(ctx, r); err != nil {
		return t.unfinished(err)
	}
	if err := t.replace(ctx, r); err != nil {
		return t.unfinished(err)
	}
	if err := provision.ReadyPhase(ctx, r); err != nil {
		return t.unfinished(err)
	}
	return errs.Join(r.State.ForgetFormer(), r.GrowState(ctx, r.State))
}

func (t *takeover) unfinished(err error) error {
	return errs.WithNext(err,
		errs.Text("%s again finishes it", errs.Verb("recover", "state")))
}

// refuseCluster looks at the members, the balancers and the hosts.
func (t *takeover) refuseCluster(ctx context.Context, r *job.Job) error {
	report, err := inspect.Preflight(ctx, r.Site, inspect.PreflightOptions{})
	if err != nil {
		return err
	}
	if err := report.Err(); err != nil {
		return err
	}
	po, err := engine.PatroniOptions(r)
	if err != nil {
		return err
	}
	state, err := patroni.NewClient(po).Cluster(ctx)
	if err != nil {
		return err
	}
	for _, m := range po.Members {
		if !state.Healthy(m.Name) {
			return remote.WithHint(fmt.Errorf("%w: member %s is not healthy", errs.ErrRefused,
				m.Name), "see `patronictl list` and `journalctl -u patroni -n 50` on "+
				m.Target.Name)
		}
	}
	return engine.RefuseSilentBalancers(ctx, r)
}

// setPasswords gives the roles the passwords of the new state directory.
func (t *takeover) setPasswords(ctx context.Context, r *job.Job) error {
	po, err := engine.PatroniOptions(r)
	if err == nil {
		err = patroni.SetPasswords(ctx, po)
	}
	if err != nil || r.Planning() {
		return err
	}
	logins := []vault.Login{{Role: r.Spec.PostgreSQL.Superuser, Password: t.next.Superuser}}
	if err := r.State.KeepPassFile(logins); err != nil {
		return err
	}
	err = r.WithSQL(ctx, r.WriteRoute(), func(conn *pgx.Conn) error { return conn.Ping(ctx) })
	if err != nil {
		return fmt.Errorf("the superuser cannot log in with its new password: %w", err)
	}
	return nil
}
