package vault_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// taken has an authority of a company imported, which waits for its replacement.
func taken(t *testing.T, s *vault.State, sp *spec.Spec, authority string,
	company *testkit.Company) (fingerprint string) {
	t.Helper()
	own := s.Replacement(authority).Company()
	chain := must(own.Read(sp, company.Sign(t, must(own.Ask(sp))(t))))(t)
	if err := own.Take(chain); err != nil {
		t.Fatal(err)
	}
	_, fingerprint, err := own.Imported()
	if err != nil {
		t.Fatal(err)
	}
	return fingerprint
}

// bringIn replaces an authority by one of a company.
func bringIn(t *testing.T, s *vault.State, sp *spec.Spec, authority string,
	company *testkit.Company) {
	t.Helper()
	p, next := s.Replacement(authority), taken(t, s, sp, authority, company)
	if err := errors.Join(p.Introduce(sp, next), p.Adopt(), p.CloseWayBack(),
		p.Forget()); err != nil {
		t.Fatal(err)
	}
}

// TestCompanysAuthority: what servers trust is the authority alone, what clients do the whole
// chain, what is shown has the intermediate behind it, and the request is gone once it is in force.
func TestCompanysAuthority(t *testing.T) {
	t.Parallel()
	sp, company := testkit.Spec(t), testkit.NewCompany(t)
	s, _ := load(t, sp)
	for _, authority := range []string{layout.EtcdAuthority, layout.PostgresAuthority} {
		bringIn(t, s, sp, authority, company)
		if own := s.Replacement(authority).Company(); own.Request() != nil || !own.InForce() {
			t.Errorf("%s: the request is still open, or something else is in force", authority)
		}
	}
	c := reload(t, s, sp)
	issuer := pki.Issuing(c.EtcdClientCA)
	if !bytes.Equal(c.EtcdCA, issuer) || bytes.Contains(c.EtcdCA, company.Root()) ||
		!bytes.Contains(c.EtcdClientCA, company.Root()) ||
		!bytes.Contains(c.PostgresCA, company.Root()) ||
		!bytes.Equal(must(s.Read("postgres-ca.crt"))(t), c.PostgresCA) {
		t.Errorf("servers trust\n%s\nclients trust\n%s", c.EtcdCA, c.EtcdClientCA)
	}
	stranger := company.Stranger(t, "other")
	for name, tt := range map[string]struct {
		shown, trusted []byte
		usage          pki.Usage
		want           error
	}{
		"an application has the root": {c.Hosts["pg1"][layout.Postgres].Cert, company.Root(),
			pki.ServerUsage, nil},
		"etcdctl has the root": {c.Hosts["pg1"][layout.EtcdServer].Cert, company.Root(),
			pki.ServerUsage, nil},
		"Patroni opens etcd":  {c.Hosts["pg1"][layout.EtcdClient].Cert, c.EtcdCA, pki.ClientUsage, nil},
		"the operator":        {c.EtcdOperator.Cert, c.EtcdCA, pki.ClientUsage, nil},
		"a peer opens a peer": {c.Hosts["pg1"][layout.EtcdPeer].Cert, c.EtcdCA, pki.PeerUsage, nil},
		"another certificate of the company": {stranger.Cert, c.EtcdCA, pki.ClientUsage,
			pki.ErrUntrusted},
		"PostgreSQL's own": {c.Hosts["pg1"][layout.Postgres].Cert, c.EtcdCA, pki.ServerUsage,
			pki.ErrUntrusted},
		"rest is as it was": {c.Hosts["pg1"][layout.RESTServer].Cert, c.PatroniCA,
			pki.ServerUsage, nil},
	} {
		if err := pki.Verify(tt.shown, tt.trusted,
			pki.VerifyOptions{Usage: tt.usage}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	// Renewing continues from it, and nothing is renewed twice.
	again := reload(t, s, sp)
	if !bytes.Equal(again.Hosts["pg1"][layout.EtcdServer].Cert,
		c.Hosts["pg1"][layout.EtcdServer].Cert) {
		t.Error("a certificate was issued anew although nothing is due")
	}
	// A host that leaves is taken back by the list of the authority.
	without := *sp
	without.Hosts = slices.DeleteFunc(slices.Clone(sp.Hosts), func(h spec.Host) bool {
		return h.Name == "pg1"
	})
	if err := s.Disown(sp, &without); err != nil {
		t.Fatal(err)
	}
	if list := must(s.Read("ca/etcd.crl"))(t); len(list) == 0 {
		t.Error("nothing is revoked")
	} else if crl := must(x509.ParseRevocationList(list))(t); len(crl.RevokedCertificateEntries) == 0 {
		t.Error("nothing is revoked")
	}
}

// TestCompanysAuthorityTakenBack: until it is in force for good it can be brought in again, and
// while both are there servers trust no root.
func TestCompanysAuthorityTakenBack(t *testing.T) {
	t.Parallel()
	sp, company := testkit.Spec(t), testkit.NewCompany(t)
	s, _ := load(t, sp)
	p := s.Replacement(layout.EtcdAuthority)
	former, next := must(p.Issuing())(t), taken(t, s, sp, layout.EtcdAuthority, company)
	if err := p.Introduce(sp, "another"); err == nil || p.Progress().Next {
		t.Errorf("one that was not imported came in: %v", err)
	}
	for _, adopt := range []bool{false, true} {
		if err := p.Introduce(sp, next); err != nil {
			t.Fatal(err)
		}
		if adopt {
			if err := p.Adopt(); err != nil {
				t.Fatal(err)
			}
		}
		c := reload(t, s, sp)
		if bytes.Contains(c.EtcdCA, company.Root()) || bytes.Count(c.EtcdCA, []byte("BEGIN")) != 2 ||
			bytes.Count(c.EtcdClientCA, []byte("BEGIN")) != 3 {
			t.Errorf("while both are there servers trust\n%s", c.EtcdCA)
		}
		if err := errors.Join(p.Revert(former), p.CloseWayBack(), p.Forget()); err != nil {
			t.Fatal(err)
		}
		if _, still, err := s.Replacement(layout.EtcdAuthority).Company().Imported(); err != nil || still != next ||
			must(p.Issuing())(t) != former {
			t.Errorf("after it was taken back: %q, %v", still, err)
		}
	}
	if err := errors.Join(p.Introduce(sp, next), p.Adopt()); err != nil {
		t.Fatal(err)
	}
	if now := must(p.Issuing())(t); now != next {
		t.Errorf("%s is in force, not the imported one", now)
	}
	// From one of the company to the next: the root is no witness of the former.
	if err := errors.Join(p.CloseWayBack(), p.Forget()); err != nil {
		t.Fatal(err)
	}
	second := taken(t, s, sp, layout.EtcdAuthority, company)
	if err := errors.Join(p.Introduce(sp, second), p.Adopt(), p.CloseWayBack()); err != nil {
		t.Fatal(err)
	}
	was, shown, err := p.Witness()
	if err != nil || shown.IsZero() || bytes.Count(was, []byte("BEGIN")) != 1 {
		t.Fatalf("witness %s, %v", was, err)
	}
	c := reload(t, s, sp)
	if err := pki.Verify(c.Hosts["pg1"][layout.EtcdServer].Cert, was,
		pki.VerifyOptions{Usage: pki.ServerUsage}); !errors.Is(err, pki.ErrUntrusted) {
		t.Errorf("the former authority verifies what the next one issued: %v", err)
	}
	if err := pki.Verify(shown.Cert, c.EtcdCA,
		pki.VerifyOptions{Usage: pki.ClientUsage}); !errors.Is(err, pki.ErrUntrusted) {
		t.Errorf("a certificate of the former authority opens etcd: %v", err)
	}
}

// TestRequests: a request is kept until another one is wanted, and what was signed for a former one
// does not do.
func TestRequests(t *testing.T) {
	t.Parallel()
	sp, company := testkit.Spec(t), testkit.NewCompany(t)
	s, _ := load(t, sp)
	own := s.Replacement(layout.PostgresAuthority).Company()
	if _, err := own.Read(sp, company.Root()); !errors.Is(err, vault.ErrNoRequest) {
		t.Errorf("without a request: %v", err)
	}
	first := must(own.Ask(sp))(t)
	if !bytes.Equal(own.Request(), first) {
		t.Error("the request is not kept")
	}
	signed := company.Sign(t, first)
	if err := own.Take(must(own.Read(sp, signed))(t)); err != nil {
		t.Fatal(err)
	}
	if second := must(own.Ask(sp))(t); bytes.Equal(first, second) {
		t.Error("another request has the same key")
	}
	if chain, _, err := own.Imported(); chain != nil || err != nil {
		t.Errorf("what was imported for the former request is still there: %v", err)
	}
	if _, err := own.Read(sp, signed); !errors.Is(err, pki.ErrKeyMismatch) {
		t.Errorf("what was signed for the former request: %v", err)
	}
	short := func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 1, 0) }
	if _, err := own.Read(sp, company.Sign(t, own.Request(), short)); !errors.Is(err,
		pki.ErrEndsEarly) {
		t.Errorf("one of a month: %v", err)
	}
	for _, authority := range []string{layout.PatroniAuthority, layout.BackupAuthority} {
		if err := s.Replacement(authority).Company().Possible(); !errors.Is(err, vault.ErrNotForCompany) {
			t.Errorf("%s: %v", authority, err)
		}
	}
}
