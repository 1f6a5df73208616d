package sitetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
)

// EtcdProgram is an etcd to test with: that of PGHA_TEST_ETCD, or the lab's. Without one the test
// is skipped.
func EtcdProgram(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("PGHA_TEST_ETCD"); path != "" {
		return path
	}
	archives, err := filepath.Glob("/var/cache/pgha-lab/etcd/3.6.*/etcd-v3.6.*.tar.gz")
	if err != nil || len(archives) == 0 {
		t.Skip("no etcd here: set PGHA_TEST_ETCD to one, or let the lab build it")
	}
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", archives[0], "-C", dir,
		"--strip-components=1").CombinedOutput(); err != nil {
		t.Skipf("the lab's etcd cannot be unpacked: %v: %s", err, out)
	}
	return filepath.Join(dir, "etcd")
}

// Etcd runs an etcd of one member on the first host of etcd, which asks for certificates as on a
// host, and waits until it answers. stop kills it.
func (a *Answering) Etcd() (stop func()) {
	a.t.Helper()
	h := a.Spec.EtcdHosts()[0]
	dir, program := a.t.TempDir(), EtcdProgram(a.t)
	server := a.Credentials().Hosts[h.Name][layout.EtcdServer]
	for name, content := range map[string][]byte{"ca": a.Credentials().EtcdCA, "cert": server.Cert,
		"key": server.Key.Reveal()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	client, peer := a.free(), a.free()
	at, peers := "https://"+client, "http://"+peer
	cmd := exec.CommandContext(context.WithoutCancel(a.t.Context()), program, "--name="+h.Member,
		"--data-dir="+dir+"/data", "--listen-client-urls="+at,
		"--advertise-client-urls="+fmt.Sprintf("https://%s", a.address(h.Name,
			a.Spec.Etcd.ClientPort)), "--listen-peer-urls="+peers,
		"--initial-advertise-peer-urls="+peers, "--initial-cluster="+h.Member+"="+peers,
		"--cert-file="+dir+"/cert", "--key-file="+dir+"/key", "--trusted-ca-file="+dir+"/ca",
		"--client-cert-auth", "--log-level=error")
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	stop = func() { _, _ = cmd.Process.Kill(), cmd.Wait() }
	a.t.Cleanup(stop)
	a.lead(a.address(h.Name, a.Spec.Etcd.ClientPort), client)
	err := poll.Until(a.t.Context(), poll.Options{What: "etcd", Bound: time.Minute,
		Every: 50 * time.Millisecond}, func(ctx context.Context) (string, error) {
		if site.Find(ctx, a.Site, true).Etcd == "" {
			return "it does not answer", nil
		}
		return "", nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return stop
}

// free is an address of this machine that nobody listens on.
func (a *Answering) free() string {
	a.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return l.Addr().String()
}
