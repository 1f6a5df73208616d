package vault_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestDisown: what a host that is gone had is on etcd's list, and deleted. One that comes back gets
// certificates that are not.
func TestDisown(t *testing.T) {
	t.Parallel()
	all := &spec.Spec{Cluster: "c", Hosts: []spec.Host{
		{Name: "a", Member: "a", Address: "10.0.0.1", Role: spec.RoleDatabase},
		{Name: "b", Member: "b", Address: "10.0.0.2", Role: spec.RoleDatabase},
	}, TLS: spec.New().TLS}
	less := *all
	less.Hosts = all.Hosts[:1]
	dir := filepath.Join(t.TempDir(), "state")
	load := func(sp *spec.Spec, disown bool) *vault.Credentials {
		t.Helper()
		s, err := vault.OpenState(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if disown {
			if err := s.Disown(all, &less); err != nil {
				t.Fatal(err)
			}
		}
		cr, err := vault.LoadCredentials(t.Context(), s, sp)
		if err != nil {
			t.Fatal(err)
		}
		return cr
	}
	authority := func() *pki.CA {
		t.Helper()
		cert, err := os.ReadFile(filepath.Join(dir, "ca", "etcd.crt"))
		key, keyErr := os.ReadFile(filepath.Join(dir, "ca", "etcd.key"))
		ca, loadErr := pki.LoadCA(cert, key)
		if err != nil || keyErr != nil || loadErr != nil {
			t.Fatal(err, keyErr, loadErr)
		}
		return ca
	}
	before := load(all, false)
	ca := authority()
	of := func(c *vault.Credentials, host, name string) []byte { return c.Hosts[host][name].Cert }
	if ca.OwnList(before.EtcdRevoked) != nil || ca.Revokes(before.EtcdRevoked,
		of(before, "b", layout.EtcdServer)) {
		t.Fatal("the first list is not an empty one")
	}
	for range 2 { // safe to repeat
		gone := load(&less, true)
		for _, name := range []string{layout.EtcdServer, layout.EtcdPeer, layout.EtcdClient} {
			if !ca.Revokes(gone.EtcdRevoked, of(before, "b", name)) {
				t.Errorf("%s of b is still good", name)
			}
			if ca.Revokes(gone.EtcdRevoked, of(before, "a", name)) {
				t.Errorf("%s of a is taken back", name)
			}
		}
		if left, err := filepath.Glob(filepath.Join(dir, "certs", "b-*")); err != nil ||
			len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	again := load(all, false)
	for _, name := range []string{layout.EtcdServer, layout.EtcdClient} {
		if ca.Revokes(again.EtcdRevoked, of(again, "b", name)) {
			t.Errorf("%s of b is taken back, and b is there again", name)
		}
	}
}
