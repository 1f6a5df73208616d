package secrets

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// RotateOptions say which secrets are replaced.
type RotateOptions struct {
	engine.Operation
	// Which are the passwords of the roles superuser, replication and rewind, and rest: the
	// authority of Patroni's REST API with all certificates from it; pooler: the password of the
	// role by which poolers look passwords up, where there are any; and roles of the specification,
	// by their names. Default: all but the last.
	Which []string
}

// RotateResult is what RotateSecrets did.
type RotateResult struct {
	// Rotated are those of RotateOptions.Which that are new now.
	Rotated []string        `json:"rotated"`
	Took    patroni.Elapsed `json:"took_seconds"`
}

// RotateSecrets gives roles new passwords while the cluster works: generated ones, or what the file
// or the command of the spec gives now, which must have changed. Applications that log in as the
// superuser need its new password from then on. It replaces the authority of Patroni's REST API,
// too, so that no old client key opens it any more.
//
// The new password is kept in the state directory before the cluster is given it, then PostgreSQL
// gets its verifier, then every database host its file, and at last it becomes the one in force.
// A role of the specification has no file on a host: it needs the leader alone.
// Sessions and replication go on. A role has one password at a time, so a replica whose connection
// breaks in the moment between the second and third step is refused, and tries again until its host
// has the file.
//
// The REST API's authority is replaced as package certificates does it (RotateCA), in recorded
// steps of a change, behind the passwords.
//
// The password of the lookup role goes to PostgreSQL first and then to every balancer, whose
// poolers are reloaded: sessions go on, and logins, too, because each pooler has a session for
// lookups open.
//
// It refuses (ErrRefused) before anything is changed when a member is not healthy or its host out
// of reach, because that host would be left with the old password. Interrupted anywhere it is
// finished by calling it again, with the same passwords; until then Apply refuses.
//
// Other methods of the cluster may run at the same time, and see the old credentials or the new
// ones, never a mixture. A connection that one of them opens just then with the old ones is
// refused; those opened afterwards use the new ones.
func RotateSecrets(ctx context.Context, c *site.Site, opts RotateOptions) (RotateResult, error) {
	start := time.Now()
	var result RotateResult
	s := c.State
	unfinished := s.Unfinished()
	if s.Replacement(layout.PatroniAuthority).Progress().Unfinished() {
		unfinished = append(unfinished, secretREST)
	}
	if unfinishedPooler(s) {
		unfinished = append(unfinished, secretPooler)
	}
	own, applications := ofSpec(c.Spec, opts.Which)
	var which []string
	if len(own) > 0 || len(applications) == 0 {
		var err error
		if which, err = Rotated(c.Spec, own, unfinished); err != nil {
			return result, err
		}
	}
	if !opts.DryRun {
		if err := c.Writable(); err != nil {
			return result, err
		}
	}
	passwords := slices.DeleteFunc(slices.Clone(which),
		func(name string) bool { return name == secretREST })
	if len(passwords)+len(applications) > 0 {
		if err := changePasswords(ctx, c, opts.Operation, passwords, applications); err != nil {
			return result, err
		}
	}
	if len(passwords) < len(which) {
		if err := rotateREST(ctx, c, opts.Operation); err != nil {
			return result, err
		}
	}
	return RotateResult{Rotated: append(which, applications...),
		Took: patroni.Elapsed(time.Since(start))}, nil
}

// changePasswords gives the toolkit's own roles, and those of the specification, new passwords.
func changePasswords(ctx context.Context, c *site.Site, op engine.Operation,
	passwords, applications []string) error {
	notes, err := c.AskStateNotes(ctx)
	if err == nil {
		err = c.JudgeState(notes)
	}
	if err != nil {
		return err
	}
	s := c.State
	switch {
	case op.DryRun:
	case s.ReadOnly:
		if s, err = vault.SettledState(c.Spec, s.Box); err != nil {
			return err
		}
		defer s.Close()
	default:
		if err = s.Begin(c.Spec); err != nil {
			return err
		}
	}
	return engine.Operate(ctx, c, "rotate secrets", op, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			if run.Planning() {
				// nobody else must meet the credentials of a dry run
				run.Site = run.Apart(run.Spec, run.Credentials())
			}
			pool := slices.Contains(passwords, secretPooler)
			roles := slices.DeleteFunc(slices.Clone(passwords),
				func(name string) bool { return name == secretPooler })
			if len(passwords) > 0 {
				if err := refuseRotation(ctx, run, roles); err != nil {
					return err
				}
			}
			if pool {
				if err := refusePooler(run); err != nil {
					return err
				}
			}
			all := func() error {
				if err := rotateRoles(ctx, run, s, applications); err != nil || len(passwords) == 0 {
					return err
				}
				if pool {
					if err := rotatePooler(ctx, run, s); err != nil || len(roles) == 0 {
						return err
					}
				}
				return rotatePasswords(ctx, run, s, roles)
			}
			if run.Planning() {
				return all()
			}
			// A copy that is made meanwhile is out of date afterwards.
			if err := run.GrowState(ctx, s); err != nil {
				return err
			}
			return errs.Join(all(), run.GrowState(ctx, s))
		})
}

// rotatePasswords gives the roles new passwords.
func rotatePasswords(ctx context.Context, r *job.Job, s *vault.State, roles []string) error {
	next, generated, err := NewCredentials(r.Site, s, roles, r.Planning())
	if err != nil {
		return err
	}
	if err := share(ctx, r, s); err != nil {
		return err
	}
	old := r.Credentials()
	r.Hold(next)
	err = deployPasswords(ctx, r, s, roles, generated)
	if err != nil {
		r.Hold(old)
	}
	return err
}

// share brings a new secret into the copies of the state before anybody is given it.
func share(ctx context.Context, r *job.Job, s *vault.State) error {
	if r.Planning() {
		return nil
	}
	return engine.Share(ctx, r, s)
}

// rotatable are the names that RotateOptions.Which may hold.
func rotatable(sp *spec.Spec) []string {
	all := append(vault.RoleNames(), secretREST)
	if sp.Pooler != nil {
		all = append(all, secretPooler)
	}
	return all
}

// Rotated puts the names in order, together with those of a rotation that was interrupted, and
// refuses names that are none.
func Rotated(sp *spec.Spec, which, unfinished []string) ([]string, error) {
	for _, name := range which {
		if name == secretPooler && sp.Pooler == nil {
			return nil, errs.WithNext(fmt.Errorf("%w: this cluster has no pooler whose password could "+
				"be rotated", errs.ErrRefused), errs.Text("pooler in the specification, and %s, bring one",
				errs.Verb("apply")))
		}
		if !slices.Contains(rotatable(sp), name) {
			return nil, remote.WithHint(fmt.Errorf("%w: there is no secret %q to rotate",
				patroni.ErrInvalid, name),
				"there are "+strings.Join(rotatable(sp), ", ")+", and the roles of the specification "+
					"that log in")
		}
	}
	return slices.DeleteFunc(rotatable(sp), func(name string) bool {
		return len(which) > 0 && !slices.Contains(which, name) && !slices.Contains(unfinished, name)
	}), nil
}

// refuseRotation looks at the members and at where the new passwords come from.
func refuseRotation(ctx context.Context, r *job.Job, which []string) error {
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
			return errs.WithNext(fmt.Errorf("%w: member %s is not healthy, and would be left "+
				"with the old password",
				errs.ErrRefused, m.Name),
				errs.Text("%s shows what it lacks", errs.Verb("status")))
		}
		if err, lost := r.Unreachable[m.Target.Name]; lost {
			return fmt.Errorf("%w: %w", errs.ErrRefused, err)
		}
	}
	for _, role := range r.Credentials().Changed {
		if !slices.Contains(which, role) {
			return remote.WithHint(fmt.Errorf("%w: the password of %s has changed as well",
				errs.ErrRefused, role),
				"rotate it, too, or put the old one back")
		}
	}
	for _, role := range which {
		if given(r.Site, role) && !slices.Contains(r.Credentials().Changed, role) {
			return remote.WithHint(fmt.Errorf("%w: the spec gives the %s password, and it is "+
				"still the one in force",
				errs.ErrRefused, role),
				"put a new one where secrets."+role+"_password_file or _command gets it from")
		}
	}
	return nil
}

// given tells whether the spec gives a role's password, so that it is not generated.
func given(c *site.Site, role string) bool {
	s := c.Spec.Secrets
	switch role {
	case vault.RoleSuperuser:
		return s.SuperuserPasswordFile != "" || len(s.SuperuserPasswordCommand) > 0
	case vault.RoleReplication:
		return s.ReplicationPasswordFile != "" || len(s.ReplicationPasswordCommand) > 0
	}
	return s.RewindPasswordFile != "" || len(s.RewindPasswordCommand) > 0
}

// NewCredentials returns a copy of the credentials with the new passwords, those of an interrupted
// rotation if there are.
func NewCredentials(c *site.Site, s *vault.State, which []string,
	dryRun bool) (next *vault.Credentials,
	generated map[string]pki.Secret, err error) {
	cr := *c.Credentials()
	cr.Verifiers, cr.Changed, generated = maps.Clone(cr.Verifiers), nil, map[string]pki.Secret{}
	for _, role := range which {
		if given(c, role) || dryRun {
			continue // what the spec gives is in the credentials already
		}
		password, err := s.Next(role)
		if err == nil {
			cr.Verifiers[role], err = patroni.NewVerifier(password)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("make a new %s password: %w", role, err)
		}
		generated[role] = password
		switch role {
		case vault.RoleSuperuser:
			cr.Superuser = password
		case vault.RoleReplication:
			cr.Replication = password
		case vault.RoleRewind:
			cr.Rewinder = password
		}
	}
	return &cr, generated, nil
}

// deployPasswords gives PostgreSQL and the hosts the passwords of the credentials, and makes them
// the ones in force.
func deployPasswords(ctx context.Context, r *job.Job, s *vault.State, which []string,
	generated map[string]pki.Secret) error {
	po, err := engine.PatroniOptions(r)
	if err != nil {
		return err
	}
	if err := patroni.SetPasswords(ctx, po); err != nil {
		return errs.WithNext(err,
			errs.Text("%s again finishes it", errs.Verb("secrets", "rotate")))
	}
	if r.Planning() {
		return nil
	}
	for _, role := range which {
		if err := s.Adopt(role, generated[role], r.Credentials().Verifiers[role]); err != nil {
			return fmt.Errorf("keep the new %s password: %w", role, err)
		}
	}
	logins, err := s.Logins(ctx, r.Spec, r.Credentials().Superuser)
	if err != nil {
		return err
	}
	if err := s.KeepPassFile(logins); err != nil {
		return err
	}
	err = r.WithSQL(ctx, r.WriteRoute(), func(conn *pgx.Conn) error { return conn.Ping(ctx) })
	if err != nil {
		return fmt.Errorf("the new passwords are in force, but the superuser cannot log in: %w",
			err)
	}
	return nil
}
