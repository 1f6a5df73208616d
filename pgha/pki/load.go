package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
)

// LoadCA restores an authority from what [CA.CertPEM] and [CA.KeyPEM] returned,
// or from one made elsewhere: certPEM holds one self-signed certificate, or what
// [ReadSigned] returned: the authority, then those above it up to the root. keyPEM
// is one private key in PKCS#8, PKCS#1 or SEC 1 form, not encrypted. Leaves get
// keys of the authority's kind: RSA of the same size, or ECDSA P-256. An
// expired authority loads, but issues nothing.
//
// Errors match [ErrInvalidPEM], [ErrNotCA], [ErrKeyMismatch], or
// [ErrInvalidRequest] when [WithRSA] or [WithLifetime] is given.
func LoadCA(certPEM, keyPEM []byte, opts ...Option) (*CA, error) {
	conf := newConfig(opts)
	if conf.key != (keySpec{}) || conf.lifetime != 0 {
		return nil, fmt.Errorf("load CA: %w: key type and lifetime of a stored authority cannot "+
			"be chosen",
			ErrInvalidRequest)
	}
	ca, err := loadCA(certPEM, keyPEM, conf)
	if err != nil {
		return nil, fmt.Errorf("load CA: %w", err)
	}
	return ca, nil
}

func loadCA(certPEM, keyPEM []byte, conf config) (*CA, error) {
	certs, err := parseCertificates(certPEM)
	if err != nil {
		return nil, err
	}
	if err := checkChain(certs); err != nil {
		return nil, err
	}
	signer, err := parseKey(keyPEM)
	if err != nil {
		return nil, err
	}
	if !sameKey(signer.Public(), certs[0].PublicKey) {
		return nil, ErrKeyMismatch
	}
	if conf.key, err = specOf(signer.Public()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCA, err)
	}
	return assembleCA(conf, certs, signer)
}

// checkChain accepts one self-signed authority, and one with all those above it.
func checkChain(certs []*x509.Certificate) error {
	if err := checkAuthority(certs[0]); err != nil {
		return err
	}
	self := func(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }
	for i, cert := range certs {
		last := i == len(certs)-1
		switch {
		case self(cert) && !last:
			return fmt.Errorf("%w: %d certificates, want those of one chain", ErrInvalidPEM,
				len(certs))
		case last && len(certs) == 1 && (!self(cert) || cert.CheckSignatureFrom(cert) != nil):
			return fmt.Errorf("%w: %q is not self-signed", ErrNotCA, cert.Subject)
		case last && !self(cert):
			return fmt.Errorf("%w: the chain ends with %q, which is not self-signed", ErrNotCA,
				cert.Subject)
		case !last && cert.CheckSignatureFrom(certs[i+1]) != nil:
			return fmt.Errorf("%w: %q is not signed by %q", ErrNotCA, cert.Subject,
				certs[i+1].Subject)
		}
	}
	return nil
}

// checkAuthority refuses what strict peers would refuse later, on every host at once.
func checkAuthority(cert *x509.Certificate) error {
	switch {
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return fmt.Errorf("%w: %q is not marked as a CA", ErrNotCA, cert.Subject)
	case !criticalConstraints(cert):
		return fmt.Errorf("%w: %q does not mark its basic constraints as critical", ErrNotCA,
			cert.Subject)
	case cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return fmt.Errorf("%w: %q has no key usage that allows signing certificates", ErrNotCA,
			cert.Subject)
	case len(cert.SubjectKeyId) == 0:
		return fmt.Errorf("%w: %q has no subject key identifier", ErrNotCA, cert.Subject)
	case bytes.Equal(cert.RawSubject, cert.RawIssuer):
		return nil
	case cert.KeyUsage&x509.KeyUsageCRLSign == 0:
		return fmt.Errorf("%w: %q has no key usage that allows signing revocation lists", ErrNotCA,
			cert.Subject)
	case len(cert.AuthorityKeyId) == 0:
		return fmt.Errorf("%w: %q has no authority key identifier", ErrNotCA, cert.Subject)
	}
	return nil
}

var basicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}

// criticalConstraints reports whether the basic constraints extension is marked
// critical, as RFC 5280 section 4.2.1.9 demands of an authority.
func criticalConstraints(cert *x509.Certificate) bool {
	for _, ext := range cert.Extensions {
		if slices.Equal(ext.Id, basicConstraints) {
			return ext.Critical
		}
	}
	return false
}
