package vault_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"testing"

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

// TestRESTAuthorityAtEachStep goes through a rotation and loads the credentials again after each
// step, to look and to change. Whatever a run that was cut off there left on the hosts, they must
// fit.
func TestRESTAuthorityAtEachStep(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	s, first := load(t, sp)
	look := func() *vault.Credentials {
		return reload(t, &vault.State{Dir: s.Dir, ReadOnly: true}, sp)
	}
	oldCA, oldLeaf := first.PatroniCA, first.Hosts["pg1"][layout.RESTServer].Cert
	if s.UnfinishedREST() {
		t.Error("a rotation is unfinished before it was begun")
	}

	next, err := s.Authority(vault.RestNext, vault.CAName(sp, vault.RestName),
		vault.CaOptions(sp)...)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := next.Issue(pki.Request{CommonName: "m1", DNSNames: []string{"pg1"},
		Usage: pki.ServerUsage})
	if err != nil {
		t.Fatal(err)
	}
	newCA, newLeaf := next.CertPEM(), issued.CertPEM
	for _, c := range []*vault.Credentials{look(), reload(t, s, sp)} {
		fits(t, "before a host trusts the new one", c, oldCA, oldLeaf)
		both, err := pki.Bundle(oldCA, newCA)
		if err != nil {
			t.Fatal(err)
		}
		fits(t, "with both trusted", c, both, oldLeaf)
		fits(t, "with the new one presented", c, both, newLeaf)
	}

	// Adopting, cut off after each of its files.
	writes := []func() error{
		func() error { return s.Write(vault.RestOldFile, oldCA) },
		func() error {
			return s.Write(vault.CAFile(vault.RestName, ".key"), next.KeyPEM().Reveal())
		},
		func() error { return s.Write(vault.CAFile(vault.RestName, ".crt"), newCA) },
		func() error { return s.Remove(vault.CAFile(vault.RestNext, ".crt")) },
	}
	for i, write := range writes {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if !s.UnfinishedREST() {
			t.Errorf("after file %d the rotation passes for finished", i)
		}
		c, err := restLook(&vault.State{Dir: s.Dir, ReadOnly: true}, sp)
		if err != nil || !bytes.Equal(c, newCA) {
			t.Errorf("after file %d: %v", i, err)
		}
	}
	// as it was before the last file
	if err := s.Write(vault.CAFile(vault.RestNext, ".crt"), newCA); err != nil {
		t.Fatal(err)
	}
	third := reload(t, s, sp)
	fits(t, "adopted", third, newCA, newLeaf)
	if !bytes.Equal(third.PatroniCA, newCA) ||
		bytes.Equal(third.Hosts["pg1"][layout.RESTServer].Cert, oldLeaf) {
		t.Error("the old authority is still there")
	}
	for _, name := range []string{vault.CAFile(vault.RestNext, ".crt"),
		vault.CAFile(vault.RestNext, ".key")} {
		if _, err := os.Stat(s.Path(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Remove(vault.RestOldFile); err != nil || s.UnfinishedREST() {
		t.Errorf("unfinished at the end: %v", err)
	}
	if err := pki.Verify(first.PatroniOperator.Cert, third.PatroniCA,
		pki.VerifyOptions{Usage: pki.ClientUsage}); !errors.Is(err, pki.ErrUntrusted) {
		t.Errorf("the operator's old certificate: %v", err)
	}
}

// restLook returns what is trusted.
func restLook(s *vault.State, sp *spec.Spec) ([]byte, error) {
	_, trust, err := s.RestAuthority(sp)
	return trust, err
}
