package site

import (
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/pki"
)

// ShortLivedRESTCertificate issues a certificate for the REST API of a database host that ends after so long, with its key,
// both PEM, for drills and tests of what happens then. It is kept nowhere and put on no host: the next apply sees the regular
// one as before. It needs the authority's key.
func (c *Site) ShortLivedRESTCertificate(host string, lifetime time.Duration) (cert, key []byte, err error) {
	h, err := c.MemberHost(host)
	if err != nil {
		return nil, nil, err
	}
	ca, err := c.State.Authority("patroni", c.Spec.Cluster+" patroni CA")
	if err != nil {
		return nil, nil, err
	}
	names, addresses := vault.ServerNames(h)
	leaf, err := ca.Issue(pki.Request{CommonName: h.Member, DNSNames: names, IPs: addresses, Usage: pki.ServerUsage})
	if err == nil {
		cert, err = vault.Shortened(leaf.CertPEM, ca, time.Now().Add(lifetime))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("issue a short-lived certificate for %s: %w", h.Name, err)
	}
	return cert, leaf.KeyPEM.Reveal(), nil
}
