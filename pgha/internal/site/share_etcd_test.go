package site_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// etcdProgram is the lab's etcd.
func etcdProgram(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("PGHA_TEST_ETCD"); path != "" {
		return path
	}
	archives, err := filepath.Glob("/var/cache/pgha-lab/etcd/3.6.*/etcd-v3.6.*.tar.gz")
	if err != nil || len(archives) == 0 {
		t.Skip("no etcd here: set PGHA_TEST_ETCD to one, or let `pgha-cli lab up` build it")
	}
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", archives[0], "-C", dir,
		"--strip-components=1").CombinedOutput(); err != nil {
		t.Skipf("the lab's etcd cannot be unpacked: %v: %s", err, out)
	}
	return filepath.Join(dir, "etcd")
}

// clustered is a site of one host, here, with an etcd that runs. dir is the host's own folder.
func clustered(t *testing.T) (c *site.Site, dir string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	peer := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	peerPort := peer.Addr().(*net.TCPAddr).Port
	if err := errors.Join(l.Close(), peer.Close()); err != nil {
		t.Fatal(err)
	}
	sp, err := spec.Parse("etcd.yaml", []byte(fmt.Sprintf(`
version: 1
cluster: demo
state_dir: %s/state
etcd: {client_port: %d, peer_port: %d}
hosts:
  - {name: pg1, address: 192.0.2.11, role: database, member: m1}
`, t.TempDir(), port, peerPort)))
	if err != nil {
		t.Fatal(err)
	}
	sp.Hosts[0].Address = "127.0.0.1" // which no specification may say
	ageFor(t, sp)
	box, err := vault.Box(t.Context(), sp)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	c = &site.Site{Spec: sp, Log: slog.New(slog.DiscardHandler), Connections: map[string]*remote.Target{"pg1": {
		Host:     remote.Host{Name: "pg1", Address: "127.0.0.1"},
		Executor: sitetest.Below("pg1", dir)}}}
	if c.State, err = vault.SettledState(sp, box); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.State.Close() })
	cr, err := vault.LoadCredentials(t.Context(), c.State, sp)
	if err == nil {
		_, err = c.State.Grow(sp, lineage.State{})
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Hold(cr)
	startEtcd(t, sp, cr)
	err = poll.Until(t.Context(), poll.Options{What: "etcd", Bound: time.Minute,
		Every: 100 * time.Millisecond}, func(ctx context.Context) (string, error) {
		if site.Find(ctx, c, true).Etcd == "" {
			return "it does not answer", nil
		}
		return "", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, dir
}

// startEtcd runs an etcd that asks for certificates, as on a host.
func startEtcd(t *testing.T, sp *spec.Spec, cr *vault.Credentials) {
	t.Helper()
	dir := t.TempDir()
	server := cr.Hosts["pg1"][layout.EtcdServer]
	for name, content := range map[string][]byte{"ca": cr.EtcdCA, "cert": server.Cert,
		"key": server.Key.Reveal()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := fmt.Sprintf("https://127.0.0.1:%d", sp.Etcd.ClientPort)
	peer := fmt.Sprintf("http://127.0.0.1:%d", sp.Etcd.PeerPort)
	cmd := exec.CommandContext(t.Context(), etcdProgram(t), "--name=m1", "--data-dir="+dir+"/data",
		"--listen-client-urls="+at, "--advertise-client-urls="+at, "--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer, "--initial-cluster=m1="+peer,
		"--cert-file="+dir+"/cert", "--key-file="+dir+"/key", "--trusted-ca-file="+dir+"/ca",
		"--client-cert-auth", "--log-level=error")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
}

// other is a second operator's site, of the same cluster.
func other(t *testing.T, of *site.Site, dir string) *site.Site {
	t.Helper()
	c, err := joining(t, of, map[string]string{"pg1": dir}, site.Options{Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.State.Close(); err != nil {
		t.Fatal(err)
	}
	if c.State, err = vault.SettledState(c.Spec, c.State.Box); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.State.Close() })
	return c
}

// TestShareInEtcd goes through what a shared state is, with a real etcd: versions are kept, of two
// operators the second one is refused and nothing of his is written, whoever is no recipient any
// more leaves no version behind, and copies on hosts that are gone come back from etcd.
func TestShareInEtcd(t *testing.T) {
	t.Parallel()
	c, dir := clustered(t)
	if err := site.ShareState(t.Context(), c, c.State); err != nil {
		t.Fatal(err)
	}
	done, err := site.Share(t.Context(), c, c.State)
	if err != nil || !done.Etcd || len(done.Failed) > 0 || done.Generation != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	second := other(t, c, dir)
	for range 12 {
		if err := c.GrowState(t.Context(), c.State); err != nil {
			t.Fatal(err)
		}
	}
	versions, err := site.Versions(t.Context(), c)
	if err != nil || !slices.Equal(versions, []int{4, 5, 6, 7, 8, 9, 10, 11, 12, 13}) {
		t.Errorf("versions %v, %v", versions, err)
	}
	before := must(second.State.Files())(t)
	err = second.GrowState(t.Context(), second.State)
	if !errors.Is(err, site.ErrStateAhead) || !strings.Contains(remote.Hint(err), "run it again") {
		t.Errorf("the second operator: %v", err)
	}
	if vault.DigestOf(before) != vault.DigestOf(must(second.State.Files())(t)) {
		t.Error("the second operator's directory was changed")
	}
	// One who was killed before it was written: what he has alone is refused, and nobody's is lost.
	if _, err := second.State.Grow(second.Spec, must(second.State.Identity())(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Share(t.Context(), second, second.State); !errors.Is(err, site.ErrStateAhead) {
		t.Errorf("a version of his own: %v", err)
	}
	if record, _, err := site.InEtcd(t.Context(), c); err != nil || record.Generation != 13 {
		t.Errorf("etcd has %+v, %v", record, err)
	}
	// A copy of a host that is gone comes from etcd as it is.
	kept := must(os.ReadFile(filepath.Join(dir, "state.age")))(t)
	if err := os.Remove(filepath.Join(dir, "state.age")); err != nil {
		t.Fatal(err)
	}
	if done, err := site.Share(t.Context(), c, c.State); err != nil || done.Generation != 13 ||
		string(must(os.ReadFile(filepath.Join(dir, "state.age")))(t)) != string(kept) {
		t.Errorf("%+v, %v", done, err)
	}
	leaves := c.Spec.Secrets.Age.Recipients[0]
	ageFor(t, c.Spec)
	c.Spec.Secrets.Age.Recipients = c.Spec.Secrets.Age.Recipients[1:]
	c.State.Box = must(vault.Box(t.Context(), c.Spec))(t)
	for name, content := range must(second.State.Files())(t) {
		if strings.HasPrefix(name, "secrets") || strings.HasSuffix(name, ".key") {
			if err := c.State.Write(name, content); err != nil {
				t.Fatal(err)
			}
		}
	}
	done, err = site.Share(t.Context(), c, c.State)
	if err != nil || !slices.Equal(done.Removed, []string{leaves}) || len(done.Known) < 6 {
		t.Errorf("%+v, %v", done, err)
	}
	if versions, err = site.Versions(t.Context(), c); err != nil ||
		!slices.Equal(versions, []int{done.Generation}) {
		t.Errorf("versions that the one who left opens: %v, %v", versions, err)
	}
}

// TestRecognize writes down which etcd this is, once, and the guard compares it.
func TestRecognize(t *testing.T) {
	t.Parallel()
	c, _ := clustered(t)
	if err := site.Recognize(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	id := must(c.State.Identity())(t)
	if id.EtcdCluster == "" || id.Generation != 2 {
		t.Errorf("%+v", id)
	}
	if err := site.Recognize(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if again := must(c.State.Identity())(t); again.Generation != 2 {
		t.Errorf("again: generation %d", again.Generation)
	}
	if err := site.Guard(t.Context(), c); err != nil {
		t.Error(err)
	}
	id.EtcdCluster = "beef"
	if _, err := c.State.Grow(c.Spec, id); err != nil {
		t.Fatal(err)
	}
	if err := site.Guard(t.Context(), c); err == nil || !strings.Contains(err.Error(), "beef") {
		t.Errorf("another etcd: %v", err)
	}
}
