package labtest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/lab"
)

// TestTrixie provisions Debian 13 with its own PostgreSQL 17 and etcd, with the CLI alone.
func TestTrixie(t *testing.T) {
	l := startLab(t, lab.Options{Name: "e2e-trixie", Release: "trixie"})
	s := newSite(t, l, nil)
	sp := s.spec(t)
	if sp.PostgreSQL.Version != 17 || sp.PostgreSQL.Source != "distribution" || sp.Etcd.Source != "distribution" {
		t.Fatalf("the lab's specification asks for something else: %+v, %+v", sp.PostgreSQL, sp.Etcd)
	}
	if n := applyCLI(t, s); n == 0 {
		t.Error("a fresh apply reported no changes")
	}
	if got := s.cli(t, "verify"); got.code != 0 {
		t.Errorf("verify: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	checkWhole(t, s.status(t))
	version := s.cli(t, "psql", "-X", "-At", "-c", "SHOW server_version")
	if version.code != 0 || !strings.HasPrefix(version.stdout, "17.") {
		t.Errorf("psql: exit code %d\n%s%s", version.code, version.stdout, version.stderr)
	}
	if n := applyCLI(t, s); n != 0 {
		t.Errorf("the second apply made %d changes", n)
	}
}

// applyCLI runs pgha-cli apply and returns the number of changes.
func applyCLI(t *testing.T, s site) int {
	t.Helper()
	got := s.cli(t, "apply", "--output", "json")
	var last struct {
		Kind    string
		Changes *int
		Seconds float64
	}
	for line := range strings.Lines(got.stdout) {
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("apply printed %q: %v", line, err)
		}
	}
	if got.code != 0 || last.Kind != "finished" || last.Changes == nil {
		t.Fatalf("apply: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	t.Logf("apply: %d changes in %.1f s", *last.Changes, last.Seconds)
	return *last.Changes
}
