package labtest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
)

// testReset deletes the whole database, which therefore comes last, and wants everything else to be
// as it was.
func testReset(t *testing.T, s site) {
	t.Run("refused", func(t *testing.T) { testResetRefused(t, s) })
	if !t.Run("reset", func(t *testing.T) { testResetWhole(t, s) }) {
		return
	}
	if !t.Run("interrupted", func(t *testing.T) { testResetInterrupted(t, s) }) {
		return
	}
	s.verify(t)
	s.applyNothing(t)
}

// reset runs the verb as a script does.
func (s site) reset(t *testing.T, args ...string) outcome {
	t.Helper()
	return s.cli(t, append([]string{"reset", "--yes-destroy", s.spec(t).Cluster}, args...)...)
}

func testResetRefused(t *testing.T, s site) {
	leader, other := s.leader(t)
	identifier := s.systemIdentifier(t, leader)
	refused := func(words string) {
		t.Helper()
		got := s.reset(t)
		if got.code != 3 || !strings.Contains(got.stderr, words) ||
			!strings.Contains(got.stderr, "hint:") {
			t.Errorf("exit code %d, want 3, %q and a hint\n%s", got.code, words, got.stderr)
		}
	}
	host := s.hostOf(t, other)
	s.mustInHost(t, host, "touch /var/lib/etcd/snapshot.db")
	refused("snapshot.db")
	s.mustInHost(t, host, "rm /var/lib/etcd/snapshot.db")

	for _, h := range s.databases() {
		s.mustInHost(t, h.Name, "install -d -o postgres -g postgres /srv/space")
	}
	s.sql(t, leader, "CREATE TABLESPACE elsewhere LOCATION '/srv/space'")
	refused("pg_tblspc/")
	s.sql(t, leader, "DROP TABLESPACE elsewhere")

	if got := s.cli(t, "reset", "--yes-destroy", "another"); got.code != 64 ||
		!strings.Contains(got.stderr, s.spec(t).Cluster) {
		t.Errorf("another cluster's name: exit code %d\n%s", got.code, got.stderr)
	}
	if got := s.cli(t, "reset"); got.code != 64 || !strings.Contains(got.stderr, "--yes-destroy") {
		t.Errorf("without a terminal: exit code %d\n%s", got.code, got.stderr)
	}
	if got := s.cli(t, "reset", "--dry-run"); got.code != 0 ||
		strings.Count(got.stderr, identifier) != 3 {
		t.Errorf("the dry run does not name the data three times: exit code %d\n%s", got.code,
			got.stderr)
	}
	for _, h := range s.databases() {
		if got := s.systemIdentifier(t, h.Member); got != identifier {
			t.Errorf("%s: system identifier %s, want %s", h.Name, got, identifier)
		}
	}
}

// kept are the contents of everything that a reset keeps, on the hosts and with the operator. What
// the state directory says of the cluster is none of it: a reset makes another one.
func (s site) kept(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, h := range s.Hosts() {
		all[h.Name] = s.mustInHost(t, h.Name, "find $(ls -d "+managed+
			" 2>/dev/null) -type f -printf '%p %u:%g %m ' -exec sha256sum {} \\; | cut -d' ' "+
			"-f1-4 | sort")
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c",
		`cd "$1" && find . -type f ! -name '*lock*' ! -name cluster.json -exec sha256sum {} + | sort -k2`, "sh",
		s.StateDir()).Output()
	if err != nil {
		t.Fatal(err)
	}
	all["operator"] = string(out)
	return all
}

func testResetWhole(t *testing.T, s site) {
	leader, _ := s.leader(t)
	s.sql(t, leader, "CREATE TABLE doomed AS SELECT 1 AS n")
	identifier, before := s.systemIdentifier(t, leader), s.kept(t)
	var result struct {
		Old     string  `json:"old_system_identifier"`
		New     string  `json:"new_system_identifier"`
		Seconds float64 `json:"seconds"`
		Emptied []struct {
			Host, Path string
			Bytes      int64
		}
	}
	got := s.reset(t, "--output", "json")
	if got.code != 0 {
		t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if err := json.Unmarshal([]byte(got.stdout), &struct{ Result any }{&result}); err != nil {
		t.Fatal(err)
	}
	t.Logf("reset in %.1f s", result.Seconds)
	if result.Old != identifier || len(result.Emptied) != 6 {
		t.Errorf("the system identifier was %s, the result says %+v", identifier, result)
	}
	for _, h := range s.databases() {
		if now := s.systemIdentifier(t, h.Member); now == identifier || now != result.New {
			t.Errorf("%s: system identifier %s, it was %s; the result says %s", h.Name, now,
				identifier, result.New)
		}
		if out := s.mustInHost(t, h.Name, "ls -A /var/lib/etcd"); out != "member" {
			t.Errorf("%s: in etcd's directory is %q", h.Name, out)
		}
	}
	if text, err := os.ReadFile(filepath.Join(s.StateDir(), "cluster.json")); err != nil ||
		!strings.Contains(string(text), `"`+result.New+`"`) {
		t.Errorf("the state directory does not know the new cluster %s: %v\n%s", result.New, err,
			text)
	}
	if diff := cmp.Diff(before, s.kept(t)); diff != "" {
		t.Errorf("certificates, passwords or configuration changed (-before +after):\n%s", diff)
	}
	if got := s.cli(t, "psql", "-X", "-At", "-c",
		"SELECT to_regclass('doomed') IS NULL"); got.stdout != "t\n" {
		t.Errorf("with the old password, for the old table: %s%s", got.stdout, got.stderr)
	}
	s.awaitHealthy(t)
	for _, m := range s.patronictl(t) {
		if m.TL != 1 {
			t.Errorf("%+v is not on a fresh timeline", m)
		}
	}
}

// testResetInterrupted cancels resets at three moments, each where the one before left it. The next
// one finishes.
func testResetInterrupted(t *testing.T, s site) {
	leader, _ := s.leader(t)
	identifier := s.systemIdentifier(t, leader)
	for _, moment := range []string{"/var/lib/etcd", "/var/lib/postgresql/data",
		"etcd.service started"} {
		s.with(t, pgha.ConnectOptions{Existing: true}, func(c *pgha.Cluster) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := c.Reset(ctx,
				pgha.ResetOptions{Operation: pgha.Operation{Observer: func(e pgha.Event) {
					if e.Change != nil && strings.Contains(e.Change.Name+" "+e.Change.Action,
						moment) {
						cancel()
					}
				}}})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("interrupted at %s: %v", moment, err)
			}
		})
	}
	// A deletion that was cut off in its middle leaves its mark behind.
	host := s.hostOf(t, leader)
	s.mustInHost(t, host,
		"systemctl stop patroni; rm -rf /var/lib/postgresql/data/* && mkdir -p "+
			"/var/lib/postgresql/data/base/1 && echo 'postgresql "+s.spec(t).Cluster+
			"' >/var/lib/postgresql/data/.pgha-reset")
	if got := s.reset(t); got.code != 0 {
		t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.awaitHealthy(t)
	now, _ := s.leader(t)
	if got := s.systemIdentifier(t, now); got == identifier {
		t.Errorf("the system identifier is the old one")
	}
	if out := s.mustInHost(t, host,
		"find /var/lib/postgresql/data /var/lib/etcd -maxdepth 1 -name .pgha-reset"); out != "" {
		t.Errorf("left behind: %s", out)
	}
}
