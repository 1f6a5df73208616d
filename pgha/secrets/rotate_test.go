package secrets

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
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

func reload(t *testing.T, s *vault.State, sp *spec.Spec) *vault.Credentials {
	t.Helper()
	c, err := vault.LoadCredentials(t.Context(), s, sp)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestInterruptedRotation stops at each step and continues: the same password is brought in.
func TestInterruptedRotation(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	s, before := load(t, sp)
	c := (&site.Site{Spec: sp, State: s}).Hold(before)
	first, generated, err := NewCredentials(c, s, []string{vault.RoleReplication}, false)
	if err != nil || first.Replication.Equal(before.Replication) ||
		!first.Superuser.Equal(before.Superuser) ||
		!patroni.Verifies(first.Verifiers[vault.RoleReplication], first.Replication) {
		t.Fatalf("%v", err)
	}
	if got := s.Unfinished(); !slices.Equal(got, []string{vault.RoleReplication}) {
		t.Errorf("unfinished: %v", got)
	}
	if again := reload(t, s, sp); !again.Replication.Equal(before.Replication) ||
		len(again.Changed) > 0 {
		t.Error("a password is in force before the cluster was given it")
	}
	second, generated2, err := NewCredentials(c, s, []string{vault.RoleReplication}, false)
	if err != nil || !second.Replication.Equal(first.Replication) ||
		!generated[vault.RoleReplication].Equal(generated2[vault.RoleReplication]) {
		t.Errorf("the second run makes another password (%v)", err)
	}
	// The crash that hurts most: the password is stored, its verifier is not.
	if err := s.Keep(vault.SecretFile(vault.RoleReplication, ""),
		second.Replication.Reveal()); err != nil {
		t.Fatal(err)
	}
	if got := s.Unfinished(); len(got) != 1 {
		t.Errorf("unfinished: %v", got)
	}
	if err := s.Adopt(vault.RoleReplication, second.Replication,
		second.Verifiers[vault.RoleReplication]); err != nil {
		t.Fatal(err)
	}
	if got := s.Unfinished(); len(got) > 0 {
		t.Errorf("unfinished: %v", got)
	}
	if after := reload(t, s, sp); !after.Replication.Equal(first.Replication) ||
		len(after.Changed) > 0 ||
		!after.Verifiers[vault.RoleReplication].Equal(second.Verifiers[vault.RoleReplication]) {
		t.Error("the new password is not in force")
	}
	if _, err := s.Read(vault.SecretFile(vault.RoleReplication, ".next")); !errors.Is(err,
		fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestDryRotationMakesNoPassword(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	s, before := load(t, sp)
	c := (&site.Site{Spec: sp, State: s}).Hold(before)
	next, generated, err := NewCredentials(c, s, vault.RoleNames(), true)
	if err != nil || len(generated) > 0 || !next.Superuser.Equal(before.Superuser) ||
		len(s.Unfinished()) > 0 {
		t.Errorf("%v %v", s.Unfinished(), err)
	}
}

func TestRotated(t *testing.T) {
	t.Parallel()
	sp, pooled := spec.New(), spec.New()
	pooled.Pooler = &spec.Pooler{}
	if got, err := Rotated(pooled, nil, nil); err != nil || len(got) != 5 || got[4] != "pooler" {
		t.Errorf("with a pooler: %v, %v", got, err)
	}
	if got, err := Rotated(pooled, []string{"pooler"}, nil); err != nil || len(got) != 1 {
		t.Errorf("the pooler's alone: %v, %v", got, err)
	}
	if _, err := Rotated(sp, []string{"pooler"}, nil); !errors.Is(err, errs.ErrRefused) {
		t.Errorf("without a pooler: %v", err)
	}
	for _, tt := range []struct{ which, unfinished, want []string }{
		{nil, nil, []string{"superuser", "replication", "rewind", "rest"}},
		{[]string{"rewind", "superuser"}, nil, []string{"superuser", "rewind"}},
		{[]string{"rest"}, nil, []string{"rest"}},
		{[]string{"superuser"}, []string{"replication"}, []string{"superuser", "replication"}},
	} {
		if got, err := Rotated(sp, tt.which, tt.unfinished); !slices.Equal(got, tt.want) || err != nil {
			t.Errorf("%v %v: got %v, %v", tt.which, tt.unfinished, got, err)
		}
	}
	if _, err := Rotated(sp, []string{"etcd"}, nil); errs.KindOf(err) != errs.Refused ||
		!strings.Contains(err.Error(), `"etcd"`) {
		t.Errorf("got %v", err)
	}
}

// TestRotationKilledAfterEachFile ends a rotation of each role after each file that it writes, and
// runs it again from the directory as it is then: the cluster may have been given the first
// password, so no other one must be brought in.
func TestRotationKilledAfterEachFile(t *testing.T) {
	t.Parallel()
	for _, role := range vault.RoleNames() {
		for files := range 3 {
			sp := testkit.Spec(t)
			s, before := load(t, sp)
			first := passwordOf(t, sp, s, before, role)
			verifier, err := patroni.NewVerifier(first)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range []struct {
				suffix  string
				content pki.Secret
			}{{"", first}, {".verifier", verifier}}[:files] {
				if err := s.Write(vault.SecretFile(role, f.suffix),
					f.content.Reveal()); err != nil {
					t.Fatal(err)
				}
			}
			s.Close()

			again, halfway := load(t, sp)
			if got := again.Unfinished(); !slices.Equal(got, []string{role}) {
				t.Errorf("%s, %d files: unfinished %v", role, files, got)
			}
			second := passwordOf(t, sp, again, halfway, role)
			if !second.Equal(first) {
				t.Errorf("%s, %d files: another password the second time", role, files)
			}
			if err := again.Adopt(role, second, verifier); err != nil {
				t.Fatal(err)
			}
			after := reload(t, again, sp)
			if len(after.Changed) > 0 || len(again.Unfinished()) > 0 ||
				!inForce(after, role).Equal(first) {
				t.Errorf("%s, %d files: changed %v, unfinished %v", role, files, after.Changed,
					again.Unfinished())
			}
			again.Close()
		}
	}
}

// passwordOf returns the password that a rotation of the role brings in.
func passwordOf(t *testing.T, sp *spec.Spec, s *vault.State, cr *vault.Credentials,
	role string) pki.Secret {
	t.Helper()
	_, generated, err := NewCredentials((&site.Site{Spec: sp, State: s}).Hold(cr), s,
		[]string{role}, false)
	if err != nil {
		t.Fatal(err)
	}
	return generated[role]
}

func inForce(cr *vault.Credentials, role string) pki.Secret {
	return map[string]pki.Secret{vault.RoleSuperuser: cr.Superuser,
		vault.RoleReplication: cr.Replication,
		vault.RoleRewind:      cr.Rewinder}[role]
}

// TestTwoRotationsAtOnce: the second one waits for nothing and changes nothing, whether the first
// still runs or has ended since the second one read the directory.
func TestTwoRotationsAtOnce(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	made, _ := load(t, sp)
	made.Close()
	var both [2]*vault.State
	for i := range both {
		both[i] = &vault.State{Dir: sp.StateDir}
		t.Cleanup(func() { both[i].Close() })
		reload(t, both[i], sp)
		if got := both[i].Unfinished(); len(got) > 0 {
			t.Fatal(got)
		}
	}
	if err := both[0].Begin(sp); err != nil {
		t.Fatal(err)
	}
	first, err := both[0].Next(vault.RoleRewind)
	if err != nil {
		t.Fatal(err)
	}
	if err := both[1].Begin(sp); !errors.Is(err, vault.ErrStateLocked) {
		t.Errorf("beside the first: %v", err)
	}
	both[0].Close()
	if err := both[1].Begin(sp); errs.KindOf(err) != errs.Refused ||
		!strings.Contains(err.Error(), "rewind.next") {
		t.Errorf("after the first: %v", err)
	}
	third, _ := load(t, sp)
	if next, err := third.Next(vault.RoleRewind); err != nil || !next.Equal(first) {
		t.Errorf("the one after both brings in another password: %v", err)
	}
}

// TestRotationOfADamagedState: what cannot be read or written ends the rotation, and the password
// in force stays.
func TestRotationOfADamagedState(t *testing.T) {
	t.Parallel()
	next := vault.SecretFile(vault.RoleReplication, ".next")
	for name, c := range map[string]struct {
		damage func(path string) error
		says   string
	}{
		"an empty password": {func(p string) error { return os.WriteFile(p, nil, 0o600) },
			"is empty"},
		"a password of spaces": {func(p string) error {
			return os.WriteFile(p, []byte(" \n"), 0o600)
		}, "is empty"},
		"a folder in its place": {func(p string) error { return os.Mkdir(p, 0o700) },
			"replication.next"},
		"a link that leads away": {func(p string) error { return os.Symlink(p, p) },
			"replication.next"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp := testkit.Spec(t)
			s, before := load(t, sp)
			if err := c.damage(s.Path(next)); err != nil {
				t.Fatal(err)
			}
			site := (&site.Site{Spec: sp, State: s}).Hold(before)
			cr, _, err := NewCredentials(site, s, []string{vault.RoleReplication}, false)
			testkit.CheckSays(t, err, c.says)
			if cr != nil || site.Credentials() != before ||
				!reload(t, s, sp).Replication.Equal(before.Replication) {
				t.Error("the password in force is another one")
			}
		})
	}
}

// TestReadOnlyStateIsNotRotated: nothing is written, not even the next password.
func TestReadOnlyStateIsNotRotated(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	made, before := load(t, sp)
	made.Close()
	s := &vault.State{Dir: sp.StateDir, ReadOnly: true}
	c := (&site.Site{Spec: sp, State: s}).Hold(before)
	if _, _, err := NewCredentials(c, s, vault.RoleNames(), false); err == nil {
		t.Error("a password was made")
	}
	if err := s.Adopt(vault.RoleRewind, pki.NewSecret([]byte("other")),
		pki.NewSecret([]byte("other"))); err == nil {
		t.Error("a password was adopted")
	}
	if files, err := filepath.Glob(filepath.Join(sp.StateDir, "secrets", "*.next")); err != nil ||
		len(files) > 0 {
		t.Errorf("%v %v", files, err)
	}
	if after := reload(t, s, sp); !after.Rewinder.Equal(before.Rewinder) {
		t.Error("the password in force is another one")
	}
}

// TestRolesOfTheSpecificationAreRotatedByName divides what is asked for.
func TestRolesOfTheSpecificationAreRotatedByName(t *testing.T) {
	t.Parallel()
	no := false
	sp := testkit.Spec(t)
	sp.PGRoles = []spec.PGRole{{Name: "app"}, {Name: "group", Login: &no},
		{Name: "gone", Ensure: spec.EnsureAbsent}}
	own, roles := ofSpec(sp, []string{"app", "rewind", "group", "gone"})
	if !slices.Equal(own, []string{"rewind", "group", "gone"}) || !slices.Equal(roles, []string{"app"}) {
		t.Errorf("%v and %v", own, roles)
	}
	if own, roles := ofSpec(sp, nil); len(own)+len(roles) > 0 {
		t.Errorf("of nothing: %v and %v", own, roles)
	}
	if _, err := Rotated(spec.New(), []string{"group"}, nil); err == nil {
		t.Error("a role that does not log in is rotated")
	}
}
