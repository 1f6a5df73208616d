package vault_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestPasswordOfARole follows a generated password from the first plan to the end of its role.
func TestPasswordOfARole(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	app := spec.PGRole{Name: "app"}
	sp.PGRoles = []spec.PGRole{app}
	get := func(s *vault.State, made bool) string {
		t.Helper()
		password, isNew, err := s.RolePassword(t.Context(), app)
		if err != nil || isNew != made {
			t.Fatalf("new %t, %v", isNew, err)
		}
		return string(password.Reveal())
	}
	// A plan makes it in memory, and continues calling it new.
	drafting := &vault.State{Dir: sp.StateDir}
	first := get(drafting, true)
	if again := get(drafting, true); again != first || len(first) < 20 {
		t.Errorf("%d and %d characters", len(first), len(again))
	}
	if len(drafting.Made) > 0 {
		t.Errorf("a role is no part of the cluster's own secrets: %v", drafting.Made)
	}
	// Where nothing may be made there is none.
	if got := get(&vault.State{Dir: sp.StateDir, ReadOnly: true}, true); got != "" {
		t.Errorf("made %d characters", len(got))
	}
	if err := drafting.Begin(sp); err != nil {
		t.Fatal(err)
	}
	if got := get(drafting, false); got != first {
		t.Error("what is kept is another one")
	}
	info, err := os.Stat(filepath.Join(sp.StateDir, "secrets", "role-app"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	// A rotation that is cut off is known, and ends with the next one in force.
	next, err := drafting.Next(vault.RoleSecret("app"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"app"}, drafting.UnfinishedRoles(sp)); diff != "" {
		t.Error(diff)
	}
	if err := drafting.AdoptRole("app", next); err != nil {
		t.Fatal(err)
	}
	if got := get(drafting, false); got != string(next.Reveal()) || got == first ||
		len(drafting.UnfinishedRoles(sp)) > 0 {
		t.Error("the rotation is not finished")
	}
	if err := drafting.ForgetRole("app"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(sp.StateDir, "secrets", "role-app")); err == nil {
		t.Error("the password of a role that is gone is kept")
	}
	if err := drafting.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestGivenPasswordOfARole: what a file gives is kept nowhere.
func TestGivenPasswordOfARole(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &vault.State{Dir: sp.StateDir, ReadOnly: true}
	got, made, err := s.RolePassword(t.Context(), spec.PGRole{Name: "app", PasswordFile: file})
	if err != nil || made || !got.Equal(pki.NewSecret([]byte("correct horse battery"))) {
		t.Errorf("new %t, %v", made, err)
	}
	if _, err := os.Stat(filepath.Join(sp.StateDir, "secrets")); err == nil {
		t.Error("it is kept")
	}
}
