package pki

import (
	"fmt"
	"slices"
)

// Leaf is a certificate with its private key, as PEM text ready to be written.
type Leaf struct {
	// CertPEM is the certificate alone. It is public.
	CertPEM []byte

	// KeyPEM is its private key in PKCS#8 form.
	KeyPEM Secret

	// Chain is the issuing authority's certificate, which is what the holder
	// needs in order to trust peers of the same authority. [ParseLeaf] leaves it
	// empty unless certPEM holds more than the leaf.
	Chain []byte

	// Sent are the intermediates that follow it in handshakes, none of a self-signed
	// authority. [ParseLeaf] leaves it empty.
	Sent []byte
}

// ParseLeaf reads a certificate and its private key and checks that they belong
// together. The first certificate is the leaf, and any others become its Chain.
// Blocks of other types are skipped, so the text that [Leaf.Encode] returned
// may be given as both arguments. It does not look at validity; see [Verify].
// Errors match [ErrInvalidPEM] or [ErrKeyMismatch].
func ParseLeaf(certPEM, keyPEM []byte) (*Leaf, error) {
	certs, err := parseCertificates(certPEM)
	if err != nil {
		return nil, fmt.Errorf("parse leaf: %w", err)
	}
	signer, err := parseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("parse leaf %q: %w", certs[0].Subject, err)
	}
	if !sameKey(signer.Public(), certs[0].PublicKey) {
		return nil, fmt.Errorf("parse leaf %q: %w", certs[0].Subject, ErrKeyMismatch)
	}
	key, err := encodeKey(signer)
	if err != nil {
		return nil, fmt.Errorf("parse leaf %q: %w", certs[0].Subject, err)
	}
	leaf := &Leaf{CertPEM: encodeCertificate(certs[0].Raw), KeyPEM: key}
	for _, cert := range certs[1:] {
		leaf.Chain = append(leaf.Chain, encodeCertificate(cert.Raw)...)
	}
	return leaf, nil
}

// Encode returns certificate, intermediates and private key in one text, in this order: the
// single file of HAProxy's "crt" and of Patroni's "restapi.certfile".
func (l *Leaf) Encode() Secret {
	return NewSecret(slices.Concat(l.CertPEM, l.Sent, l.KeyPEM.Reveal()))
}

// String names the subject and shows nothing of the key.
func (l *Leaf) String() string {
	info, err := l.Info()
	if err != nil {
		return "unreadable certificate"
	}
	return fmt.Sprintf("certificate %q", info.Subject)
}

// Info describes the certificate. The error matches [ErrInvalidPEM], and is nil
// for a leaf that came from [CA.Issue] or [ParseLeaf].
func (l *Leaf) Info() (Info, error) { return Inspect(l.CertPEM) }
