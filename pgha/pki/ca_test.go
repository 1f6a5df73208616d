package pki_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pgha/toolkit/pgha/pki"
)

func TestNewCAProfile(t *testing.T) {
	t.Parallel()
	cert := parse(t, newCA(t).CertPEM())
	got := map[string]any{
		"ca":    cert.IsCA && cert.BasicConstraintsValid,
		"path":  cert.MaxPathLen == 0 && cert.MaxPathLenZero,
		"usage": cert.KeyUsage,
		"ids": len(cert.SubjectKeyId) == 20 &&
			string(cert.SubjectKeyId) == string(cert.AuthorityKeyId),
		"notBefore": cert.NotBefore,
		"notAfter":  cert.NotAfter,
		"signed":    cert.CheckSignatureFrom(cert),
		"algorithm": cert.SignatureAlgorithm,
	}
	want := map[string]any{
		"ca":        true,
		"path":      true,
		"usage":     x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		"ids":       true,
		"notBefore": epoch.Add(-5 * time.Minute),
		"notAfter":  epoch.Add(10 * 365 * 24 * time.Hour),
		"signed":    nil,
		"algorithm": x509.ECDSAWithSHA256,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewCARefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		name string
		opt  pki.Option
	}{
		"empty name":    {name: " "},
		"long name":     {name: strings.Repeat("x", 65)},
		"line break":    {name: "a\nb"},
		"broken UTF-8":  {name: "a\xff"},
		"small RSA":     {name: "a", opt: pki.WithRSA(1024)},
		"huge RSA":      {name: "a", opt: pki.WithRSA(1 << 20)},
		"negative RSA":  {name: "a", opt: pki.WithRSA(-1)},
		"negative life": {name: "a", opt: pki.WithLifetime(-time.Hour)},
		"endless life":  {name: "a", opt: pki.WithLifetime(1<<63 - 1)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := []pki.Option{pki.WithClock(nil), pki.WithRandom(nil)}
			if test.opt != nil {
				opts = append(opts, test.opt)
			}
			if _, err := pki.NewCA(test.name, opts...); !errors.Is(err, pki.ErrInvalidRequest) {
				t.Errorf("got %v, want ErrInvalidRequest", err)
			}
		})
	}
}

func TestLoadCARoundTrip(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	again := reload(t, ca, pki.WithClock(at(epoch)))
	if diff := cmp.Diff(ca.CertPEM(), again.CertPEM()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(ca.KeyPEM(), again.KeyPEM()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(ca.Info(), again.Info(), cmpopts.EquateComparable()); diff != "" {
		t.Error(diff)
	}
	leaf := issue(t, again, serverRequest())
	if err := pki.Verify(leaf.CertPEM, ca.CertPEM(),
		pki.VerifyOptions{Usage: pki.ServerUsage, At: epoch}); err != nil {
		t.Error(err)
	}
}

func TestLoadCAReadsOlderKeyForms(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := newCA(t, pki.WithKeyGenerator(func() (crypto.Signer, error) { return key, nil }))
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	// openssl ecparam writes the parameters as a block of their own.
	sec1 := append([]byte("-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC "+
		"PARAMETERS-----\n"),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
	again, err := pki.LoadCA(ca.CertPEM(), sec1)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Info().KeyType; got != "ECDSA-P-384" {
		t.Errorf("key type %s", got)
	}
}

func TestLoadCARefuses(t *testing.T) {
	t.Parallel()
	ca, other := newCA(t), newCA(t)
	leaf := issue(t, ca, serverRequest())
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})
	plain, plainKey := rootWith(t, func(c *x509.Certificate) { c.KeyUsage = 0 })
	loose, looseKey := rootWith(t, func(c *x509.Certificate) {
		c.BasicConstraintsValid = false
		// CA:TRUE
		c.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 19},
			Value: []byte{0x30, 3, 1, 1, 0xff}}}
	})
	tests := map[string]struct {
		cert, key []byte
		opts      []pki.Option
		want      error
	}{
		"nothing":       {want: pki.ErrInvalidPEM},
		"no key":        {cert: ca.CertPEM(), want: pki.ErrInvalidPEM},
		"encrypted key": {cert: ca.CertPEM(), key: encrypted, want: pki.ErrInvalidPEM},
		"two keys": {
			cert: ca.CertPEM(), key: append(other.KeyPEM().Reveal(), ca.KeyPEM().Reveal()...),
			want: pki.ErrInvalidPEM,
		},
		"truncated": {cert: ca.CertPEM()[:200], key: ca.KeyPEM().Reveal(), want: pki.ErrInvalidPEM},
		"two certificates": {
			cert: append(ca.CertPEM(), other.CertPEM()...), key: ca.KeyPEM().Reveal(),
			want: pki.ErrInvalidPEM,
		},
		"other's key": {cert: ca.CertPEM(), key: other.KeyPEM().Reveal(),
			want: pki.ErrKeyMismatch},
		"leaf":         {cert: leaf.CertPEM, key: leaf.KeyPEM.Reveal(), want: pki.ErrNotCA},
		"no key usage": {cert: plain, key: plainKey, want: pki.ErrNotCA},
		"not critical": {cert: loose, key: looseKey, want: pki.ErrNotCA},
		"RSA asked": {
			cert: ca.CertPEM(), key: ca.KeyPEM().Reveal(), opts: []pki.Option{pki.WithRSA(0)},
			want: pki.ErrInvalidRequest,
		},
		"lifetime asked": {
			cert: ca.CertPEM(), key: ca.KeyPEM().Reveal(),
			opts: []pki.Option{pki.WithLifetime(time.Hour)},
			want: pki.ErrInvalidRequest,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := pki.LoadCA(test.cert, test.key, test.opts...); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// rootWith makes a root as another tool might, changed by the test.
func rootWith(t *testing.T, change func(*x509.Certificate)) (cert, key []byte) {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "made elsewhere"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

var errBroken = errors.New("broken")

// failingReader serves the first good reads, then fails.
type failingReader struct{ good int }

func (r *failingReader) Read(buf []byte) (int, error) {
	if r.good == 0 {
		return 0, errBroken
	}
	r.good--
	return rand.Read(buf)
}

// An authority and two leaves need three serial numbers and three keys; whichever
// of them fails, its error comes through and nothing half made is returned.
func TestNthFailure(t *testing.T) {
	t.Parallel()
	sources := map[string]func(n int) pki.Option{
		"random read": func(n int) pki.Option { return pki.WithRandom(&failingReader{good: n}) },
		"short read": func(n int) pki.Option {
			return pki.WithRandom(io.LimitReader(rand.Reader, int64(16*n+15)))
		},
		"key generation": func(n int) pki.Option {
			return pki.WithKeyGenerator(func() (crypto.Signer, error) {
				if n == 0 {
					return nil, errBroken
				}
				n--
				return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			})
		},
	}
	for name, source := range sources {
		for n := range 4 {
			made, err := makeThree(source(n))
			if made != min(n, 3) {
				t.Errorf("%s %d fails: %d certificates were made", name, n, made)
			}
			broken := errors.Is(err, errBroken) || errors.Is(err, io.ErrUnexpectedEOF)
			if broken != (n < 3) {
				t.Errorf("%s %d fails: error %v", name, n, err)
			}
		}
	}
}

func makeThree(opt pki.Option) (made int, err error) {
	ca, err := pki.NewCA("test CA", pki.WithClock(at(epoch)), opt)
	if err != nil {
		return 0, err
	}
	for made = 1; made < 3; made++ {
		leaf, err := ca.Issue(pki.Request{CommonName: "app", Usage: pki.ClientUsage})
		if err != nil {
			if leaf != nil {
				return -1, err
			}
			return made, err
		}
	}
	return made, nil
}

type zeros struct{}

func (zeros) Read(buf []byte) (int, error) { clear(buf); return len(buf), nil }

func TestSerialIsNeverZero(t *testing.T) {
	t.Parallel()
	if _, err := pki.NewCA("test CA", pki.WithRandom(zeros{})); err == nil {
		t.Error("a certificate with serial number 0 was made")
	}
}
