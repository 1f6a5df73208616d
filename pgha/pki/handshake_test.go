package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/pki"
)

// The three steps of replacing an authority, with a handshake at each boundary.
func TestGoHandshakeWhileTheAuthorityChanges(t *testing.T) {
	t.Parallel()
	cas := realCAs(t)
	before, after := cas["ECDSA"], cas["RSA"]
	req := serverRequest()
	req.Usage = pki.PeerUsage
	oldLeaf, newLeaf := issue(t, before, req), issue(t, after, req)
	both, err := pki.Bundle(before.CertPEM(), after.CertPEM())
	if err != nil {
		t.Fatal(err)
	}
	type side struct {
		leaf  *pki.Leaf
		roots []byte
	}
	tests := map[string]struct {
		server, client side
		ok             bool
	}{
		"old":             {side{oldLeaf, before.CertPEM()}, side{oldLeaf, before.CertPEM()}, true},
		"one trusts both": {side{oldLeaf, both}, side{oldLeaf, before.CertPEM()}, true},
		"one reissued":    {side{newLeaf, both}, side{oldLeaf, both}, true},
		"one done":        {side{newLeaf, after.CertPEM()}, side{newLeaf, both}, true},
		"step skipped":    {side{newLeaf, both}, side{oldLeaf, before.CertPEM()}, false},
	}
	for name, test := range tests {
		server := tlsConfig(t, test.server.leaf, test.server.roots)
		client := tlsConfig(t, test.client.leaf, test.client.roots)
		if err := handshake(server, client); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func tlsConfig(t *testing.T, leaf *pki.Leaf, roots []byte) *tls.Config {
	t.Helper()
	pair, err := tls.X509KeyPair(leaf.CertPEM, leaf.KeyPEM.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(roots)
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: trusted, ClientCAs: trusted,
		ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "192.168.0.203",
	}
}

func handshake(server, client *tls.Config) error {
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() {
		defer a.Close()
		done <- tls.Server(a, server).Handshake()
	}()
	err := tls.Client(b, client).Handshake()
	b.Close()
	if serverErr := <-done; err == nil {
		err = serverErr
	}
	return err
}

// A program that imports only this package compiles nothing but it and the
// standard library: no gRPC, nothing of the rest of the toolkit.
func TestDependsOnTheStandardLibraryAlone(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		"{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != "github.com/pgha/toolkit/pgha/pki" {
		t.Errorf("it also needs:\n%s", got)
	}
}
