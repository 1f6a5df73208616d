package vault_test

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

	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

func TestCredentialsAreStableAndPrivate(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	load := func() *vault.Credentials {
		s, err := vault.OpenState(sp.StateDir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c, err := vault.LoadCredentials(t.Context(), s, sp)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, second := load(), load()
	if !first.Superuser.Equal(second.Superuser) || len(first.Superuser.Reveal()) < 20 ||
		first.Superuser.Equal(first.Replication) {
		t.Error("passwords must be strong, different and kept")
	}
	if !bytes.Equal(first.Hosts["pg1"][layout.Postgres].Cert,
		second.Hosts["pg1"][layout.Postgres].Cert) ||
		!bytes.Equal(first.EtcdCA, second.EtcdCA) {
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
	sp := testkit.Spec(t)
	s, err := vault.OpenState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := vault.LoadCredentials(t.Context(), s, sp)
	if err != nil {
		t.Fatal(err)
	}
	h := c.Hosts["pg2"]
	for _, tt := range []struct {
		name  string
		leaf  pki.KeyPair
		roots []byte
		usage pki.Usage
		want  error
	}{
		{"postgres by the address", h[layout.Postgres], c.PostgresCA, pki.ServerUsage, nil},
		{"postgres is no etcd", h[layout.Postgres], c.EtcdCA, pki.ServerUsage, pki.ErrUntrusted},
		{"etcd's client is no REST client", h[layout.EtcdClient], c.PatroniCA, pki.ClientUsage,
			pki.ErrUntrusted},
		{"REST server is no client", h[layout.RESTServer], c.PatroniCA, pki.ClientUsage,
			pki.ErrUsage},
		{"etcd server is no client", h[layout.EtcdServer], c.EtcdCA, pki.ClientUsage, pki.ErrUsage},
		{"etcd peer is a client", h[layout.EtcdPeer], c.EtcdCA, pki.ClientUsage, nil},
	} {
		if err := pki.Verify(tt.leaf.Cert, tt.roots,
			pki.VerifyOptions{Usage: tt.usage}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	info, err := pki.Inspect(h[layout.Postgres].Cert)
	if err != nil || !slices.Contains(info.IPs, netip.MustParseAddr("192.0.2.100")) ||
		!slices.Contains(info.IPs, netip.MustParseAddr("192.0.2.12")) {
		t.Errorf("PostgreSQL's certificate lacks the virtual IP or its own address: %v %v",
			info.IPs, err)
	}
}

func TestStateIsLockedAgainstASecondProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	first, err := vault.OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vault.OpenState(dir); !errors.Is(err, vault.ErrStateLocked) {
		t.Errorf("second open: %v", err)
	}
	first.Close()
	again, err := vault.OpenState(dir)
	if err != nil {
		t.Fatalf("after close: %v", err)
	}
	again.Close()
}

func TestStateOpenToOthersIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.OpenState(dir); err == nil {
		t.Error("a world-readable state directory was accepted")
	}
}

func TestReadOnlyMakesNothing(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	if _, err := vault.LoadCredentials(t.Context(), &vault.State{
		Dir: sp.StateDir, ReadOnly: true,
	}, sp); !errors.Is(err, vault.ErrNotProvisioned) {
		t.Errorf("err = %v", err)
	}
	if _, err := os.Stat(sp.StateDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
	if _, err := connstring.ConnectionFor(sp); !errors.Is(err, vault.ErrNotProvisioned) {
		t.Errorf("ConnectionFor: %v", err)
	}
}

// TestReadOnlyKnowsNoNewHost: a host that no apply has brought in yet keeps nobody from looking at
// the others; one whose certificate was lost does.
func TestReadOnlyKnowsNoNewHost(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	state, err := vault.OpenState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vault.LoadCredentials(t.Context(), state, sp); err != nil {
		t.Fatal(err)
	}
	state.Close()
	more := *sp
	more.Hosts = append(slices.Clone(sp.Hosts), spec.Host{Name: "new", Member: "new",
		Address: "192.0.2.99", Role: spec.RoleDatabase})
	if c, err := vault.ReadCredentials(t.Context(), &more); err != nil ||
		len(c.Hosts["new"][layout.EtcdServer].Cert) > 0 {
		t.Errorf("with a new host: %v", err)
	}
	lost := certs.OfHost(sp, sp.Databases()[0])[0].Stored
	if err := os.Remove(filepath.Join(sp.StateDir, "certs", lost+".crt")); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.ReadCredentials(t.Context(), sp); !errors.Is(err, vault.ErrNotProvisioned) {
		t.Errorf("without a certificate: %v", err)
	}
}

// TestReadOnlyRemovesNothing: what only has to be gone may be gone already.
func TestReadOnlyRemovesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := filepath.Join(dir, "left")
	if err := os.WriteFile(left, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &vault.State{Dir: dir, ReadOnly: true}
	if err := s.Remove("left"); !errors.Is(err, vault.ErrNotProvisioned) ||
		!strings.Contains(err.Error(), left) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(left); err != nil {
		t.Error(err)
	}
	if err := s.Remove("gone"); err != nil {
		t.Errorf("a file that is not there: %v", err)
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
		"certs":           {"not been applied from here", "`apply`"},
	} {
		sp := testkit.Spec(t)
		applied(t, sp)
		if err := os.RemoveAll(filepath.Join(sp.StateDir, missing)); err != nil {
			t.Fatal(err)
		}
		before := tree(t, sp.StateDir)
		_, err := vault.LoadCredentials(t.Context(),
			&vault.State{Dir: sp.StateDir, ReadOnly: true}, sp)
		if err == nil || !strings.Contains(err.Error(), want.text) ||
			!strings.Contains(remote.Hint(err),
				want.hint) || strings.Contains(remote.Hint(err),
			"apply") == (want.hint == "backup") {
			t.Errorf("without %s: %v (%s), want %q (%q)", missing, err, remote.Hint(err), want.text,
				want.hint)
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
	s := &vault.State{Dir: t.TempDir()}
	got, err := s.Password(t.Context(), "superuser", file, nil)
	if err != nil || string(got.Reveal()) != "it's \"$(id)\" é" {
		t.Errorf("got %q, %v", got, err)
	}
}
