package pki_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

// signer is an authority of a company.
type signer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (s signer) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw})
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signs makes an authority for a key, self-signed without a parent.
func signs(t *testing.T, name string, parent *signer, key crypto.Signer,
	change func(*x509.Certificate)) signer {
	t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, SerialNumber: big.NewInt(7),
		NotBefore: epoch.Add(-time.Hour), NotAfter: epoch.AddDate(5, 0, 0),
		BasicConstraintsValid: true, IsCA: true, MaxPathLen: -1,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	if change != nil {
		change(c)
	}
	issuer, by := c, key
	if parent != nil {
		issuer, by = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signer{cert, key}
}

// requested is a request of ours, with its key.
func requested(t *testing.T) (keyPEM []byte, key crypto.Signer) {
	t.Helper()
	text, secret, err := pki.NewSigningRequest("demo etcd CA")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || request.CheckSignature() != nil ||
		request.Subject.CommonName != "demo etcd CA" || len(request.Extensions) != 2 {
		t.Fatalf("request %+v, %v", request, err)
	}
	block, _ = pem.Decode(secret.Reveal())
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal(), parsed.(crypto.Signer)
}

func leafOptions() pki.SignedOptions {
	leaf := serverRequest()
	leaf.Usage, leaf.Lifetime = pki.PeerUsage, 365*24*time.Hour
	return pki.SignedOptions{Leaf: leaf, At: epoch}
}

// company is a root, an authority below it, and ours below that.
type company struct {
	root, policy, ours signer
	keyPEM             []byte
	key                crypto.Signer
}

func newCompany(t *testing.T) company {
	t.Helper()
	c := company{}
	c.keyPEM, c.key = requested(t)
	c.root = signs(t, "root", nil, newKey(t), nil)
	c.policy = signs(t, "policy", &c.root, newKey(t), nil)
	c.ours = signs(t, "ours", &c.policy, c.key, only)
	return c
}

// only is an authority with none below it.
func only(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true }

func (c company) file(certs ...signer) []byte {
	var text []byte
	for _, s := range certs {
		text = append(text, s.pem()...)
	}
	return text
}

// TestReadSigned: whatever the order, the chain is the same, and works in every form.
func TestReadSigned(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	want := c.file(c.ours, c.policy, c.root)
	for _, file := range [][]byte{want, c.file(c.root, c.policy, c.ours),
		c.file(c.policy, c.ours, c.root, c.policy),
		append([]byte("subject=/CN=ours\n"), c.file(c.policy, c.root, c.ours)...)} {
		got, err := pki.ReadSigned(file, c.keyPEM, leafOptions())
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\n%s", err, got)
		}
	}
	ca, err := pki.LoadCA(want, c.keyPEM, pki.WithClock(at(epoch)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ca.CertPEM(), c.ours.pem()) || !bytes.Equal(ca.ChainPEM(), want) ||
		!bytes.Equal(ca.RootPEM(), c.root.pem()) ||
		!bytes.Equal(ca.SentPEM(), c.file(c.ours, c.policy)) {
		t.Error("the chain falls into other parts")
	}
	own := newCA(t)
	if len(own.SentPEM()) > 0 || !bytes.Equal(own.RootPEM(), own.CertPEM()) ||
		!bytes.Equal(own.ChainPEM(), own.CertPEM()) || !own.Ends().Equal(own.Info().NotAfter) {
		t.Error("a self-signed authority has a chain")
	}
	leaf := issue(t, ca, leafOptions().Leaf)
	stranger := issue(t, mustLoad(t, c, "other"), leafOptions().Leaf)
	for name, tt := range map[string]struct {
		shown, trusted []byte
		want           error
	}{
		"with the root alone":       {leaf.KeyPair().Cert, ca.RootPEM(), nil},
		"with ours alone":           {leaf.KeyPair().Cert, ca.CertPEM(), nil},
		"with the whole chain":      {leaf.KeyPair().Cert, ca.ChainPEM(), nil},
		"without the intermediates": {leaf.CertPEM, ca.RootPEM(), pki.ErrUntrusted},
		"another one of the company's, with ours alone": {stranger.KeyPair().Cert, ca.CertPEM(),
			pki.ErrUntrusted},
		"another one of the company's, with the root": {stranger.KeyPair().Cert, ca.RootPEM(), nil},
	} {
		err := pki.Verify(tt.shown, tt.trusted, pki.VerifyOptions{Usage: pki.PeerUsage, At: epoch,
			Name: "pg1.example.com"})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if err := ca.Covers(leaf.KeyPair().Cert, leafOptions().Leaf); err != nil {
		t.Errorf("its own certificate does not do: %v", err)
	}
}

// TestReadSignedWithPath: a company may sign an authority that could have others below it. Those are
// accepted by who trusts it then, and with pathlen:0 they are not.
func TestReadSignedWithPath(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	for name, tt := range map[string]struct {
		change  func(*x509.Certificate)
		refused bool
	}{
		"without a limit": {nil, false},
		"pathlen:1":       {func(c *x509.Certificate) { c.MaxPathLen = 1 }, false},
		"pathlen:0":       {only, true},
	} {
		ours := signs(t, "ours", &c.policy, c.key, tt.change)
		chain, err := pki.ReadSigned(c.file(ours, c.policy, c.root), c.keyPEM, leafOptions())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := pki.LoadCA(chain, c.keyPEM); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		keyPEM, key := requested(t)
		below := signs(t, "below", &ours, key, only)
		other, err := pki.LoadCA(c.file(below, ours, c.policy, c.root), keyPEM,
			pki.WithClock(at(epoch)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err = pki.Verify(issue(t, other, leafOptions().Leaf).KeyPair().Cert, ours.pem(),
			pki.VerifyOptions{Usage: pki.PeerUsage, At: epoch, Name: "pg1.example.com"})
		var invalid x509.CertificateInvalidError
		if tt.refused != (errors.As(err, &invalid) && invalid.Reason == x509.TooManyIntermediates) ||
			tt.refused != (err != nil) {
			t.Errorf("%s: what one below it signs: %v", name, err)
		}
	}
}

// TestIssuing: of what a client trusts a server may trust those that issue, and nobody above them.
func TestIssuing(t *testing.T) {
	t.Parallel()
	c, own := newCompany(t), newCA(t)
	for name, tt := range map[string]struct{ bundle, want []byte }{
		"one's own":            {own.CertPEM(), own.CertPEM()},
		"a chain":              {c.file(c.ours, c.policy, c.root), c.ours.pem()},
		"a chain in any order": {c.file(c.root, c.ours, c.policy), c.ours.pem()},
		"both, in a replacement": {append(own.CertPEM(), c.file(c.ours, c.policy, c.root)...),
			append(own.CertPEM(), c.ours.pem()...)},
		"nothing": {nil, nil},
	} {
		if got := pki.Issuing(tt.bundle); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// mustLoad is another authority below the company's root.
func mustLoad(t *testing.T, c company, name string) *pki.CA {
	t.Helper()
	keyPEM, key := requested(t)
	other := signs(t, name, &c.root, key, only)
	ca, err := pki.LoadCA(c.file(other, c.root), keyPEM, pki.WithClock(at(epoch)))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// TestSignedClamps: no certificate outlives one of the chain, whichever that is.
func TestSignedClamps(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	soon := epoch.Add(400 * 24 * time.Hour)
	c.root = signs(t, "root", nil, newKey(t), func(c *x509.Certificate) { c.NotAfter = soon })
	ours := signs(t, "ours", &c.root, c.key, only)
	chain, err := pki.ReadSigned(c.file(ours, c.root), c.keyPEM, leafOptions())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.LoadCA(chain, c.keyPEM, pki.WithClock(at(epoch.Add(100*24*time.Hour))))
	if err != nil {
		t.Fatal(err)
	}
	leaf := issue(t, ca, leafOptions().Leaf)
	if got := inspect(t, leaf.CertPEM).NotAfter; !got.Equal(soon) || !ca.Ends().Equal(soon) {
		t.Errorf("it ends on %s, the root on %s", got, soon)
	}
	late, err := pki.LoadCA(chain, c.keyPEM, pki.WithClock(at(soon.Add(time.Second))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Issue(leafOptions().Leaf); !errors.Is(err, pki.ErrExpired) {
		t.Errorf("below a root that has ended: %v", err)
	}
}

// TestReadSignedRefuses has a row for each fault of a file: which certificate it names, and why.
func TestReadSignedRefuses(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	with := func(change func(*x509.Certificate)) signer {
		return signs(t, "ours", &c.policy, c.key, change)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	below := func(parent signer) []byte {
		return c.file(signs(t, "ours", &parent, c.key, only), parent, c.root)
	}
	der := slices.Clone(c.ours.cert.Raw)
	der[len(der)-1] ^= 1
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	impostor := signs(t, "policy", &c.root, newKey(t), nil)
	mutual := signs(t, "mutual", nil, newKey(t), nil)
	_, excluded, _ := net.ParseCIDR("10.0.0.0/8")
	for name, tt := range map[string]struct {
		file []byte
		want error
		says string
	}{
		"nothing": {nil, pki.ErrInvalidPEM, "no certificate found"},
		"half a certificate": {c.file(c.ours, c.policy, c.root)[:900], pki.ErrInvalidPEM,
			"damaged"},
		"the key beside it": {append(c.file(c.ours, c.policy, c.root), c.keyPEM...),
			pki.ErrPrivateKey, "private key"},
		"another key": {c.file(signs(t, "ours", &c.policy, newKey(t), nil), c.policy, c.root),
			pki.ErrKeyMismatch, "certificate 1 of 3 (CN=ours)"},
		"no authority": {c.file(with(func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.MaxPathLen = false, true, 0
		}), c.policy, c.root), pki.ErrNotCA, "CA:TRUE"},
		"no keyCertSign": {c.file(c.policy, with(func(c *x509.Certificate) {
			c.KeyUsage = x509.KeyUsageCRLSign
		}), c.root), pki.ErrNotCA, "certificate 2 of 3 (CN=ours)"},
		"no cRLSign": {c.file(with(func(c *x509.Certificate) {
			c.KeyUsage = x509.KeyUsageCertSign
		}), c.policy, c.root), pki.ErrNotCA, "revocation lists"},
		"no key usage": {c.file(with(func(c *x509.Certificate) { c.KeyUsage = 0 }), c.policy,
			c.root), pki.ErrNotCA, "key usage"},
		"an intermediate that is none": {below(signs(t, "policy", &c.root, newKey(t),
			func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })),
			pki.ErrNotCA, "certificate 2 of 3 (CN=policy)"},
		"no path left": {below(signs(t, "policy", &c.root, newKey(t), only)), pki.ErrPathLength,
			"pathlen:0, with 1 below it"},
		"not yet valid": {c.file(with(func(c *x509.Certificate) {
			c.NotBefore = epoch.Add(time.Hour)
		}), c.policy, c.root), pki.ErrNotYetValid, "the clock says"},
		"no longer valid": {below(signs(t, "policy", &c.root, newKey(t),
			func(c *x509.Certificate) { c.NotAfter = epoch.Add(-time.Minute) })), pki.ErrExpired,
			"CN=policy"},
		"ends before its leaves": {c.file(with(func(c *x509.Certificate) {
			c.NotAfter = epoch.AddDate(0, 0, 364)
		}), c.policy, c.root), pki.ErrEndsEarly, "2031-01-01"},
		"a missing intermediate": {c.file(c.ours, c.root), pki.ErrIssuerMissing, `"CN=policy"`},
		"no root": {c.file(c.ours, c.policy), pki.ErrRootMissing,
			"certificate 2 of 2 (CN=policy)"},
		"itself alone": {c.file(c.ours), pki.ErrRootMissing, `"CN=policy" is not in it`},
		"self-signed":  {c.file(signs(t, "ours", nil, c.key, only)), pki.ErrIssuerMissing, "self"},
		"a broken signature": {append(broken, c.file(c.policy, c.root)...), pki.ErrSignature,
			"CN=ours"},
		"an impostor of its issuer": {c.file(c.ours, impostor, c.root), pki.ErrSignature,
			`by "CN=policy", which is in the file`},
		"a stray one": {c.file(c.ours, c.policy, c.root, mutual), pki.ErrStray,
			"certificate 4 of 4 (CN=mutual)"},
		"a weak key": {below(signs(t, "policy", &c.root, weak, nil)), pki.ErrWeak,
			"RSA key of 1024 bits"},
		"a name that is excluded": {c.file(with(func(c *x509.Certificate) {
			c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"example.org"}, true
		}), c.policy, c.root), pki.ErrNameExcluded, `"localhost"`},
		"an address that is excluded": {c.file(with(func(c *x509.Certificate) {
			c.PermittedIPRanges = []*net.IPNet{excluded}
		}), c.policy, c.root), pki.ErrNameExcluded, "127.0.0.1"},
		"servers alone": {c.file(with(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}), c.policy, c.root), pki.ErrUsage, "usage"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pki.ReadSigned(tt.file, c.keyPEM, leafOptions())
			var signed *pki.SignedError
			if !errors.Is(err, tt.want) || !errors.As(err, &signed) ||
				!strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %v with %q", err, tt.want, tt.says)
			}
		})
	}
}

// TestOpenSSLSigns: a company that works with openssl signs a request as the documentation says,
// and openssl verifies what the authority issues with the root alone.
func TestOpenSSLSigns(t *testing.T) {
	t.Parallel()
	openssl := lookPath(t, "openssl")
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	put := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(in(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do := func(args ...string) string {
		t.Helper()
		out, err := run(t, nil, append([]string{openssl}, args...)...)
		if err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
		return out
	}
	request, key, err := pki.NewSigningRequest("demo postgres CA")
	if err != nil {
		t.Fatal(err)
	}
	put("ca.csr", request)
	put("ca.ext", []byte("basicConstraints = critical,CA:TRUE,pathlen:0\n"+
		"keyUsage = critical,keyCertSign,cRLSign\nsubjectKeyIdentifier = hash\n"+
		"authorityKeyIdentifier = keyid\n"))
	do("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-subj",
		"/O=Company/CN=Company Root", "-days", "3650", "-keyout", in("root.key"), "-out",
		in("root.crt"), "-addext", "keyUsage=critical,keyCertSign,cRLSign")
	if out := do("req", "-in", in("ca.csr"), "-noout", "-verify", "-text"); !strings.Contains(out,
		"CA:TRUE, pathlen:0") || !strings.Contains(out, "Certificate Sign, CRL Sign") {
		t.Errorf("the request does not say what it wants:\n%s", out)
	}
	sign := func(out string, extra ...string) []byte {
		t.Helper()
		do(append([]string{"x509", "-req", "-in", in("ca.csr"), "-CA", in("root.crt"), "-CAkey",
			in("root.key"), "-days", "1825", "-extfile", in("ca.ext"), "-out", in(out)}, extra...)...)
		both := append(read(t, in(out)), read(t, in("root.crt"))...)
		return both
	}
	opts := leafOptions()
	opts.At = time.Time{}
	chain, err := pki.ReadSigned(sign("ca.crt"), key.Reveal(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pki.ReadSigned(sign("old.crt", "-sha1"), key.Reveal(), opts); !errors.Is(err,
		pki.ErrWeak) {
		t.Errorf("signed with SHA-1: %v", err)
	}
	put("ca.ext", []byte("basicConstraints = CA:FALSE\n"))
	if _, err := pki.ReadSigned(sign("leaf.crt"), key.Reveal(), opts); !errors.Is(err,
		pki.ErrNotCA) {
		t.Errorf("signed as a leaf: %v", err)
	}
	ca, err := pki.LoadCA(chain, key.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	leaf := issue(t, ca, opts.Leaf)
	put("shown.crt", leaf.KeyPair().Cert)
	put("sent.crt", ca.SentPEM())
	put("own.crt", ca.CertPEM())
	verify := []string{"verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname",
		"pg1.example.com"}
	do(append(verify, "-CAfile", in("root.crt"), "-untrusted", in("sent.crt"), in("shown.crt"))...)
	// What OpenSSL calls trusted without being told otherwise ends with a root.
	do(append(verify, "-partial_chain", "-no-CApath", "-CAfile", in("own.crt"), in("shown.crt"))...)
	if out, err := run(t, nil, append(append([]string{openssl}, verify...), "-no-CApath", "-CAfile",
		in("own.crt"), in("shown.crt"))...); err == nil {
		t.Errorf("an intermediate is an anchor without -partial_chain:\n%s", out)
	}
	list, err := ca.Revoke(nil, leaf.CertPEM)
	if err != nil {
		t.Fatal(err)
	}
	put("list.crl", list)
	if out := do("crl", "-inform", "DER", "-in", in("list.crl"), "-CAfile", in("own.crt"),
		"-noout"); !strings.Contains(out, "verify OK") {
		t.Errorf("the list of revoked certificates: %s", out)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
