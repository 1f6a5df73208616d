package testkit

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

// Company is a root of a company that signs authorities of clusters.
type Company struct {
	root *x509.Certificate
	key  crypto.Signer
}

// NewCompany makes one that is valid for 100 years.
func NewCompany(t *testing.T) *Company {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &Company{key: key}
	c.root = c.issue(t, key.Public(), func(cert *x509.Certificate) {
		cert.Subject.CommonName = "Company Root"
		cert.NotAfter = cert.NotBefore.AddDate(100, 0, 1)
	})
	return c
}

// issue signs an authority of 100 years, which change may make another one.
func (c *Company) issue(t *testing.T, public crypto.PublicKey,
	change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: serial, NotBefore: now.Add(-time.Hour),
		NotAfter: now.AddDate(100, 0, 0), BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		Subject:  pkix.Name{Organization: []string{"Company"}}}
	change(cert)
	parent := c.root
	if parent == nil {
		parent = cert
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, c.key)
	if err == nil {
		cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Sign returns the authority of a request in PEM, then the root.
func (c *Company) Sign(t *testing.T, request []byte, changes ...func(*x509.Certificate)) []byte {
	t.Helper()
	block, _ := pem.Decode(request)
	if block == nil {
		t.Fatal("no request")
	}
	asked, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	cert := c.issue(t, asked.PublicKey, func(cert *x509.Certificate) {
		cert.Subject.CommonName, cert.MaxPathLenZero = asked.Subject.CommonName, true
		for _, change := range changes {
			change(cert)
		}
	})
	return append(encode(cert), c.Root()...)
}

// Root is the root in PEM.
func (c *Company) Root() []byte { return encode(c.root) }

// Stranger is a certificate of the company, for a server and a client, that no cluster's authority
// has signed.
func (c *Company) Stranger(t *testing.T, name string, addresses ...netip.Addr) pki.KeyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := c.issue(t, key.Public(), func(cert *x509.Certificate) {
		cert.IsCA, cert.KeyUsage = false, x509.KeyUsageDigitalSignature
		cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		cert.Subject.CommonName, cert.DNSNames = name, []string{name}
		for _, a := range addresses {
			cert.IPAddresses = append(cert.IPAddresses, a.AsSlice())
		}
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pki.KeyPair{Cert: encode(cert), Key: pki.NewSecret(pem.EncodeToMemory(
		&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
}

func encode(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}
