package pgha

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// secretREST names, beside the roles, what Patroni's REST API lets callers in by: its authority, and every certificate from it.
const secretREST = "rest"

// refuseREST looks at what has to trust the new authority besides the members.
func (r *job) refuseREST(ctx context.Context) error {
	if len(r.Spec.Balancers()) == 0 {
		return nil
	}
	for _, h := range r.Spec.Balancers() {
		if err, lost := r.Unreachable[h.Name]; lost {
			return fmt.Errorf("%w: its HAProxy would trust the old authority alone and find no member: %w", ErrRefused, err)
		}
	}
	lo, err := r.lbOptions()
	if err != nil {
		return err
	}
	states, err := lb.State(ctx, lo)
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.Err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, s.Err)
		}
	}
	return nil
}

// rotateREST replaces the authority of the REST API in three steps, each finished on every host before the next: trust both,
// present certificates of the new one, trust the new one alone. What was begun before is finished.
func (r *job) rotateREST(ctx context.Context, s *state) error {
	if r.planning() {
		return r.planREST(ctx)
	}
	if _, adopted := s.file(restOldFile); !adopted {
		if err := r.introduceREST(ctx, s); err != nil {
			return err
		}
		if err := s.adoptREST(); err != nil {
			return err
		}
	}
	r.Progress("REST API, step 3 of 3: the old authority is trusted no more")
	next := r.credentials.copied()
	if err := s.rest(r.Spec, next); err != nil {
		return err
	}
	r.credentials = next
	if err := r.bringREST(ctx); err != nil {
		return err
	}
	if err := s.remove(restOldFile); err != nil {
		return fmt.Errorf("forget the old REST authority: %w", err)
	}
	return nil
}

// introduceREST brings the cluster from the old authority to certificates of the new one, with both trusted. A run that is
// cut off begins here anew; whatever hosts present by then is trusted by all that were changed.
func (r *job) introduceREST(ctx context.Context, s *state) error {
	old, _, err := s.restAuthority(r.Spec)
	if err != nil {
		return err
	}
	if _, there := s.file(caFile(restNext, ".crt")); !there {
		// A key without its certificate is of a run that was cut off, and was never used.
		if err := s.remove(caFile(restNext, ".key")); err != nil {
			return err
		}
	}
	next, err := s.authority(restNext, caName(r.Spec, restName), caOptions(r.Spec)...)
	if err != nil {
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
		if err := r.present(step.issuer, old.CertPEM(), next.CertPEM()); err != nil {
			return err
		}
		if err := r.bringREST(ctx); err != nil {
			return err
		}
	}
	return nil
}

// planREST reports what the steps change: the same files each time.
func (r *job) planREST(ctx context.Context) error {
	before := r.credentials
	defer func() { r.credentials = before }()
	next, err := pki.NewCA(caName(r.Spec, restName), caOptions(r.Spec)...)
	if err != nil {
		return err
	}
	if err := r.present(next, before.patroniCA, next.CertPEM()); err != nil {
		return err
	}
	return r.bringREST(ctx)
}

// present changes the run's credentials: certificates from one authority, and the authorities to trust. The operator's own
// certificate stays.
func (r *job) present(issuer *pki.CA, trusted ...[]byte) error {
	next := r.credentials.copied()
	var err error
	if next.patroniCA, err = pki.Bundle(trusted...); err != nil {
		return err
	}
	err = next.restCertificates(r.Spec, func(name string, req pki.Request) (leaf, error) {
		req.Lifetime = time.Duration(r.Spec.TLS.LeafLifetimeDays) * day
		issued, err := issuer.Issue(req)
		if err != nil {
			return leaf{}, fmt.Errorf("issue certificate %s: %w", name, err)
		}
		return leaf{issued.CertPEM, issued.KeyPEM.Reveal()}, nil
	})
	if err == nil {
		r.credentials = next
	}
	return err
}

// bringREST gives the hosts what the credentials hold of the REST API: members first, then balancers, one at a time.
func (r *job) bringREST(ctx context.Context) error {
	po, err := r.patroniOptions()
	if err == nil {
		err = patroni.SetRESTCertificates(ctx, po)
	}
	if err == nil && len(r.Spec.Balancers()) > 0 {
		var lo lb.Options
		if lo, err = r.lbOptions(); err == nil {
			err = lb.Trust(ctx, lo)
		}
	}
	if err != nil {
		return remote.WithHint(err, "pgha-cli secrets rotate rest finishes it once the host is well")
	}
	return nil
}

// copied returns a copy whose maps can be changed.
func (c *credentials) copied() *credentials {
	cr := *c
	cr.hosts, cr.verifiers = maps.Clone(c.hosts), maps.Clone(c.verifiers)
	return &cr
}
