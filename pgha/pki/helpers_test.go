package pki_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

// epoch is the present of every test that does not talk to another program.
var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func at(moment time.Time) func() time.Time { return func() time.Time { return moment } }

func newCA(t *testing.T, opts ...pki.Option) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA("test CA", append([]pki.Option{pki.WithClock(at(epoch))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// reload is the same authority at another time.
func reload(t *testing.T, ca *pki.CA, opts ...pki.Option) *pki.CA {
	t.Helper()
	again, err := pki.LoadCA(ca.CertPEM(), ca.KeyPEM().Reveal(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func issue(t *testing.T, ca *pki.CA, req pki.Request) *pki.Leaf {
	t.Helper()
	leaf, err := ca.Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func inspect(t *testing.T, pem []byte) pki.Info {
	t.Helper()
	info, err := pki.Inspect(pem)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func parse(t *testing.T, data []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("no PEM block")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func serverRequest() pki.Request {
	return pki.Request{
		CommonName: "pg1",
		DNSNames:   []string{"pg1.example.com", "localhost"},
		IPs: []netip.Addr{netip.MustParseAddr("192.168.0.203"),
			netip.MustParseAddr("127.0.0.1")},
		Usage: pki.ServerUsage,
	}
}
