package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
)

// Covers reports whether the certificate that is already in place does what the
// request asks, in which case it returns nil and the certificate can be kept.
// Otherwise the error is the reason to issue another one and matches
// [ErrNotCovered], together with [ErrExpired], [ErrNotYetValid] or
// [ErrRenewalDue] where it is a matter of time. A malformed request or
// certificate gives [ErrInvalidRequest] or [ErrInvalidPEM] instead.
//
// Covered means: signed by this very authority, not due for renewal, the same
// subject, usage and set of names, the kind of key that a new one would have,
// the key identifiers that strict peers demand, and a lifetime no longer than
// asked. A shorter lifetime is kept until it is due.
//
// No private key is needed, so a plan can be made without reading any; whether
// the key fits is for [ParseLeaf] to say.
func (c *CA) Covers(certPEM []byte, req Request) error {
	want, err := req.normalized()
	if err != nil {
		return fmt.Errorf("check certificate %q: %w", req.CommonName, err)
	}
	certs, err := parseCertificates(certPEM)
	if err != nil {
		return fmt.Errorf("check certificate %q: %w", req.CommonName, err)
	}
	if err := c.checkIssued(certs[0]); err != nil {
		return fmt.Errorf("check certificate %q: %w: %w", req.CommonName, ErrNotCovered, err)
	}
	if reason := c.difference(certs[0], want); reason != "" {
		return fmt.Errorf("check certificate %q: %w: %s", req.CommonName, ErrNotCovered, reason)
	}
	return nil
}

// checkIssued looks at signature and time.
func (c *CA) checkIssued(cert *x509.Certificate) error {
	if !bytes.Equal(cert.RawIssuer, c.cert.RawSubject) || cert.CheckSignatureFrom(c.cert) != nil {
		return fmt.Errorf("%w: issued by %q, not by this %s", ErrUntrusted, cert.Issuer, c)
	}
	now := c.clock()
	if err := checkValidity(cert, now); err != nil {
		return err
	}
	if info := describe(cert); info.NeedsRenewal(now) {
		return fmt.Errorf("%w: %d days left", ErrRenewalDue, info.DaysLeft(now))
	}
	return nil
}

// difference names the first thing that a new certificate would have otherwise.
func (c *CA) difference(cert *x509.Certificate, want Request) string {
	have := describe(cert)
	slices.Sort(have.DNSNames)
	slices.SortFunc(have.IPs, netip.Addr.Compare)
	organizations := []string{}
	if want.Organization != "" {
		organizations = append(organizations, want.Organization)
	}
	switch {
	case have.IsCA:
		return "it is an authority"
	case cert.Subject.CommonName != want.CommonName:
		return fmt.Sprintf("common name is %q, want %q", cert.Subject.CommonName, want.CommonName)
	case !slices.Equal(cert.Subject.Organization, organizations):
		return fmt.Sprintf("organization is %q, want %q", cert.Subject.Organization, organizations)
	case have.Usage != want.Usage:
		return fmt.Sprintf("usage is %s, want %s", have.Usage, want.Usage)
	case !slices.Equal(have.DNSNames, want.DNSNames):
		return fmt.Sprintf("DNS names are %q, want %q", have.DNSNames, want.DNSNames)
	case !slices.Equal(have.IPs, want.IPs):
		return fmt.Sprintf("IP addresses are %s, want %s", have.IPs, want.IPs)
	case have.KeyType != c.key.String():
		return fmt.Sprintf("key is %s, want %s", have.KeyType, c.key)
	case len(cert.SubjectKeyId) == 0 || len(cert.AuthorityKeyId) == 0:
		return "it lacks subject or authority key identifier"
	case have.NotAfter.Sub(have.NotBefore) > want.Lifetime+Backdate:
		return fmt.Sprintf("lifetime is %s, want %s", have.NotAfter.Sub(have.NotBefore), want.Lifetime)
	}
	return ""
}
