package pki_test

import (
	"bytes"
	"context"
	"crypto/x509"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

//go:embed testdata/handshake.py
var handshakeScript string

// run executes another program and returns what it said.
func run(t *testing.T, stdin []byte, argv ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func lookPath(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}

// realCAs are authorities of the present, in both kinds of key.
func realCAs(t *testing.T) map[string]*pki.CA {
	t.Helper()
	cas := map[string]*pki.CA{}
	for name, opts := range map[string][]pki.Option{"ECDSA": nil, "RSA": {pki.WithRSA(2048)}} {
		ca, err := pki.NewCA(name, opts...)
		if err != nil {
			t.Fatal(err)
		}
		cas[name] = ca
	}
	return cas
}

func TestOpenSSLStrict(t *testing.T) {
	t.Parallel()
	openssl := lookPath(t, "openssl")
	for name, ca := range realCAs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := write(t, "ca.pem", ca.CertPEM())
			server := write(t, "server.pem", issue(t, ca, serverRequest()).CertPEM)
			clientLeaf := issue(t, ca, pki.Request{CommonName: "app", Usage: pki.ClientUsage})
			client := write(t, "client.pem", clientLeaf.CertPEM)
			verify := []string{openssl, "verify", "-x509_strict", "-CAfile", root, "-purpose"}
			tests := map[string]struct {
				args []string
				ok   bool
			}{
				"server name": {[]string{"sslserver", "-verify_hostname", "pg1.example.com",
					server}, true},
				"server address": {[]string{"sslserver", "-verify_ip", "192.168.0.203",
					server}, true},
				"wrong address": {[]string{"sslserver", "-verify_ip", "192.168.0.204",
					server}, false},
				"client":        {[]string{"sslclient", client}, true},
				"client serves": {[]string{"sslserver", client}, false},
				"server dials":  {[]string{"sslclient", server}, false},
			}
			for what, test := range tests {
				out, err := run(t, nil, append(verify[:len(verify):len(verify)], test.args...)...)
				if (err == nil) != test.ok {
					t.Errorf("%s: %v\n%s", what, err, out)
				}
			}
			if out, err := run(t, clientLeaf.KeyPEM.Reveal(), openssl, "pkey", "-check",
				"-noout"); err != nil {
				t.Errorf("key: %v\n%s", err, out)
			}
		})
	}
}

// python returns the newest interpreter, for its default TLS rules.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3.14", "python3.13"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if _, err := run(t, nil, path, "-c", "import ssl"); err == nil {
			return path
		}
	}
	path := lookPath(t, "python3")
	if out, err := run(t, nil, path, "-c", "import ssl; ssl.VERIFY_X509_STRICT"); err != nil {
		t.Skipf("python3 has no strict verification: %s", out)
	}
	return path
}

func TestPythonStrictHandshake(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	script := write(t, "handshake.py", []byte(handshakeScript))
	for name, ca := range realCAs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := write(t, "ca.pem", ca.CertPEM())
			req := serverRequest()
			req.Usage = pki.PeerUsage
			peer := write(t, "peer.pem", issue(t, ca, req).Encode().Reveal())
			out, err := run(t, nil, interpreter, script, root, peer, "192.168.0.203")
			if err != nil {
				t.Errorf("strict handshake failed: %v\n%s", err, out)
			}
			if out, err := run(t, nil, interpreter, script, root, peer,
				"192.168.0.204"); err == nil {
				t.Errorf("a wrong address was accepted\n%s", out)
			}
		})
	}
}

// The root that "openssl req -x509" used to make must fail, or the test above
// proves nothing.
func TestPythonStrictRefusesRootWithoutKeyUsage(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	root, key := rootWith(t, func(c *x509.Certificate) { c.KeyUsage = 0 })
	self := write(t, "self.pem", append(key, root...))
	script := write(t, "handshake.py", []byte(handshakeScript))
	if out, err := run(t, nil, interpreter, script, write(t, "ca.pem", root), self,
		"192.168.0.203"); err == nil {
		t.Errorf("accepted\n%s", out)
	}
}
