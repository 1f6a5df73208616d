package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"time"
)

// Issue makes a new key and a certificate for it as the request says. Each call
// gives another certificate; ask [CA.Covers] first to keep one that still fits.
//
// The certificate is never valid longer than the authority and those above it
// ([CA.Ends]): near that end it is shorter than asked. Errors match [ErrInvalidRequest],
// [ErrExpired] or [ErrNotYetValid] (the authority's validity against its
// clock), or come from the source of randomness.
func (c *CA) Issue(req Request) (*Leaf, error) {
	leaf, err := c.issue(req)
	if err != nil {
		return nil, fmt.Errorf("issue certificate %q: %w", req.CommonName, err)
	}
	return leaf, nil
}

func (c *CA) issue(req Request) (*Leaf, error) {
	req, err := req.normalized()
	if err != nil {
		return nil, err
	}
	now := c.clock().UTC().Truncate(time.Second)
	for _, cert := range c.chain() {
		if err := checkValidity(cert, now); err != nil {
			return nil, fmt.Errorf("CA %q: %w", cert.Subject.CommonName, err)
		}
	}
	signer, err := c.generate(c.key)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	template, err := c.template(req, now)
	if err != nil {
		return nil, err
	}
	if template.SubjectKeyId, err = keyID(signer.Public()); err != nil {
		return nil, err
	}
	if _, ok := signer.Public().(*rsa.PublicKey); ok {
		template.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, signer.Public(), c.signer)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	key, err := encodeKey(signer)
	if err != nil {
		return nil, err
	}
	return &Leaf{CertPEM: encodeCertificate(der), KeyPEM: key, Chain: c.CertPEM(),
		Sent: c.SentPEM()}, nil
}

// template is everything in the certificate that does not depend on its key.
func (c *CA) template(req Request, now time.Time) (*x509.Certificate, error) {
	serial, err := newSerial(c.random)
	if err != nil {
		return nil, err
	}
	subject := pkix.Name{CommonName: req.CommonName}
	if req.Organization != "" {
		subject.Organization = []string{req.Organization}
	}
	var ips []net.IP
	for _, ip := range req.IPs {
		ips = append(ips, ip.AsSlice())
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               subject,
		NotBefore:             later(now.Add(-Backdate), c.cert.NotBefore),
		NotAfter:              earlier(now.Add(req.Lifetime), c.Ends()),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           req.Usage.extended(),
		BasicConstraintsValid: true,
		DNSNames:              req.DNSNames,
		IPAddresses:           ips,
		AuthorityKeyId:        c.cert.SubjectKeyId,
	}, nil
}

// checkValidity tells whether now lies within the certificate's validity, both
// ends included as RFC 5280 section 4.1.2.5 has it.
func checkValidity(cert *x509.Certificate, now time.Time) error {
	switch {
	case now.After(cert.NotAfter):
		return fmt.Errorf("%w: it was valid until %s", ErrExpired,
			cert.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(cert.NotBefore):
		return fmt.Errorf("%w: it is valid from %s, and the clock says %s", ErrNotYetValid,
			cert.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
