package vault

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

// Shortened signs a certificate again, with another end: package pki issues none that nobody could use.
func Shortened(certificate []byte, ca *pki.CA, end time.Time) ([]byte, error) {
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
