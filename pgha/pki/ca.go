package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"time"
)

// CA is a certificate authority with its private key: a self-signed one, or an
// intermediate of another authority with the chain above it. It issues leaves
// only, never another authority. It does not change after creation and is safe
// for concurrent use.
type CA struct {
	config
	cert *x509.Certificate
	// above are the authorities above it, the root last; none is self-signed.
	above  []*x509.Certificate
	signer crypto.Signer
	keyPEM Secret
}

// NewCA makes a new authority with this common name (1 to 64 printable
// characters). Every call makes a new key, so the result has to be stored: a
// second authority of the same name trusts nothing that the first one issued.
// Errors match [ErrInvalidRequest], or come from the source of randomness.
func NewCA(name string, opts ...Option) (*CA, error) {
	ca, err := newCA(name, newConfig(opts))
	if err != nil {
		return nil, fmt.Errorf("create CA %q: %w", name, err)
	}
	return ca, nil
}

func newCA(name string, conf config) (*CA, error) {
	if err := checkName("name", name); err != nil {
		return nil, err
	}
	if err := conf.key.check(); err != nil {
		return nil, err
	}
	lifetime, err := checkLifetime(conf.lifetime, DefaultCALifetime, minCALifetime)
	if err != nil {
		return nil, err
	}
	signer, err := conf.generate(conf.key)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	id, err := keyID(signer.Public())
	if err != nil {
		return nil, err
	}
	serial, err := newSerial(conf.random)
	if err != nil {
		return nil, err
	}
	now := conf.clock().UTC().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-Backdate),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		SubjectKeyId:          id,
		AuthorityKeyId:        id,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse certificate: %w", err)
	}
	return assembleCA(conf, []*x509.Certificate{cert}, signer)
}

// assembleCA takes the authority and those above it.
func assembleCA(conf config, certs []*x509.Certificate, signer crypto.Signer) (*CA, error) {
	keyPEM, err := encodeKey(signer)
	if err != nil {
		return nil, err
	}
	return &CA{config: conf, cert: certs[0], above: certs[1:], signer: signer, keyPEM: keyPEM}, nil
}

// CertPEM returns the certificate alone, which is public. A server that trusts it
// lets in whom this authority has signed, and nobody else whom those above it
// have; of OpenSSL's that takes X509_V_FLAG_PARTIAL_CHAIN for an intermediate.
func (c *CA) CertPEM() []byte { return encodeCertificate(c.cert.Raw) }

// ChainPEM returns the certificate and those above it, the root last. A client that
// trusts them all, or the root alone, trusts each server of the root's.
func (c *CA) ChainPEM() []byte { return append(c.CertPEM(), encode(c.above)...) }

// RootPEM returns the self-signed certificate at the end of the chain, which is the
// authority's own where nobody is above it.
func (c *CA) RootPEM() []byte { return encodeCertificate(c.chain()[len(c.above)].Raw) }

// SentPEM returns what holders of its certificates send behind them in handshakes: the
// authority and those above it but for the root; nothing of a self-signed one.
func (c *CA) SentPEM() []byte { return encode(c.chain()[:len(c.above)]) }

// Ends is when the first certificate of its chain ends: none that it issues is valid
// longer.
func (c *CA) Ends() time.Time {
	end := c.cert.NotAfter
	for _, cert := range c.above {
		end = earlier(end, cert.NotAfter)
	}
	return end.UTC()
}

func (c *CA) chain() []*x509.Certificate {
	return append([]*x509.Certificate{c.cert}, c.above...)
}

func encode(certs []*x509.Certificate) []byte {
	var out []byte
	for _, cert := range certs {
		out = append(out, encodeCertificate(cert.Raw)...)
	}
	return out
}

// KeyPEM returns the private key in PKCS#8 form. Whoever reads it can issue any
// certificate: keep it with the operator, mode 0600, and on no cluster host.
func (c *CA) KeyPEM() Secret { return c.keyPEM }

// Info describes the authority's own certificate.
func (c *CA) Info() Info { return describe(c.cert) }

// String names the authority and shows nothing of its key.
func (c *CA) String() string { return fmt.Sprintf("CA %q", c.cert.Subject.CommonName) }

// Format writes the same text as String for every verb.
func (c *CA) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, c.String()) }

// LogValue returns subject, end of validity and fingerprint, for log/slog.
func (c *CA) LogValue() slog.Value { return c.Info().LogValue() }

// newSerial reads a positive serial number of up to 128 bits, which in DER is
// at most 17 of the 20 octets that RFC 5280 section 4.1.2.2 allows.
func newSerial(random io.Reader) (*big.Int, error) {
	var buf [16]byte
	if _, err := io.ReadFull(random, buf[:]); err != nil {
		return nil, fmt.Errorf("read serial number: %w", err)
	}
	serial := new(big.Int).SetBytes(buf[:])
	if serial.Sign() == 0 {
		return nil, fmt.Errorf("read serial number: source of randomness returned only zeros")
	}
	return serial, nil
}
