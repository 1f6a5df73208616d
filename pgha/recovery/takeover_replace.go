package recovery

import (
	"context"
	"fmt"
	"maps"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/provision"
)

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
	both.EtcdClientCA = t.former.EtcdClientCA
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
