package vault_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// load opens the state directory for one load of the credentials.
func load(t *testing.T, sp *spec.Spec) (*vault.State, *vault.Credentials) {
	t.Helper()
	s, err := vault.OpenState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, reload(t, s, sp)
}

func TestAnotherPasswordIsNoticed(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("correct horse battery")
	sp.Secrets.RewindPasswordFile = file
	s, first := load(t, sp)
	if len(first.Changed) > 0 || !patroni.Verifies(first.Verifiers[vault.RoleRewind],
		pki.NewSecret([]byte("correct horse battery"))) {
		t.Errorf("changed %v, verifier %s", first.Changed, first.Verifiers[vault.RoleRewind])
	}
	s.Close()
	s, second := load(t, sp)
	if diff := cmp.Diff(first.Verifiers, second.Verifiers); diff != "" || len(second.Changed) > 0 {
		t.Errorf("loaded again the verifiers are others: %s", diff)
	}
	s.Close()
	write("another horse battery")
	s, third := load(t, sp)
	if !slices.Equal(third.Changed, []string{vault.RoleRewind}) ||
		!patroni.Verifies(third.Verifiers[vault.RoleRewind],
			pki.NewSecret([]byte("another horse battery"))) {
		t.Errorf("changed %v", third.Changed)
	}
	if err := s.Adopt(vault.RoleRewind, pki.Secret{},
		third.Verifiers[vault.RoleRewind]); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, fourth := load(t, sp); len(fourth.Changed) > 0 ||
		!fourth.Verifiers[vault.RoleRewind].Equal(third.Verifiers[vault.RoleRewind]) {
		t.Errorf("after it was adopted, changed %v", fourth.Changed)
	}
}

func reload(t *testing.T, s *vault.State, sp *spec.Spec) *vault.Credentials {
	t.Helper()
	c, err := vault.LoadCredentials(t.Context(), s, sp)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
