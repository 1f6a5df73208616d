package pgha

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/patroni"
)

// load opens the state directory for one load of the credentials.
func load(t *testing.T, sp *Spec) (*state, *credentials) {
	t.Helper()
	s, err := openState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s, reload(t, s, sp)
}

func TestAnotherPasswordIsNoticed(t *testing.T) {
	t.Parallel()
	sp := testSpec(t)
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("correct horse battery")
	sp.Secrets.RewindPasswordFile = file
	s, first := load(t, sp)
	if len(first.changed) > 0 || !patroni.Verifies(first.verifiers[roleRewind], "correct horse battery") {
		t.Errorf("changed %v, verifier %s", first.changed, first.verifiers[roleRewind])
	}
	s.close()
	s, second := load(t, sp)
	if diff := cmp.Diff(first.verifiers, second.verifiers); diff != "" || len(second.changed) > 0 {
		t.Errorf("loaded again the verifiers are others: %s", diff)
	}
	s.close()
	write("another horse battery")
	s, third := load(t, sp)
	if !slices.Equal(third.changed, []string{roleRewind}) || !patroni.Verifies(third.verifiers[roleRewind], "another horse battery") {
		t.Errorf("changed %v", third.changed)
	}
	if err := s.adopt(roleRewind, "", third.verifiers[roleRewind]); err != nil {
		t.Fatal(err)
	}
	s.close()
	if _, fourth := load(t, sp); len(fourth.changed) > 0 || fourth.verifiers[roleRewind] != third.verifiers[roleRewind] {
		t.Errorf("after it was adopted, changed %v", fourth.changed)
	}
}

// TestInterruptedRotation stops at each step and goes on: the same password is brought in.
func TestInterruptedRotation(t *testing.T) {
	t.Parallel()
	sp := testSpec(t)
	s, before := load(t, sp)
	c := &Cluster{Spec: sp, state: s, credentials: before}
	first, generated, err := c.newCredentials(s, []string{roleReplication}, false)
	if err != nil || first.replication == before.replication || first.superuser != before.superuser || !patroni.Verifies(first.verifiers[roleReplication], first.replication) {
		t.Fatalf("%v", err)
	}
	if got := s.unfinished(); !slices.Equal(got, []string{roleReplication}) {
		t.Errorf("unfinished: %v", got)
	}
	if again := reload(t, s, sp); again.replication != before.replication || len(again.changed) > 0 {
		t.Error("a password is in force before the cluster was given it")
	}
	second, generated2, err := c.newCredentials(s, []string{roleReplication}, false)
	if err != nil || second.replication != first.replication || generated[roleReplication] != generated2[roleReplication] {
		t.Errorf("the second run makes another password (%v)", err)
	}
	// The crash that hurts most: the password is stored, its verifier is not.
	if err := s.keep(secretFile(roleReplication, ""), []byte(second.replication)); err != nil {
		t.Fatal(err)
	}
	if got := s.unfinished(); len(got) != 1 {
		t.Errorf("unfinished: %v", got)
	}
	if err := s.adopt(roleReplication, second.replication, second.verifiers[roleReplication]); err != nil {
		t.Fatal(err)
	}
	if got := s.unfinished(); len(got) > 0 {
		t.Errorf("unfinished: %v", got)
	}
	if after := reload(t, s, sp); after.replication != first.replication || len(after.changed) > 0 || after.verifiers[roleReplication] != second.verifiers[roleReplication] {
		t.Error("the new password is not in force")
	}
	if _, err := s.read(secretFile(roleReplication, ".next")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func reload(t *testing.T, s *state, sp *Spec) *credentials {
	t.Helper()
	c, err := loadCredentials(t.Context(), s, sp)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDryRotationMakesNoPassword(t *testing.T) {
	t.Parallel()
	sp := testSpec(t)
	s, before := load(t, sp)
	c := &Cluster{Spec: sp, state: s, credentials: before}
	next, generated, err := c.newCredentials(s, roleNames(), true)
	if err != nil || len(generated) > 0 || next.superuser != before.superuser || len(s.unfinished()) > 0 {
		t.Errorf("%v %v", s.unfinished(), err)
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
		if got, err := rotated(tt.which, tt.unfinished); !slices.Equal(got, tt.want) || err != nil {
			t.Errorf("%v %v: got %v, %v", tt.which, tt.unfinished, got, err)
		}
	}
	if _, err := rotated([]string{"etcd"}, nil); !Refused(err) || !strings.Contains(err.Error(), `"etcd"`) {
		t.Errorf("got %v", err)
	}
}
