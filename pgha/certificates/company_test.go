package certificates

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestImportSaysWhatIsWrong: each refusal names the file, which certificate, the reason and what to
// do.
func TestImportSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, c := newWork(t)
	company, own := testkit.NewCompany(t), c.site.State.Replacement(layout.EtcdAuthority).Company()
	request, err := own.Ask(c.site.Spec)
	if err != nil {
		t.Fatal(err)
	}
	key, err := c.site.State.Read("ca/etcd-request.key")
	if err != nil {
		t.Fatal(err)
	}
	good := company.Sign(t, request)
	with := func(change func(*x509.Certificate)) []byte { return company.Sign(t, request, change) }
	for name, tt := range map[string]struct {
		content   []byte
		is        error
		says, how string
	}{
		"a private key":  {append(bytes.Clone(good), key...), pki.ErrPrivateKey, "private key", "keep keys"},
		"another key":    {company.Root(), pki.ErrKeyMismatch, "certificate 1 of 1", "`certificates request etcd`"},
		"no root":        {good[:len(good)-len(company.Root())], pki.ErrRootMissing, "Company Root", "up to the root"},
		"another root":   {append(good[:len(good)-len(company.Root()):len(good)-len(company.Root())], testkit.NewCompany(t).Root()...), pki.ErrSignature, "certificate 1 of 2", "signer"},
		"a stray one":    {append(bytes.Clone(good), company.Stranger(t, "x").Cert...), pki.ErrStray, "certificate 3 of 3 (CN=x", "leave it out"},
		"nothing":        {[]byte("DER"), pki.ErrInvalidPEM, "no certificate", "-inform DER"},
		"not an issuer":  {with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), pki.ErrNotCA, "keyCertSign", "pathlen:0"},
		"ends too early": {with(func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 0, 200) }), pki.ErrEndsEarly, "CN=" + c.site.Spec.Cluster, "tls.leaf_lifetime_days"},
		"ended":          {with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), pki.ErrExpired, "was valid until", "renewed"},
		"begins later":   {with(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }), pki.ErrNotYetValid, "valid from", "clock"},
		"other names":    {with(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"corp.example"} }), pki.ErrNameExcluded, "not permitted", "`certificates request etcd`"},
		"servers only":   {with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), pki.ErrUsage, "usage", "clientAuth"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := own.Read(c.site.Spec, tt.content)
			err = aboutImport(err, ImportOptions{Authority: "etcd", File: "signed.pem"})
			for _, is := range []error{tt.is, errs.ErrRefused} {
				if !errors.Is(err, is) {
					t.Errorf("%v is not %v", err, is)
				}
			}
			for _, word := range []string{"signed.pem: ", tt.says} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%v, without %q", err, word)
				}
			}
			if hint := remote.Hint(err); !strings.Contains(hint, tt.how) {
				t.Errorf("hint %q, without %q", hint, tt.how)
			}
		})
	}
	// A company may limit what is signed below, or not: the tool signs no authority.
	for _, limited := range []bool{false, true} {
		signed := with(func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, limited })
		block, _ := pem.Decode(signed)
		first := must(x509.ParseCertificate(block.Bytes))(t)
		if (first.MaxPathLen == 0) != limited {
			t.Fatalf("the path length is %d", first.MaxPathLen)
		}
		if _, err := own.Read(c.site.Spec, signed); err != nil {
			t.Errorf("limited %t: %v", limited, err)
		}
	}
	if err := own.Take(must(own.Read(c.site.Spec, good))(t)); err != nil {
		t.Fatal(err)
	}
	for name, authority := range map[string]string{"rest": "rest", "backup": "backup"} {
		if _, _, err := c.company(t.Context(), authority, true); !errors.Is(err,
			vault.ErrNotForCompany) || errs.KindOf(err) != errs.Refused || remote.Hint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestWhichAuthorityComes: an imported one, and else one of the tool's own only where nobody can
// take that for a mistake.
func TestWhichAuthorityComes(t *testing.T) {
	t.Parallel()
	_, c := newWork(t)
	company, own := testkit.NewCompany(t), c.site.State.Replacement(layout.EtcdAuthority).Company()
	next := func(when string, want string, refused bool) {
		t.Helper()
		got, err := c.next(layout.EtcdAuthority, false)
		if got != want || errors.Is(err, errs.ErrRefused) != refused ||
			refused && !strings.Contains(remote.Hint(err), "--own") {
			t.Errorf("%s: %q, %v", when, got, err)
		}
		if got, err := c.next(layout.EtcdAuthority, true); got != "" || err != nil {
			t.Errorf("%s, with --own: %q, %v", when, got, err)
		}
	}
	next("at first", "", false)
	request := must(own.Ask(c.site.Spec))(t)
	next("with an open request", "", true)
	if err := own.Take(must(own.Read(c.site.Spec, company.Sign(t, request)))(t)); err != nil {
		t.Fatal(err)
	}
	_, fingerprint, err := own.Imported()
	if err != nil {
		t.Fatal(err)
	}
	next("with an imported one", fingerprint, false)
	if err := errors.Join(own.Introduce(c.site.Spec, fingerprint), own.Adopt(), own.CloseWayBack(),
		own.Forget()); err != nil {
		t.Fatal(err)
	}
	next("with one of the company in force", "", true)
	list := authorities(c.site, time.Now())
	if a := list[0]; a.Name != "etcd" || a.Role != "issues" || !a.Key ||
		a.Root != "CN=Company Root,O=Company" || a.Problem != "" || a.ChainEnds.IsZero() {
		t.Errorf("listed as %+v", a)
	}
	must(own.Ask(c.site.Spec))(t)
	if a := authorities(c.site, time.Now())[1]; a.Role != "requested" || a.File != "ca/etcd-request.csr" {
		t.Errorf("listed as %+v", a)
	}
}
