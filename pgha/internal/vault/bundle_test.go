package vault_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/sealed"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
)

// boxes returns a box, its recipient, and another one's box.
func boxes(t *testing.T) (own *sealed.Box, recipient string, other *sealed.Box) {
	t.Helper()
	box := func() (*sealed.Box, string) {
		file, recipient := newIdentity(t)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := sealed.New([]string{recipient}, text)
		if err != nil {
			t.Fatal(err)
		}
		return b, recipient
	}
	own, recipient = box()
	other, _ = box()
	return own, recipient, other
}

// TestCopy makes a copy of a state directory and a directory of the copy: all that makes the
// cluster is in it, nothing is readable, and nobody else opens it.
func TestCopy(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	applied(t, sp)
	from := &vault.State{Dir: sp.StateDir}
	files, err := from.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cluster.json", "ca/etcd.key", "secrets/superuser",
		"certs/pg1-postgres.key", "postgres-ca.crt"} {
		if len(files[name]) == 0 {
			t.Errorf("%s is not in the copy", name)
		}
	}
	own, recipient, other := boxes(t)
	file, err := vault.Pack(files, own)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file, files["secrets/superuser"]) || !sealed.Is(file) {
		t.Error("the copy is no file of age's")
	}
	t.Logf("%d files, %d bytes encrypted", len(files), len(file))
	if _, err := vault.Unpack(file, other); !errors.Is(err, vault.ErrSealed) ||
		!strings.Contains(remote.Hint(err), "secrets encrypt") {
		t.Errorf("with another identity: %v", err)
	}
	if _, err := vault.Unpack(file, nil); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("without an identity: %v", err)
	}
	if _, err := vault.Unpack(file[:len(file)-100], own); err == nil ||
		errors.Is(err, vault.ErrSealed) {
		t.Errorf("cut short: %v", err)
	}
	got, err := vault.Unpack(file, own)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files, got); diff != "" {
		t.Errorf("another copy comes out (-in +out):\n%s", diff)
	}
	dir := filepath.Join(t.TempDir(), "new", "state")
	to := &vault.State{Dir: dir, ReadOnly: true, Box: own}
	if vacant, err := to.Vacant(); !vacant || err != nil {
		t.Errorf("no directory: %v, %v", vacant, err)
	}
	all := func(*vault.State) error { return nil }
	if err := vault.Replace(dir, own, []string{recipient}, got, all); err != nil {
		t.Fatal(err)
	}
	if vacant, err := to.Vacant(); vacant || err != nil {
		t.Errorf("filled: %v, %v", vacant, err)
	}
	again, err := to.Files()
	if err != nil || vault.DigestOf(again) != vault.DigestOf(files) {
		t.Errorf("the new directory differs: %v\n%s", err, cmp.Diff(files, again))
	}
	plain, err := os.ReadFile(filepath.Join(dir, "secrets", "superuser"))
	if err != nil || !sealed.Is(plain) {
		t.Errorf("a password lies plain in the new directory: %v", err)
	}
	// One that comes later has a file less, another one, and files of nobody's.
	later := cloned(got)
	delete(later, "certs/pg1-postgres.key")
	later["secrets/superuser"] = []byte("another")
	own2 := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(own2, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := vault.Replace(dir, own, []string{recipient}, later, all); err != nil {
		t.Fatal(err)
	}
	if again, err = to.Files(); err != nil || vault.DigestOf(again) != vault.DigestOf(later) {
		t.Errorf("replaced: %v\n%s", err, cmp.Diff(later, again))
	}
	if _, err := os.Stat(own2); err != nil {
		t.Errorf("somebody's file is gone: %v", err)
	}
}

func cloned(files map[string][]byte) map[string][]byte {
	copied := map[string][]byte{}
	for name, content := range files {
		copied[name] = content
	}
	return copied
}

// TestReplaceIsFinished: a directory in which a copy was being written is filled by the next run,
// and one that is refused stays.
func TestReplaceIsFinished(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	applied(t, sp)
	own, recipient, _ := boxes(t)
	s := &vault.State{Dir: sp.StateDir}
	files, err := s.Files()
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, sp.StateDir)
	refused := errors.New("refused")
	err = vault.Replace(sp.StateDir, own, []string{recipient}, files,
		func(*vault.State) error { return refused })
	if !errors.Is(err, refused) || cmp.Diff(before, tree(t, sp.StateDir)) != "" {
		t.Errorf("%v, or something was written", err)
	}
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(filepath.Join(dir, "ca"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pulling", "ca/etcd.key"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	half := &vault.State{Dir: dir, ReadOnly: true, Box: own}
	if vacant, err := half.Vacant(); !vacant || err != nil {
		t.Errorf("half a copy: %v, %v", vacant, err)
	}
	if err := vault.Replace(dir, own, []string{recipient}, files,
		func(*vault.State) error { return nil }); err != nil {
		t.Fatal(err)
	}
	got, err := half.Files()
	if err != nil || vault.DigestOf(got) != vault.DigestOf(files) {
		t.Errorf("%v\n%s", err, cmp.Diff(files, got))
	}
}

// TestStrangeCopies: nobody signs a copy, so what is in one is looked at.
func TestStrangeCopies(t *testing.T) {
	t.Parallel()
	own, _, _ := boxes(t)
	for name, tt := range map[string]struct{ file, says string }{
		"leads elsewhere":     {"../../etc/passwd", "does not belong"},
		"an absolute path":    {"/etc/passwd", "does not belong"},
		"a file of no state":  {"bin/sh", "does not belong"},
		"without a record":    {"ca/etcd.key", "no cluster.json"},
		"a lock":              {"lock", "does not belong"},
		"a deeper directory":  {"ca/x/y", "does not belong"},
		"by way of a parent":  {"ca/../../x", "does not belong"},
		"one that is written": {"ca/.new-1", "does not belong"},
	} {
		var packed bytes.Buffer
		zipped := gzip.NewWriter(&packed)
		archive := tar.NewWriter(zipped)
		err := archive.WriteHeader(&tar.Header{Name: tt.file, Mode: 0o600, Size: 1})
		if err == nil {
			_, err = archive.Write([]byte("x"))
		}
		if err := errors.Join(err, archive.Close(), zipped.Close()); err != nil {
			t.Fatal(err)
		}
		file, err := own.Seal(packed.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := vault.Unpack(file, own); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLargeCopy: what etcd would refuse is refused with its size.
func TestLargeCopy(t *testing.T) {
	t.Parallel()
	own, _, _ := boxes(t)
	large := make([]byte, 1<<20) // random, so that it stays as large
	if _, err := rand.Read(large); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Pack(map[string][]byte{"ca/x": large}, own); !errors.Is(err,
		vault.ErrLargeCopy) {
		t.Errorf("%v", err)
	}
}

// TestKnownBy says what a former recipient may have kept.
func TestKnownBy(t *testing.T) {
	t.Parallel()
	got := vault.KnownBy(map[string][]byte{"ca/etcd.key": nil, "ca/etcd.crt": nil,
		"secrets/superuser": nil, "secrets/superuser.verifier": nil, "secrets/role-app": nil,
		"secrets/backup": nil, "certs/pg1-postgres.key": nil})
	want := []string{"the key of the authority of etcd", "the key of the backups",
		"the password of app", "the password of superuser"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
