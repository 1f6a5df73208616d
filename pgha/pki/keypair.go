package pki

import (
	"crypto/tls"
	"slices"
)

// KeyPair is a certificate with its private key, as one end of a TLS connection
// presents them. Every options struct that takes a certificate takes it in this
// form. Formatting, logging or marshalling one shows nothing of the key. The
// zero value is no certificate at all; see [KeyPair.IsZero].
type KeyPair struct {
	// Cert is the certificate as PEM, which is public. Intermediates may follow.
	Cert []byte

	// Key is its private key as PEM.
	Key Secret
}

// KeyPair returns the certificate, the intermediates that a holder sends along
// ([CA.SentPEM], none of a self-signed authority), and the key.
func (l *Leaf) KeyPair() KeyPair {
	return KeyPair{Cert: slices.Concat(l.CertPEM, l.Sent), Key: l.KeyPEM}
}

// IsZero reports whether neither a certificate nor a key is given.
func (p KeyPair) IsZero() bool { return len(p.Cert) == 0 && p.Key.IsZero() }

// TLS returns the pair in the form that [tls.Config] takes, which holds the key
// in the clear. The error is that of [tls.X509KeyPair], which quotes nothing of
// the key.
func (p KeyPair) TLS() (tls.Certificate, error) {
	return tls.X509KeyPair(p.Cert, p.Key.Reveal())
}
