package recovery

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// newState drafts the state directory of a spec, as Connect does.
func newState(t *testing.T, sp *spec.Spec) *site.Site {
	t.Helper()
	s := &vault.State{Dir: sp.StateDir}
	cr, err := vault.LoadCredentials(t.Context(), s, sp)
	if err != nil {
		t.Fatal(err)
	}
	return (&site.Site{Spec: sp, State: s}).Hold(cr)
}

// hostFiles are the files that a host has with these credentials.
func hostFiles(cr *vault.Credentials, host, passwords string) map[string][]byte {
	files := map[string][]byte{layout.PasswordFile: []byte(passwords)}
	for _, of := range layout.Certificates() {
		pair := cr.Hosts[host][of.Name]
		files[of.File], files[of.Key] = pair.Cert, pair.Key.Reveal()
		files[of.CA] = cr.Authority(of.Authority)
	}
	return files
}

func foundNothing() found {
	return found{hosts: map[string]vault.HostCertificates{}, trust: map[string][]byte{},
		roles: map[string]pki.Secret{}, absent: map[string]string{}}
}

// TestTakeOverWantsALostDirectory refuses one that is there, and goes on with one that it has
// begun.
func TestTakeOverWantsALostDirectory(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	c := newState(t, sp)
	if err := (&takeover{site: c}).refuseState(); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
	if err := c.State.Begin(sp); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.State.Close() })
	err := (&takeover{site: c}).refuseState()
	if !errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(), "ca/etcd.crt") {
		t.Errorf("a whole directory: %v", err)
	}
	if err := c.State.KeepFormer(layout.EtcdAuthority, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := (&takeover{site: c}).refuseState(); err != nil {
		t.Errorf("a directory that a run has begun: %v", err)
	}
	if err := c.JudgeState(nil); !errors.Is(err, errs.ErrRefused) ||
		!strings.Contains(err.Error(), "being taken over") {
		t.Errorf("other verbs in the middle: %v", err)
	}
	if err := c.State.ForgetFormer(); err != nil || c.State.TakingOver() {
		t.Errorf("after the end: %v", err)
	}
}

// TestFoundCredentials takes what the hosts of a cluster have, also where one of them has been
// changed by a run that was cut off.
func TestFoundCredentials(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	former, next := newState(t, sp), newState(t, sp) // with authorities of their own
	old, fresh := former.Credentials(), next.Credentials()
	hosts := sp.Databases()
	const passwords = "*:*:*:replicator:one\n*:*:*:rewind_user:two\\:three\n"

	f := foundNothing()
	for i, h := range hosts {
		cr := old
		if i == 0 { // it has certificates of the new authorities, and trusts both
			cr = fresh.Copied()
			cr.EtcdCA, _ = pki.Bundle(old.EtcdCA, fresh.EtcdCA)
		}
		if err := f.add(sp, h, hostFiles(cr, h.Name, passwords)); err != nil {
			t.Fatal(err)
		}
	}
	both, err := pki.Bundle(old.EtcdCA, fresh.EtcdCA)
	if err != nil || string(f.trust[layout.EtcdAuthority]) != string(both) {
		t.Errorf("not every authority of etcd was found: %v", err)
	}
	if got := string(f.roles["rewind_user"].Reveal()); got != "two:three" {
		t.Errorf("a password with a colon was read as %q", got)
	}
	// Hosts that trust the former authority alone accept only its certificates.
	pair := f.leaf(former, layout.EtcdClient, old.EtcdCA)
	if string(pair.Cert) != string(old.Hosts[hosts[1].Name][layout.EtcdClient].Cert) {
		t.Error("a certificate that not every host accepts was chosen")
	}

	if err := f.add(sp, hosts[0], hostFiles(old, hosts[0].Name,
		"*:*:*:replicator:other\n")); !errors.Is(err, errs.ErrRefused) ||
		strings.Contains(err.Error(), "other") {
		t.Errorf("two passwords of one role: %v", err)
	}
	lacking := hostFiles(old, hosts[0].Name, passwords)
	key := layout.CertificateOf(layout.RESTServer).Key
	delete(lacking, key)
	if err := f.add(sp, hosts[0], lacking); err != nil || f.absent[hosts[0].Name] != key {
		t.Errorf("a host without a key: %v, %v", err, f.absent)
	}
}

// TestTakeOverKeepsPasswords: those of the hosts, in place of those that a new cluster would get;
// where the spec gives one it has to be the same.
func TestTakeOverKeepsPasswords(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	c := newState(t, sp)
	f := foundNothing()
	f.roles[sp.PostgreSQL.ReplicationUser] = pki.NewSecret([]byte("one"))
	run := &takeover{site: c, next: c.Credentials().Copied()}
	if err := run.keepPasswords(f); !errors.Is(err, errs.ErrRefused) {
		t.Errorf("without the password of pg_rewind: %v", err)
	}
	f.roles[sp.PostgreSQL.RewindUser] = pki.NewSecret([]byte("two"))
	if err := run.keepPasswords(f); err != nil {
		t.Fatal(err)
	}
	again, err := vault.LoadCredentials(t.Context(), c.State, sp)
	if err != nil || string(again.Rewinder.Reveal()) != "two" ||
		string(again.Replication.Reveal()) != "one" || len(again.Changed) > 0 {
		t.Errorf("the directory has other passwords: %v, changed %v", err, again.Changed)
	}
	if got := strings.Join(run.generated, " "); got != sp.PostgreSQL.Superuser {
		t.Errorf("new passwords of %q", got)
	}
}
