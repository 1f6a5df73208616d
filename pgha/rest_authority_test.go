package pgha

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/pgha/toolkit/pgha/pki"
)

// fits fails the test unless the credentials get along with hosts that trust and present what given says.
func fits(t *testing.T, when string, c *credentials, trusted, presented []byte) {
	t.Helper()
	if err := pki.Verify(c.patroniOperator.cert, trusted, pki.VerifyOptions{Usage: pki.ClientUsage}); err != nil {
		t.Errorf("%s: the operator is not let in: %v", when, err)
	}
	if err := pki.Verify(presented, c.patroniCA, pki.VerifyOptions{Usage: pki.ServerUsage}); err != nil {
		t.Errorf("%s: a host is not trusted: %v", when, err)
	}
	// What an apply would put on the hosts gets along with them, too.
	for host, h := range c.hosts {
		if err := pki.Verify(h.restServer.cert, trusted, pki.VerifyOptions{Usage: pki.ServerUsage}); err != nil {
			t.Errorf("%s: %s would not be trusted: %v", when, host, err)
		}
	}
}

// TestRESTAuthorityAtEachStep goes through a rotation and loads the credentials anew after each step, to look and to change.
// Whatever a run that was cut off there left on the hosts, they must fit.
func TestRESTAuthorityAtEachStep(t *testing.T) {
	t.Parallel()
	sp := testSpec(t)
	s, first := load(t, sp)
	look := func() *credentials { return reload(t, &state{dir: s.dir, readOnly: true}, sp) }
	oldCA, oldLeaf := first.patroniCA, first.hosts["pg1"].restServer.cert
	if s.unfinishedREST() {
		t.Error("a rotation is unfinished before it was begun")
	}

	next, err := s.authority(restNext, caName(sp, restName), caOptions(sp)...)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := next.Issue(pki.Request{CommonName: "m1", DNSNames: []string{"pg1"}, Usage: pki.ServerUsage})
	if err != nil {
		t.Fatal(err)
	}
	newCA, newLeaf := next.CertPEM(), issued.CertPEM
	for _, c := range []*credentials{look(), reload(t, s, sp)} {
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
		func() error { return s.write(restOldFile, oldCA) },
		func() error { return s.write(caFile(restName, ".key"), next.KeyPEM().Reveal()) },
		func() error { return s.write(caFile(restName, ".crt"), newCA) },
		func() error { return s.remove(caFile(restNext, ".crt")) },
	}
	for i, write := range writes {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if !s.unfinishedREST() {
			t.Errorf("after file %d the rotation passes for finished", i)
		}
		c, err := (&state{dir: s.dir, readOnly: true}).restLook(sp)
		if err != nil || !bytes.Equal(c, newCA) {
			t.Errorf("after file %d: %v", i, err)
		}
	}
	if err := s.write(caFile(restNext, ".crt"), newCA); err != nil { // as it was before the last file
		t.Fatal(err)
	}
	third := reload(t, s, sp)
	fits(t, "adopted", third, newCA, newLeaf)
	if !bytes.Equal(third.patroniCA, newCA) || bytes.Equal(third.hosts["pg1"].restServer.cert, oldLeaf) {
		t.Error("the old authority is still there")
	}
	for _, name := range []string{caFile(restNext, ".crt"), caFile(restNext, ".key")} {
		if _, err := os.Stat(s.path(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.remove(restOldFile); err != nil || s.unfinishedREST() {
		t.Errorf("unfinished at the end: %v", err)
	}
	if err := pki.Verify(first.patroniOperator.cert, third.patroniCA, pki.VerifyOptions{Usage: pki.ClientUsage}); !errors.Is(err, pki.ErrUntrusted) {
		t.Errorf("the operator's old certificate: %v", err)
	}
}

// restLook returns what is trusted.
func (s *state) restLook(sp *Spec) ([]byte, error) {
	_, trust, err := s.restAuthority(sp)
	return trust, err
}
