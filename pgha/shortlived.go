package pgha

import (
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

// ShortLivedRESTCertificate issues a certificate for the REST API of a database host that ends after so long, with its key,
// both PEM, for drills and tests of what happens then. It is kept nowhere and put on no host: the next apply sees the regular
// one as before.
func (c *Cluster) ShortLivedRESTCertificate(host string, lifetime time.Duration) (cert, key []byte, err error) {
	h, err := c.memberHost(host)
	if err != nil {
		return nil, nil, err
	}
	ca, err := c.state.authority("patroni", c.Spec.Cluster+" patroni CA")
	if err != nil {
		return nil, nil, err
	}
	names, addresses := serverNames(h)
	leaf, err := ca.Issue(pki.Request{CommonName: h.Member, DNSNames: names, IPs: addresses, Usage: pki.ServerUsage, Lifetime: lifetime})
	if err != nil {
		return nil, nil, fmt.Errorf("issue a short-lived certificate for %s: %w", h.Name, err)
	}
	return leaf.CertPEM, leaf.KeyPEM.Reveal(), nil
}
