package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
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
// The connection must have been made without Existing.
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
	f, err := findCredentials(ctx, t.site)
	if err != nil {
		return err
	}
	for _, h := range t.site.Spec.Databases() {
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

// keepPasswords drafts the passwords that hosts have in place of those that were generated for a
// new cluster.
func (t *takeover) keepPasswords(f found) error {
	s, pg := t.site.State, t.site.Spec.PostgreSQL
	for _, role := range []struct {
		name, user string
		into       *pki.Secret
	}{
		{vault.RoleReplication, pg.ReplicationUser, &t.next.Replication},
		{vault.RoleRewind, pg.RewindUser, &t.next.Rewinder},
	} {
		password, there := f.roles[role.user]
		if !there {
			return fmt.Errorf("%w: no host has the password of %s in %s", errs.ErrRefused,
				role.user, layout.PasswordFile)
		}
		if _, generated := s.File(vault.SecretFile(role.name, "")); !generated {
			if !password.Equal(*role.into) {
				return remote.WithHint(fmt.Errorf("%w: the spec gives another password of %s "+
					"than the hosts have", errs.ErrRefused, role.user),
					"give the one that is in force, and rotate it afterwards")
			}
			continue
		}
		verifier, err := patroni.NewVerifier(password)
		if err == nil {
			err = s.Keep(vault.SecretFile(role.name, ""), password.Reveal())
		}
		if err == nil {
			err = s.Write(vault.SecretFile(role.name, ".verifier"), verifier.Reveal())
		}
		if err != nil {
			return fmt.Errorf("keep the %s password: %w", role.name, err)
		}
		*role.into, t.next.Verifiers[role.name] = password, verifier
	}
	if _, generated := s.File(vault.SecretFile(vault.RoleSuperuser, "")); generated {
		t.generated = append(t.generated, pg.Superuser)
	}
	return nil
}

// keepAuthorities drafts what hosts trust, and makes of it the credentials that work now.
func (t *takeover) keepAuthorities(f found) error {
	s := t.site.State
	t.former = t.next.Copied()
	t.former.Hosts = f.hosts
	for _, of := range []struct {
		authority, leaf string
		trust           *[]byte
		operator        *pki.KeyPair
	}{
		{layout.EtcdAuthority, layout.EtcdClient, &t.former.EtcdCA, &t.former.EtcdOperator},
		{layout.PatroniAuthority, layout.RESTClient, &t.former.PatroniCA,
			&t.former.PatroniOperator},
		{layout.PostgresAuthority, layout.Postgres, &t.former.PostgresCA, new(pki.KeyPair)},
	} {
		former, kept := s.Former(of.authority)
		if !kept {
			former = f.trust[of.authority]
			if err := s.KeepFormer(of.authority, former); err != nil {
				return err
			}
		}
		*of.operator = f.leaf(t.site, of.leaf, former)
		var err error
		if *of.trust, err = pki.Bundle(former, *of.trust); err != nil {
			return err
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
	if len(r.Spec.Balancers()) == 0 {
		return nil
	}
	lo, err := engine.BalancerOptions(r)
	if err != nil {
		return err
	}
	balancers, err := lb.State(ctx, lo)
	for _, b := range balancers {
		err = errors.Join(err, b.Err)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errs.ErrRefused, err)
	}
	return nil
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
	if err := r.State.KeepPassFile(r.Spec.PostgreSQL.Superuser, t.next.Superuser); err != nil {
		return err
	}
	err = r.WithSQL(ctx, r.WriteRoute(), func(conn *pgx.Conn) error { return conn.Ping(ctx) })
	if err != nil {
		return fmt.Errorf("the superuser cannot log in with its new password: %w", err)
	}
	return nil
}

// replace goes from the former authorities to the new ones. Patroni reads its authorities again
// only together with a new server certificate (4.1), so those of the REST API are replaced in a
// step of their own, while the members still show each other the certificates that all trust, and
// once more at the end.
func (t *takeover) replace(ctx context.Context, r *job.Job) error {
	interim, err := t.interim()
	if err != nil {
		return err
	}
	servers := t.former.Copied()
	for host, held := range interim {
		servers.Hosts[host] = with(servers.Hosts[host], layout.RESTServer, held[layout.RESTServer])
	}
	leaves := t.trusting(t.next)
	for host, held := range interim {
		leaves.Hosts[host] = with(leaves.Hosts[host], layout.RESTServer, held[layout.RESTServer])
	}
	for _, step := range []struct {
		what string
		held *vault.Credentials
		do   func(context.Context, *job.Job) error
	}{
		{"step 1 of 4: the new authorities are trusted, too", t.former, deploy},
		{"step 2 of 4: the REST API has certificates of the new authority", servers, setREST},
		{"step 3 of 4: all have certificates of the new authorities", leaves, deploy},
		{"step 4 of 4: the former authorities are trusted no more", t.next, deploy},
	} {
		r.Progress(step.what)
		r.Hold(step.held)
		if err := step.do(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// interim are certificates of the REST API's new authority that are used between two others.
func (t *takeover) interim() (map[string]vault.HostCertificates, error) {
	s := t.site.State
	ca, err := s.Authority(layout.PatroniAuthority,
		vault.CAName(t.site.Spec, layout.PatroniAuthority), vault.CaOptions(t.site.Spec)...)
	if err != nil {
		return nil, err
	}
	issued := t.next.Copied()
	err = issued.Certify(t.site.Spec, layout.PatroniAuthority,
		func(of certs.Certificate) (pki.KeyPair, error) {
			leaf, err := ca.Issue(of.Request)
			if err != nil {
				return pki.KeyPair{}, fmt.Errorf("issue certificate %s: %w", of.Stored, err)
			}
			return leaf.KeyPair(), nil
		})
	return issued.Hosts, err
}

func with(held vault.HostCertificates, name string, pair pki.KeyPair) vault.HostCertificates {
	changed := maps.Clone(held)
	changed[name] = pair
	return changed
}

// trusting returns credentials with which both the former and the new authorities are trusted.
func (t *takeover) trusting(cr *vault.Credentials) *vault.Credentials {
	both := cr.Copied()
	both.EtcdCA, both.PatroniCA, both.PostgresCA = t.former.EtcdCA, t.former.PatroniCA,
		t.former.PostgresCA
	return both
}

// deploy gives all hosts the credentials that the run holds.
func deploy(ctx context.Context, r *job.Job) error {
	if err := provision.EtcdPhase(ctx, r); err != nil {
		return err
	}
	if err := provision.PatroniPhase(ctx, r); err != nil {
		return err
	}
	if len(r.Spec.Balancers()) == 0 {
		return nil
	}
	lo, err := engine.BalancerOptions(r)
	if err != nil {
		return err
	}
	return lb.Trust(ctx, lo)
}

// setREST gives the members the certificates of the REST API that the run holds.
func setREST(ctx context.Context, r *job.Job) error {
	po, err := engine.PatroniOptions(r)
	if err != nil {
		return err
	}
	return patroni.SetRESTCertificates(ctx, po)
}
