package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

// Judge returns nil for a certificate that can stay: it is of one of the authorities, covers the
// request at this moment (pki.Covers), and the key beside it belongs to it. Otherwise the error
// lists every reason to replace it, matching the errors of pki.Covers and pki.ErrKeyMismatch.
func (c Certificate) Judge(authorities, certPEM []byte, keyFits bool, at time.Time) error {
	err := pki.Covers(authorities, certPEM, c.Request, at)
	var why pki.Reasons
	if keyFits || err != nil && !errors.As(err, &why) {
		return err
	}
	return fmt.Errorf("check certificate %q: %w: %w", c.Request.CommonName, pki.ErrNotCovered,
		append(slices.Clone(why), pki.ErrKeyMismatch))
}

// KeyFits tells whether a public key in PEM, as "openssl pkey -pubout" prints it of a private one,
// is the certificate's.
func KeyFits(certPEM, publicPEM []byte) bool {
	block, _ := pem.Decode(certPEM)
	public, _ := pem.Decode(publicPEM)
	if block == nil || public == nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return err == nil && bytes.Equal(cert.RawSubjectPublicKeyInfo, public.Bytes)
}
