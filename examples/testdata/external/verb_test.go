package external

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

const cluster = `
version: 1
hosts:
- {name: db-1, address: 198.51.100.11, role: database}
- {name: db-2, address: 198.51.100.12, role: database}
- {name: db-3, address: 198.51.100.13, role: database}
- {name: lb-1, address: 198.51.100.21, role: balancer}
`

// offline runs commands on this machine and opens no connection.
type offline struct{ remote.Executor }

// connect gives all hosts this machine: nothing of the cluster runs on it.
func connect(t *testing.T) *pgha.Cluster {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pgha.yaml")
	if err := os.WriteFile(file, []byte(cluster), 0o600); err != nil {
		t.Fatal(err)
	}
	sp, err := spec.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	sp.StateDir = filepath.Join(t.TempDir(), "state")
	c, err := pgha.Connect(t.Context(), sp, pgha.ConnectOptions{
		Executor: func(context.Context, spec.Host) (remote.Executor, error) {
			return offline{&remote.Local{}}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A dry run reports each host's change and makes none.
func TestAnnounceDryRun(t *testing.T) {
	dir := t.TempDir()
	hosts := make(chan string, 100)
	err := Announce(t.Context(), connect(t), dir, "hello",
		pgha.Operation{DryRun: true, Observer: func(e pgha.Event) {
			if e.Kind == pgha.Changed {
				hosts <- e.Host
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	close(hosts)
	seen := map[string]bool{}
	for h := range hosts {
		seen[h] = true
	}
	if left, err := os.ReadDir(dir); len(seen) != 4 || len(left) > 0 || err != nil {
		t.Errorf("changes of %v were reported, and %v was made, %v", seen, left, err)
	}
}

// Without the cluster's lock nothing is changed: here is no etcd to hold it.
func TestAnnounceNeedsTheLock(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := Announce(ctx, connect(t), dir, "hello",
		pgha.Operation{Holder: "embedder"}); err == nil {
		t.Error("announced without a lock")
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("%v was made without a lock, %v", left, err)
	}
}
