package pki

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Revoke returns a list, in DER, of certificates that this authority takes back: those of an
// earlier list of its own, and these, in PEM. A nil earlier list is an empty one; with no
// certificates at all the list is empty, and valid.
//
// The list has no secret. Its next update is when the authority ends: whoever reads it reads it
// again with every connection. It is an error to take a certificate back that another authority
// issued, or to go on from another one's list.
func (c *CA) Revoke(earlier []byte, certificates ...[]byte) ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: c.clock().UTC().Add(-Backdate),
		NextUpdate: c.cert.NotAfter}
	if earlier != nil {
		old, err := c.ownList(earlier)
		if err != nil {
			return nil, fmt.Errorf("revoke: %w", err)
		}
		list.RevokedCertificateEntries = old.RevokedCertificateEntries
		list.Number = new(big.Int).Add(old.Number, big.NewInt(1))
	}
	now := c.clock().UTC().Truncate(time.Second)
	for _, text := range certificates {
		cert, err := parseCertificate(text)
		if err != nil {
			return nil, fmt.Errorf("revoke: %w", err)
		}
		if err := cert.CheckSignatureFrom(c.cert); err != nil {
			return nil, fmt.Errorf("revoke %s: it is not of %s: %w", cert.Subject, c, err)
		}
		if !slices.ContainsFunc(list.RevokedCertificateEntries, of(cert.SerialNumber)) {
			list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
				x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: now})
		}
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, c.cert, c.signer)
	if err != nil {
		return nil, fmt.Errorf("sign the list of revoked certificates: %w", err)
	}
	return der, nil
}

// Revokes tells whether a list of this authority has a certificate, in PEM. One that cannot be
// read, and one of another authority's, it does not have.
func (c *CA) Revokes(list, certificate []byte) bool {
	own, err := c.ownList(list)
	if err != nil {
		return false
	}
	cert, err := parseCertificate(certificate)
	return err == nil && slices.ContainsFunc(own.RevokedCertificateEntries, of(cert.SerialNumber))
}

// OwnList is an error where a list, in DER, is not one that this authority has signed.
func (c *CA) OwnList(list []byte) error {
	_, err := c.ownList(list)
	return err
}

func (c *CA) ownList(der []byte) (*x509.RevocationList, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("read the list of revoked certificates: %w", err)
	}
	if err := list.CheckSignatureFrom(c.cert); err != nil {
		return nil, fmt.Errorf("the list of revoked certificates is not of %s: %w", c, err)
	}
	return list, nil
}

func of(serial *big.Int) func(x509.RevocationListEntry) bool {
	return func(e x509.RevocationListEntry) bool { return e.SerialNumber.Cmp(serial) == 0 }
}

// parseCertificate reads the first certificate of a PEM text.
func parseCertificate(text []byte) (*x509.Certificate, error) {
	certs, err := parseCertificates(text)
	if err != nil {
		return nil, err
	}
	return certs[0], nil
}
