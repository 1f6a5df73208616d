package pgha

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

func testSpec(t *testing.T) *Spec {
	t.Helper()
	sp, err := spec.Parse("test.yaml", []byte(`
version: 1
cluster: demo
state_dir: `+t.TempDir()+`/state
hosts:
  - {name: lb1, address: 192.0.2.1, role: balancer}
  - {name: lb2, address: 192.0.2.2, role: balancer}
  - {name: pg1, address: 192.0.2.11, role: database, member: m1}
  - {name: pg2, address: 192.0.2.12, role: database, member: m2}
  - {name: pg3, address: 192.0.2.13, role: database, member: m3}
vip: {address: 192.0.2.100}
`))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func TestCredentialsAreStableAndPrivate(t *testing.T) {
	t.Parallel()
	sp := testSpec(t)
	load := func() *credentials {
		s, err := openState(sp.StateDir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		c, err := loadCredentials(t.Context(), s, sp)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, second := load(), load()
	if first.superuser != second.superuser || len(first.superuser) < 20 || first.superuser == first.replication {
		t.Error("passwords must be strong, different and kept")
	}
	if !bytes.Equal(first.hosts["pg1"].postgres.cert, second.hosts["pg1"].postgres.cert) || !bytes.Equal(first.etcdCA, second.etcdCA) {
		t.Error("certificates were issued again without need")
	}
	err := filepath.WalkDir(sp.StateDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCertificatesAreKeptApart(t *testing.T) {
	t.Parallel()
	sp := testSpec(t)
	s, err := openState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	c, err := loadCredentials(t.Context(), s, sp)
	if err != nil {
		t.Fatal(err)
	}
	h := c.hosts["pg2"]
	for _, tt := range []struct {
		name  string
		leaf  leaf
		roots []byte
		usage pki.Usage
		want  error
	}{
		{"postgres by the address", h.postgres, c.postgresCA, pki.ServerUsage, nil},
		{"postgres is no etcd", h.postgres, c.etcdCA, pki.ServerUsage, pki.ErrUntrusted},
		{"etcd's client is no REST client", h.etcdClient, c.patroniCA, pki.ClientUsage, pki.ErrUntrusted},
		{"REST server is no client", h.restServer, c.patroniCA, pki.ClientUsage, pki.ErrUsage},
		{"etcd server is no client", h.etcdServer, c.etcdCA, pki.ClientUsage, pki.ErrUsage},
		{"etcd peer is a client", h.etcdPeer, c.etcdCA, pki.ClientUsage, nil},
	} {
		if err := pki.Verify(tt.leaf.cert, tt.roots, pki.VerifyOptions{Usage: tt.usage}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	info, err := pki.Inspect(h.postgres.cert)
	if err != nil || !slices.Contains(info.IPs, netip.MustParseAddr("192.0.2.100")) || !slices.Contains(info.IPs, netip.MustParseAddr("192.0.2.12")) {
		t.Errorf("PostgreSQL's certificate lacks the virtual IP or its own address: %v %v", info.IPs, err)
	}
}

func TestStateIsLockedAgainstASecondProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	first, err := openState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openState(dir); !errors.Is(err, ErrStateLocked) {
		t.Errorf("second open: %v", err)
	}
	first.close()
	again, err := openState(dir)
	if err != nil {
		t.Fatalf("after close: %v", err)
	}
	again.close()
}

func TestStateOpenToOthersIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := openState(dir); err == nil {
		t.Error("a world-readable state directory was accepted")
	}
}

func TestReadOnlyMakesNothing(t *testing.T) {
	t.Parallel()
	sp := testSpec(t)
	if _, err := loadCredentials(t.Context(), &state{dir: sp.StateDir, readOnly: true}, sp); !errors.Is(err, ErrNotProvisioned) {
		t.Errorf("err = %v", err)
	}
	if _, err := os.Stat(sp.StateDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
	if _, err := ConnectionFor(sp); !errors.Is(err, ErrNotProvisioned) {
		t.Errorf("ConnectionFor: %v", err)
	}
}

// TestReadOnlyNamesWhatIsMissing: what hosts have and no run makes again is not to be had by apply.
func TestReadOnlyNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for missing, want := range map[string]struct{ text, hint string }{
		"secrets":         {"has no secrets/superuser, which the hosts of demo have", "backup"},
		"secrets/rewind":  {"has no secrets/rewind", "backup"},
		"ca":              {"has no ca/etcd.key", "backup"},
		"ca/postgres.crt": {"has no ca/postgres.key", "backup"},
		"certs":           {"not been applied from here", "pgha-cli apply"},
	} {
		sp := testSpec(t)
		applied(t, sp)
		if err := os.RemoveAll(filepath.Join(sp.StateDir, missing)); err != nil {
			t.Fatal(err)
		}
		before := tree(t, sp.StateDir)
		_, err := loadCredentials(t.Context(), &state{dir: sp.StateDir, readOnly: true}, sp)
		if err == nil || !strings.Contains(err.Error(), want.text) || !strings.Contains(remote.Hint(err), want.hint) || strings.Contains(remote.Hint(err), "apply") == (want.hint == "backup") {
			t.Errorf("without %s: %v (%s), want %q (%q)", missing, err, remote.Hint(err), want.text, want.hint)
		}
		if !maps.Equal(before, tree(t, sp.StateDir)) {
			t.Errorf("without %s: something was written", missing)
		}
	}
}

func TestPasswordFromFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(file, []byte("it's \"$(id)\" é\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &state{dir: t.TempDir()}
	got, err := s.password(t.Context(), "superuser", file, nil)
	if err != nil || got != "it's \"$(id)\" é" {
		t.Errorf("got %q, %v", got, err)
	}
}
