package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// Bundle concatenates CA certificates into one PEM text that trusts them all, in
// the order given and each once; an argument may be a bundle itself. So the
// bundle of an unchanged set is the same text each time.
//
// It refuses what does not belong in a file that everybody may read and trust:
// a private key or nothing at all ([ErrInvalidPEM]), or a certificate that is no
// authority ([ErrNotCA]).
func Bundle(certs ...[]byte) ([]byte, error) {
	var out []byte
	seen := map[string]bool{}
	for i, data := range certs {
		if err := refuseKeys(data); err != nil {
			return nil, fmt.Errorf("bundle certificates: argument %d: %w", i+1, err)
		}
		parsed, err := parseCertificates(data)
		if err != nil {
			return nil, fmt.Errorf("bundle certificates: argument %d: %w", i+1, err)
		}
		for _, cert := range parsed {
			if !cert.BasicConstraintsValid || !cert.IsCA {
				return nil, fmt.Errorf("bundle certificates: argument %d: %w: %q", i+1, ErrNotCA,
					cert.Subject)
			}
			if seen[string(cert.Raw)] {
				continue
			}
			seen[string(cert.Raw)] = true
			out = append(out, encodeCertificate(cert.Raw)...)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("bundle certificates: %w: nothing to bundle", ErrInvalidPEM)
	}
	return out, nil
}

func refuseKeys(data []byte) error {
	blocks, err := decodeBlocks(data)
	if err != nil {
		return err
	}
	for _, block := range blocks {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return fmt.Errorf("%w: a private key has no place in a bundle", ErrInvalidPEM)
		}
	}
	return nil
}

// Issuing returns the certificates of a bundle that have signed no other one of it,
// each once and in order: of a chain up to a root its lowest authority alone. It
// is what a server may trust of what a client does. A text that cannot be read
// gives nothing.
func Issuing(bundle []byte) []byte {
	certs, err := parseCertificates(bundle)
	if err != nil {
		return nil
	}
	return encode(slices.DeleteFunc(slices.Clone(certs), func(ca *x509.Certificate) bool {
		return slices.ContainsFunc(certs, func(cert *x509.Certificate) bool {
			return !cert.Equal(ca) && bytes.Equal(cert.RawIssuer, ca.RawSubject) &&
				cert.CheckSignatureFrom(ca) == nil
		})
	}))
}
