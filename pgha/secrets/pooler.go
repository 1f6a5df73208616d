package secrets

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/leader"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/pooler"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// secretPooler names the password of the role by which the poolers look passwords up.
const secretPooler = "pooler"

// unfinishedPooler tells whether its rotation was interrupted.
func unfinishedPooler(s *vault.State) bool {
	_, err := s.Read(vault.SecretFile(secretPooler, ".next"))
	return err == nil
}

// refusePooler looks at the balancers: each has the password in a file.
func refusePooler(r *job.Job) error {
	for _, h := range r.Spec.Balancers() {
		if err, lost := r.Unreachable[h.Name]; lost {
			return fmt.Errorf("%w: its pooler would be left with the old password: %w",
				errs.ErrRefused, err)
		}
	}
	return nil
}

// rotatePooler gives the lookup role a new password. Its sessions with PostgreSQL go on, and each
// pooler has one when the password changes, so that clients log in meanwhile.
func rotatePooler(ctx context.Context, r *job.Job, s *vault.State) error {
	before := r.Credentials()
	next := before.Copied()
	if r.Planning() {
		next.Pooler = pki.NewSecret([]byte(rand.Text()))
	} else {
		var err error
		if next.Pooler, err = s.Next(secretPooler); err != nil {
			return fmt.Errorf("make a new password of the pooler: %w", err)
		}
	}
	r.Hold(next)
	err := deployPooler(ctx, r, next.Pooler)
	if err != nil {
		r.Hold(before)
		return errs.WithNext(err, errs.Text("%s finishes it once the host is well",
			errs.Verb("secrets", "rotate", secretPooler)))
	}
	if r.Planning() {
		return nil
	}
	err = s.Keep(vault.PoolerSecret(), next.Pooler.Reveal())
	if err == nil {
		err = s.Remove(vault.SecretFile(secretPooler, ".next"))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep the new password of the pooler: %w", err)
	}
	return nil
}

// deployPooler gives PostgreSQL the verifier and then the poolers the password.
func deployPooler(ctx context.Context, r *job.Job, password pki.Secret) error {
	opts, _, err := engine.PoolerOptions(r)
	if err != nil {
		return err
	}
	look, err := leader.LookUp(ctx, r.Site, password)
	switch {
	case err != nil:
		return err
	case !look.Exists():
		return errs.WithNext(fmt.Errorf("%w: there is no role %s on the server yet",
			errs.ErrRefused, spec.PoolerRole), errs.Text("%s makes it", errs.Verb("apply")))
	case !r.Planning():
		if err := openLookups(ctx, r, opts); err != nil {
			return err
		}
		if err := look.SetPassword(ctx, r.Site, password); err != nil {
			return err
		}
	}
	if err := r.Changed(look.Member, remote.Change{Kind: "role", Name: spec.PoolerRole,
		Action: "given a new password", Was: &remote.Was{}}); err != nil {
		return err
	}
	return pooler.SetPassword(ctx, opts)
}

// openLookups logs in through each pooler, which has a session for lookups then, and keeps it for a
// minute.
func openLookups(ctx context.Context, r *job.Job, opts pooler.Options) error {
	var targets []*remote.Target
	for _, b := range opts.Balancers {
		targets = append(targets, b.Target)
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		for _, route := range site.PoolRoutes(r.Site) {
			route.Host, route.From = t.Address, t
			err := r.WithSQL(ctx, route, func(conn *pgx.Conn) error { return conn.Ping(ctx) })
			if err != nil {
				return remote.OnHost(t.Name, fmt.Errorf("%w: log in through the pooler on port %d: %w",
					patroni.ErrUnavailable, route.Port, err))
			}
		}
		return nil
	})
}
