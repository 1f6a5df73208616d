package pgha

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

// ShortLivedRESTCertificate issues a certificate for the REST API of a database host that ends after so long, with its key,
// both PEM, for drills and tests of what happens then. It is kept nowhere and put on no host: the next apply sees the regular
// one as before. It needs the authority's key.
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
	leaf, err := ca.Issue(pki.Request{CommonName: h.Member, DNSNames: names, IPs: addresses, Usage: pki.ServerUsage})
	if err == nil {
		cert, err = shortened(leaf.CertPEM, ca, time.Now().Add(lifetime))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("issue a short-lived certificate for %s: %w", h.Name, err)
	}
	return cert, leaf.KeyPEM.Reveal(), nil
}

// shortened signs a certificate again, with another end: package pki issues none that nobody could use.
func shortened(certificate []byte, ca *pki.CA, end time.Time) ([]byte, error) {
	var parsed [2]*x509.Certificate
	for i, text := range [][]byte{certificate, ca.CertPEM()} {
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, pki.ErrInvalidPEM
		}
		var err error
		if parsed[i], err = x509.ParseCertificate(block.Bytes); err != nil {
			return nil, err
		}
	}
	block, _ := pem.Decode(ca.KeyPEM().Reveal())
	if block == nil {
		return nil, pki.ErrInvalidPEM
	}
	signer, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the authority's key cannot be read")
	}
	parsed[0].NotAfter = end
	signed, err := x509.CreateCertificate(rand.Reader, parsed[0], parsed[1], parsed[0].PublicKey, signer)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), nil
}
