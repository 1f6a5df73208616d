package pki_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	ca, other := newCA(t, pki.WithLifetime(1000*time.Hour)), newCA(t)
	server := issue(t, ca, serverRequest()).CertPEM
	client := issue(t, ca, pki.Request{CommonName: "app", Usage: pki.ClientUsage}).CertPEM
	tests := map[string]struct {
		cert, roots []byte
		opts        pki.VerifyOptions
		want        error
	}{
		"name": {
			server, ca.CertPEM(), pki.VerifyOptions{Usage: pki.ServerUsage,
				Name: "pg1.example.com"}, nil,
		},
		"address": {server, ca.CertPEM(), pki.VerifyOptions{Usage: pki.ServerUsage,
			Name: "192.168.0.203"}, nil},
		"client": {client, ca.CertPEM(), pki.VerifyOptions{Usage: pki.ClientUsage}, nil},
		"bundle": {
			server, slices.Concat(other.CertPEM(), ca.CertPEM()),
			pki.VerifyOptions{Usage: pki.ServerUsage}, nil,
		},
		"server as peer": {server, ca.CertPEM(), pki.VerifyOptions{Usage: pki.PeerUsage},
			pki.ErrUsage},
		"client serves": {client, ca.CertPEM(), pki.VerifyOptions{Usage: pki.ServerUsage},
			pki.ErrUsage},
		"other root": {server, other.CertPEM(), pki.VerifyOptions{Usage: pki.ServerUsage},
			pki.ErrUntrusted},
		"no usage": {server, ca.CertPEM(), pki.VerifyOptions{}, pki.ErrInvalidRequest},
		"no roots": {server, nil, pki.VerifyOptions{Usage: pki.ServerUsage}, pki.ErrInvalidPEM},
		"early": {
			server, ca.CertPEM(), pki.VerifyOptions{Usage: pki.ServerUsage,
				At: epoch.Add(-time.Hour)},
			pki.ErrNotYetValid,
		},
		"late": {
			server, ca.CertPEM(),
			pki.VerifyOptions{Usage: pki.ServerUsage, At: epoch.Add(1001 * time.Hour)},
			pki.ErrExpired,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.opts.At.IsZero() {
				test.opts.At = epoch
			}
			if err := pki.Verify(test.cert, test.roots, test.opts); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestVerifyWrongName(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	leaf := issue(t, ca, serverRequest()).CertPEM
	for _, name := range []string{"pg2.example.com", "192.168.0.204", "pg1"} {
		var wrong x509.HostnameError
		err := pki.Verify(leaf, ca.CertPEM(), pki.VerifyOptions{Usage: pki.ServerUsage, Name: name,
			At: epoch})
		if !errors.As(err, &wrong) {
			t.Errorf("%s: got %v, want x509.HostnameError", name, err)
		}
	}
}

// A leaf made elsewhere may outlive its root, which x509 then calls unknown.
func TestVerifyNamesAnExpiredRoot(t *testing.T) {
	t.Parallel()
	now := time.Now()
	root, key := rootWith(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = now, now.Add(time.Hour)
	})
	ca, err := pki.LoadCA(root, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := altered(t, ca, func(c *x509.Certificate) {
		c.NotAfter = c.NotAfter.Add(24 * time.Hour)
	})
	opts := pki.VerifyOptions{Usage: pki.ServerUsage, At: now.Add(2 * time.Hour)}
	if err := pki.Verify(leaf, root, opts); !errors.Is(err, pki.ErrExpired) ||
		!strings.Contains(err.Error(), "root") {
		t.Errorf("got %v, want ErrExpired of the root", err)
	}
}

// altered is a leaf that another tool might have signed with ca's key.
func altered(t *testing.T, ca *pki.CA, change func(*x509.Certificate)) []byte {
	t.Helper()
	signer, err := tls.X509KeyPair(ca.CertPEM(), ca.KeyPEM().Reveal())
	if err != nil {
		t.Fatal(err)
	}
	template := parse(t, issue(t, ca, serverRequest()).CertPEM)
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, signer.Leaf, template.PublicKey,
		signer.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
