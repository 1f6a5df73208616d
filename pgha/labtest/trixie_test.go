package labtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/lab"
)

// TestTrixie provisions Debian 13 with its own PostgreSQL 17 and etcd, with the CLI alone, and over
// sshd's that allow one session for each connection.
func TestTrixie(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Options{Name: "e2e-trixie", Release: "trixie"})
	s := newSite(t, l, nil)
	for _, h := range s.Hosts() {
		s.mustInHost(t, h.Name,
			"echo MaxSessions 1 >/etc/ssh/sshd_config.d/labtest.conf && systemctl reload ssh && "+
				"sshd -T | grep -qx 'maxsessions 1'")
	}
	sp := s.spec(t)
	if sp.PostgreSQL.Version != 17 || sp.PostgreSQL.Source != "distribution" ||
		sp.Etcd.Source != "distribution" {
		t.Fatalf("the lab's specification asks for something else: %+v, %+v", sp.PostgreSQL,
			sp.Etcd)
	}
	s = applyTwice(t, s)
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

// applyTwice starts two operators at the same instant on bare hosts: one applies, the other is
// refused and told who does. It returns the site with the specification of the one who won.
func applyTwice(t *testing.T, s site) site {
	t.Helper()
	sites := [2]site{s, s}
	// A state directory of its own stands for the other operator's machine: only the hosts can tell
	// the two apart.
	text := must(os.ReadFile(s.specFile))(t)
	sites[1].specFile = filepath.Join(t.TempDir(), "other.yaml")
	writeFile(t, sites[1].specFile,
		[]byte(keepState(string(text), filepath.Join(t.TempDir(), "state"))))
	var got [2]outcome
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i] = sites[i].cli(t, "apply", "--output", "json") })
	}
	wg.Wait()
	won, lost := 0, 1
	if got[won].code != 0 {
		won, lost = 1, 0
	}
	if got[won].code != 0 || got[lost].code != 5 {
		t.Fatalf("exit codes %d and %d, want 0 and 5\n%s\n%s", got[won].code, got[lost].code,
			got[won].stdout, got[lost].stdout)
	}
	if !strings.Contains(got[lost].stdout, ": apply") ||
		!strings.Contains(got[lost].stdout, "process") {
		t.Errorf("the second is not told who is at it:\n%s", got[lost].stdout)
	}
	t.Logf("refused after %s: %s", got[lost].took.Round(100*time.Millisecond), got[lost].stdout)
	if n := changesOf(t, got[won]); n == 0 {
		t.Error("a fresh apply reported no changes")
	}
	return sites[won]
}

// applyCLI runs pgha-cli apply and returns the number of changes.
func applyCLI(t *testing.T, s site) int {
	t.Helper()
	return changesOf(t, s.cli(t, "apply", "--output", "json"))
}

// changesOf wants apply to have ended well.
func changesOf(t *testing.T, got outcome) int {
	t.Helper()
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
