package secrets

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
)

// secretREST names, beside the roles, what Patroni's REST API lets callers in by: its authority,
// and every certificate from it.
const secretREST = "rest"

// refuseREST looks at what has to trust the new authority besides the members.
func refuseREST(ctx context.Context, r *job.Job) error {
	for _, h := range r.Spec.Balancers() {
		if err, lost := r.Unreachable[h.Name]; lost {
			return fmt.Errorf("%w: its HAProxy would trust the old authority alone and find no "+
				"member: %w",
				errs.ErrRefused, err)
		}
	}
	return engine.RefuseSilentBalancers(ctx, r)
}

// rotateREST replaces the authority of the REST API in three steps, each finished on every host
// before the next: trust both, present certificates of the new one, trust the new one alone. What
// was begun before is finished.
func rotateREST(ctx context.Context, r *job.Job, s *vault.State) error {
	if r.Planning() {
		return planREST(ctx, r)
	}
	if _, adopted := s.File(vault.RestOldFile); !adopted {
		if err := introduceREST(ctx, r, s); err != nil {
			return err
		}
		if err := s.AdoptREST(); err != nil {
			return err
		}
	}
	// Whoever goes on from a copy must not go back behind what hosts trust from here on.
	if err := share(ctx, r, s); err != nil {
		return err
	}
	r.Progress("REST API, step 3 of 3: the old authority is trusted no more")
	next := r.Credentials().Copied()
	if err := s.Rest(r.Spec, next); err != nil {
		return err
	}
	r.Hold(next)
	if err := deployREST(ctx, r); err != nil {
		return err
	}
	if err := s.Remove(vault.RestOldFile); err != nil {
		return fmt.Errorf("forget the old REST authority: %w", err)
	}
	return nil
}

// introduceREST brings the cluster from the old authority to certificates of the new one, with both
// trusted. A run that is cut off begins here again; whatever hosts present by then is trusted by
// all that were changed.
func introduceREST(ctx context.Context, r *job.Job, s *vault.State) error {
	old, _, err := s.RestAuthority(r.Spec)
	if err != nil {
		return err
	}
	if _, there := s.File(vault.CAFile(vault.RestNext, ".crt")); !there {
		// A key without its certificate is of a run that was cut off, and was never used.
		if err := s.Remove(vault.CAFile(vault.RestNext, ".key")); err != nil {
			return err
		}
	}
	next, err := s.Authority(vault.RestNext, vault.CAName(r.Spec, vault.RestName),
		vault.CaOptions(r.Spec)...)
	if err != nil {
		return err
	}
	if err := share(ctx, r, s); err != nil {
		return err
	}
	for _, step := range []struct {
		what   string
		issuer *pki.CA
	}{
		{"REST API, step 1 of 3: both authorities are trusted", old},
		{"REST API, step 2 of 3: certificates of the new authority", next},
	} {
		r.Progress(step.what)
		if err := present(r, step.issuer, old.CertPEM(), next.CertPEM()); err != nil {
			return err
		}
		if err := deployREST(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// planREST reports what the steps change: the same files each time.
func planREST(ctx context.Context, r *job.Job) error {
	before := r.Credentials()
	next, err := pki.NewCA(vault.CAName(r.Spec, vault.RestName), vault.CaOptions(r.Spec)...)
	if err != nil {
		return err
	}
	if err := present(r, next, before.PatroniCA, next.CertPEM()); err != nil {
		return err
	}
	return deployREST(ctx, r)
}

// present changes the run's credentials: certificates from one authority, and the authorities to
// trust. The operator's own certificate stays.
func present(r *job.Job, issuer *pki.CA, trusted ...[]byte) error {
	next := r.Credentials().Copied()
	var err error
	if next.PatroniCA, err = pki.Bundle(trusted...); err != nil {
		return err
	}
	err = next.Certify(r.Spec, layout.PatroniAuthority,
		func(of certs.Certificate) (pki.KeyPair, error) {
			issued, err := issuer.Issue(of.Request)
			if err != nil {
				return pki.KeyPair{}, fmt.Errorf("issue certificate %s: %w", of.Stored, err)
			}
			return issued.KeyPair(), nil
		})
	if err == nil {
		r.Hold(next)
	}
	return err
}

// deployREST gives the hosts what the credentials hold of the REST API: members first, then
// balancers, one at a time.
func deployREST(ctx context.Context, r *job.Job) error {
	po, err := engine.PatroniOptions(r)
	if err == nil {
		err = patroni.SetRESTCertificates(ctx, po)
	}
	if err == nil && len(r.Spec.Balancers()) > 0 {
		var lo lb.Options
		if lo, err = engine.BalancerOptions(r); err == nil {
			err = lb.Trust(ctx, lo)
		}
	}
	if err != nil {
		return errs.WithNext(err,
			errs.Text("%s finishes it once the host is well",
				errs.Verb("secrets", "rotate", "rest")))
	}
	return nil
}
