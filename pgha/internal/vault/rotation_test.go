package vault_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// fits fails the test unless the credentials get along with hosts that trust and present what given
// says.
func fits(t *testing.T, when string, c *vault.Credentials, trusted, presented []byte) {
	t.Helper()
	if err := pki.Verify(c.PatroniOperator.Cert, trusted,
		pki.VerifyOptions{Usage: pki.ClientUsage}); err != nil {
		t.Errorf("%s: the operator is not let in: %v", when, err)
	}
	if err := pki.Verify(presented, c.PatroniCA,
		pki.VerifyOptions{Usage: pki.ServerUsage}); err != nil {
		t.Errorf("%s: a host is not trusted: %v", when, err)
	}
	// What an apply would put on the hosts gets along with them, too.
	for host, h := range c.Hosts {
		if err := pki.Verify(h[layout.RESTServer].Cert, trusted,
			pki.VerifyOptions{Usage: pki.ServerUsage}); err != nil {
			t.Errorf("%s: %s would not be trusted: %v", when, host, err)
		}
	}
}

// rotated is a state directory in which an authority is being replaced.
type rotated struct {
	*testing.T
	*vault.State
	sp       *spec.Spec
	oldCA    []byte
	oldLeaf  []byte
	former   string
	newCA    []byte
	newLeaf  []byte
	oldKey   []byte
	newKey   []byte
	both     []byte
	original *vault.Credentials
}

const rest = layout.PatroniAuthority

// introduced has a second authority that is trusted.
func introduced(t *testing.T) *rotated {
	t.Helper()
	sp := testkit.Spec(t)
	s, first := load(t, sp)
	r := &rotated{T: t, State: s, sp: sp, oldCA: first.PatroniCA, original: first,
		oldLeaf: first.Hosts["pg1"][layout.RESTServer].Cert}
	if s.Replacement(rest).Progress().Unfinished() || len(s.Rotating()) > 0 {
		t.Error("a rotation is unfinished before it was begun")
	}
	r.former = must(s.Replacement(rest).Issuing())(t)
	for range 2 { // safe to repeat
		if err := s.Replacement(rest).Introduce(sp, ""); err != nil {
			t.Fatal(err)
		}
	}
	r.oldKey = must(s.Read(vault.CAFile(rest, ".key")))(t)
	r.newKey = must(s.Read(vault.CAFile(rest+"-next", ".key")))(t)
	r.newCA = must(s.Read(vault.CAFile(rest+"-next", ".crt")))(t)
	r.both = must(pki.Bundle(r.oldCA, r.newCA))(t)
	next := must(pki.LoadCA(r.newCA, r.newKey))(t)
	issued := must(next.Issue(pki.Request{CommonName: "m1", DNSNames: []string{"pg1"},
		Usage: pki.ServerUsage}))(t)
	r.newLeaf = issued.CertPEM
	return r
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

func (r *rotated) look() *vault.Credentials {
	r.Helper()
	return reload(r.T, &vault.State{Dir: r.Dir, ReadOnly: true}, r.sp)
}

func (r *rotated) adopt() {
	r.Helper()
	if err := r.Replacement(rest).Adopt(); err != nil {
		r.Fatal(err)
	}
}

// TestAuthorityAtEachStage goes through a replacement and loads the credentials again after each
// stage, to look and to change. Whatever a run that was cut off there left on the hosts, they must
// fit.
func TestAuthorityAtEachStage(t *testing.T) {
	t.Parallel()
	r := introduced(t)
	for _, c := range []*vault.Credentials{r.look(), reload(t, r.State, r.sp)} {
		fits(t, "before a host trusts the new one", c, r.oldCA, r.oldLeaf)
		fits(t, "with both trusted", c, r.both, r.oldLeaf)
		fits(t, "with the new one presented", c, r.both, r.newLeaf)
	}
	trustedBefore := r.look().PatroniCA
	r.adopt()
	second := reload(t, r.State, r.sp)
	fits(t, "adopted, and no host has heard of it", second, r.both, r.oldLeaf)
	fits(t, "adopted, and a host presents it", second, r.both, r.newLeaf)
	if !bytes.Equal(second.PatroniCA, trustedBefore) {
		t.Error("what is trusted is another file than before, for which etcd would restart")
	}
	if err := pki.Verify(second.Hosts["pg1"][layout.RESTServer].Cert, r.newCA,
		pki.VerifyOptions{Usage: pki.ServerUsage}); err != nil {
		t.Errorf("what hosts get is not of the new one: %v", err)
	}
	if err := r.Replacement(rest).CloseWayBack(); err != nil {
		t.Fatal(err)
	}
	third := reload(t, r.State, r.sp)
	fits(t, "the way back closed", third, r.newCA, r.newLeaf)
	if !bytes.Equal(third.PatroniCA, r.newCA) {
		t.Error("the old authority is still trusted")
	}
	former, shown, err := r.Replacement(rest).Witness()
	if err != nil || !bytes.Equal(former, r.oldCA) || pki.Verify(shown.Cert, r.oldCA,
		pki.VerifyOptions{Usage: pki.ClientUsage}) != nil {
		t.Errorf("there is no witness: %v", err)
	}
	if err := r.Replacement(rest).Revert(r.former); !errors.Is(err, vault.ErrNoWayBack) {
		t.Errorf("without the key of the old one: %v", err)
	}
	if err := r.Replacement(rest).Forget(); err != nil || r.Replacement(rest).Progress().Unfinished() {
		t.Errorf("unfinished at the end: %v", err)
	}
	for _, name := range []string{vault.CAFile(rest+"-next", ".crt"),
		vault.CAFile(rest+"-next", ".key"), vault.CAFile(rest+"-old", ".crt"),
		vault.CAFile(rest+"-old", ".key"), "certs/former-patroni.key"} {
		if _, err := os.Stat(r.Path(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := pki.Verify(r.original.PatroniOperator.Cert, third.PatroniCA,
		pki.VerifyOptions{Usage: pki.ClientUsage}); !errors.Is(err, pki.ErrUntrusted) {
		t.Errorf("the operator's old certificate: %v", err)
	}
}

// TestAdoptingCutOff ends the adopting behind each file that it writes, and calls it again: in the
// end the new one is in force, and the old one with its key beside it.
func TestAdoptingCutOff(t *testing.T) {
	t.Parallel()
	for cut := range 6 {
		r := introduced(t)
		for _, write := range []func() error{
			func() error { return r.Write(vault.CAFile(rest+"-old", ".key"), r.oldKey) },
			func() error { return r.Write(vault.CAFile(rest+"-old", ".crt"), r.oldCA) },
			func() error { return r.Write(vault.CAFile(rest, ".key"), r.newKey) },
			func() error { return r.Write(vault.CAFile(rest, ".crt"), r.newCA) },
			func() error { return r.Remove(vault.CAFile(rest+"-next", ".crt")) },
		}[:cut] {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		}
		if !r.Replacement(rest).Progress().Unfinished() {
			t.Errorf("after %d files it passes for finished", cut)
		}
		fits(t, "looked at half way", r.look(), r.both, r.newLeaf)
		r.adopt()
		r.whole(cut, r.newCA, r.newKey, r.oldCA, r.oldKey)
	}
}

// whole wants authorities with their own keys in force and beside it.
func (r *rotated) whole(cut int, ca, key, old, oldKey []byte) {
	r.Helper()
	for name, want := range map[string][]byte{vault.CAFile(rest, ".crt"): ca,
		vault.CAFile(rest, ".key"): key, vault.CAFile(rest+"-old", ".crt"): old,
		vault.CAFile(rest+"-old", ".key"): oldKey} {
		if got, err := r.Read(name); err != nil || !bytes.Equal(got, want) {
			r.Errorf("cut off after %d files: %s is another one (%v)", cut, name, err)
		}
	}
}

// TestRevertedAuthority takes a replacement back at each stage, twice each.
func TestRevertedAuthority(t *testing.T) {
	t.Parallel()
	revert := func(r *rotated) {
		r.Helper()
		for range 2 {
			if err := r.Replacement(rest).Revert(r.former); err != nil {
				r.Fatal(err)
			}
		}
	}
	r := introduced(t)
	revert(r)
	if r.Replacement(rest).Progress().Unfinished() || !bytes.Equal(r.look().PatroniCA, r.oldCA) {
		t.Error("one that was only introduced is not forgotten")
	}
	r = introduced(t)
	r.adopt()
	revert(r)
	r.whole(-1, r.oldCA, r.oldKey, r.newCA, r.newKey)
	fits(t, "reverted", reload(t, r.State, r.sp), r.both, r.newLeaf)
	if err := r.Replacement(rest).CloseWayBack(); err != nil {
		t.Fatal(err)
	}
	if got := reload(t, r.State, r.sp); !bytes.Equal(got.PatroniCA, r.oldCA) {
		t.Error("the new one is still trusted")
	}
	// Cut off while the old one takes the place of the new one.
	r = introduced(t)
	r.adopt()
	if err := errors.Join(r.Write(vault.CAFile(rest+"-next", ".key"), r.oldKey),
		r.Write(vault.CAFile(rest+"-next", ".crt"), r.oldCA),
		r.Write(vault.CAFile(rest+"-old", ".key"), r.newKey)); err != nil {
		t.Fatal(err)
	}
	revert(r)
	r.whole(-1, r.oldCA, r.oldKey, r.newCA, r.newKey)
}

// TestRevokedStaysRevoked: while the authority of before is trusted its list is in force, also when
// another one issues already.
func TestRevokedStaysRevoked(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	s, first := load(t, sp)
	less := *sp
	less.Hosts = slices.DeleteFunc(slices.Clone(sp.Hosts),
		func(h spec.Host) bool { return h.Name == "pg3" })
	if err := s.Disown(sp, &less); err != nil {
		t.Fatal(err)
	}
	list := reload(t, s, &less).EtcdRevoked
	if bytes.Equal(list, first.EtcdRevoked) {
		t.Fatal("nothing was revoked")
	}
	if err := errors.Join(s.Replacement(layout.EtcdAuthority).Introduce(sp, ""),
		s.Replacement(layout.EtcdAuthority).Adopt()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(reload(t, s, &less).EtcdRevoked, list) {
		t.Error("what was revoked opens etcd again")
	}
	if err := s.Replacement(layout.EtcdAuthority).CloseWayBack(); err != nil {
		t.Fatal(err)
	}
	if got := reload(t, s, &less).EtcdRevoked; bytes.Equal(got, list) {
		t.Error("the list is of an authority that nobody trusts")
	}
}

// TestChosenCertificates: each is replaced or stays as it was chosen.
func TestChosenCertificates(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	s, first := load(t, sp)
	s.Choose = func(of certs.Certificate) vault.Choice {
		if of.Name == layout.Postgres {
			return vault.Anew
		}
		return vault.Stay
	}
	second := reload(t, s, sp)
	for host, held := range first.Hosts {
		for name, pair := range held {
			same := bytes.Equal(pair.Cert, second.Hosts[host][name].Cert)
			if same == (name == layout.Postgres) {
				t.Errorf("%s on %s: the same one: %t", name, host, same)
			}
		}
	}
	s.Choose = nil
	if third := reload(t, s, sp); !bytes.Equal(third.Hosts["pg1"][layout.Postgres].Cert,
		second.Hosts["pg1"][layout.Postgres].Cert) {
		t.Error("what was just issued is replaced")
	}
}
