package vault_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/secrets"
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
	if len(first.Changed) > 0 || !patroni.Verifies(first.Verifiers[vault.RoleRewind], "correct horse battery") {
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
	if !slices.Equal(third.Changed, []string{vault.RoleRewind}) || !patroni.Verifies(third.Verifiers[vault.RoleRewind], "another horse battery") {
		t.Errorf("changed %v", third.Changed)
	}
	if err := s.Adopt(vault.RoleRewind, "", third.Verifiers[vault.RoleRewind]); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, fourth := load(t, sp); len(fourth.Changed) > 0 || fourth.Verifiers[vault.RoleRewind] != third.Verifiers[vault.RoleRewind] {
		t.Errorf("after it was adopted, changed %v", fourth.Changed)
	}
}

// TestInterruptedRotation stops at each step and goes on: the same password is brought in.
func TestInterruptedRotation(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	s, before := load(t, sp)
	c := &site.Site{Spec: sp, State: s, Credentials: before}
	first, generated, err := secrets.NewCredentials(c, s, []string{vault.RoleReplication}, false)
	if err != nil || first.Replication == before.Replication || first.Superuser != before.Superuser || !patroni.Verifies(first.Verifiers[vault.RoleReplication], first.Replication) {
		t.Fatalf("%v", err)
	}
	if got := s.Unfinished(); !slices.Equal(got, []string{vault.RoleReplication}) {
		t.Errorf("unfinished: %v", got)
	}
	if again := reload(t, s, sp); again.Replication != before.Replication || len(again.Changed) > 0 {
		t.Error("a password is in force before the cluster was given it")
	}
	second, generated2, err := secrets.NewCredentials(c, s, []string{vault.RoleReplication}, false)
	if err != nil || second.Replication != first.Replication || generated[vault.RoleReplication] != generated2[vault.RoleReplication] {
		t.Errorf("the second run makes another password (%v)", err)
	}
	// The crash that hurts most: the password is stored, its verifier is not.
	if err := s.Keep(vault.SecretFile(vault.RoleReplication, ""), []byte(second.Replication)); err != nil {
		t.Fatal(err)
	}
	if got := s.Unfinished(); len(got) != 1 {
		t.Errorf("unfinished: %v", got)
	}
	if err := s.Adopt(vault.RoleReplication, second.Replication, second.Verifiers[vault.RoleReplication]); err != nil {
		t.Fatal(err)
	}
	if got := s.Unfinished(); len(got) > 0 {
		t.Errorf("unfinished: %v", got)
	}
	if after := reload(t, s, sp); after.Replication != first.Replication || len(after.Changed) > 0 || after.Verifiers[vault.RoleReplication] != second.Verifiers[vault.RoleReplication] {
		t.Error("the new password is not in force")
	}
	if _, err := s.Read(vault.SecretFile(vault.RoleReplication, ".next")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
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

func TestDryRotationMakesNoPassword(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	s, before := load(t, sp)
	c := &site.Site{Spec: sp, State: s, Credentials: before}
	next, generated, err := secrets.NewCredentials(c, s, vault.RoleNames(), true)
	if err != nil || len(generated) > 0 || next.Superuser != before.Superuser || len(s.Unfinished()) > 0 {
		t.Errorf("%v %v", s.Unfinished(), err)
	}
}

func TestRotated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ which, unfinished, want []string }{
		{nil, nil, []string{"superuser", "replication", "rewind", "rest"}},
		{[]string{"rewind", "superuser"}, nil, []string{"superuser", "rewind"}},
		{[]string{"rest"}, nil, []string{"rest"}},
		{[]string{"superuser"}, []string{"replication"}, []string{"superuser", "replication"}},
	} {
		if got, err := secrets.Rotated(tt.which, tt.unfinished); !slices.Equal(got, tt.want) || err != nil {
			t.Errorf("%v %v: got %v, %v", tt.which, tt.unfinished, got, err)
		}
	}
	if _, err := secrets.Rotated([]string{"etcd"}, nil); !engine.Refused(err) || !strings.Contains(err.Error(), `"etcd"`) {
		t.Errorf("got %v", err)
	}
}
