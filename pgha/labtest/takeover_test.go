package labtest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/probe"
)

// testTakeOver loses the state directory and makes a new one, while a session of an application
// writes through the virtual IP: none of its writes fails, no PostgreSQL and no HAProxy is
// restarted. Cut off in the middle it is finished by the next run, and until then no other verb
// changes the cluster. Afterwards a copy of the lost directory is refused as an older one.
func testTakeOver(t *testing.T, s site) {
	sp := s.spec(t)
	leader, _ := s.leader(t)
	s.sql(t, leader, "CREATE ROLE app LOGIN PASSWORD 'app'")
	s.sql(t, leader, "GRANT CREATE ON SCHEMA public TO app")
	cfg := s.writerConfig(t)
	cfg.User, cfg.Password = "app", "app"
	cfg.TLSConfig.InsecureSkipVerify = true // the authority is replaced under way
	old := must(os.ReadFile(filepath.Join(sp.StateDir, "secrets", "superuser")))(t)
	lost := filepath.Join(t.TempDir(), "lost")
	copyState(t, sp.StateDir, lost)
	if got := s.cli(t, "recover", "state", "--dry-run"); got.code != 3 ||
		!strings.Contains(got.stderr, "the state directory is there") {
		t.Errorf("while nothing is lost: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if err := os.RemoveAll(sp.StateDir); err != nil {
		t.Fatal(err)
	}

	before, start := s.processesOfSessions(t), time.Now()
	w, err := probe.Start(t.Context(), probe.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	// unless it was stopped before
	defer func() { _, _ = w.Stop(context.WithoutCancel(t.Context())) }()
	if got := s.cli(t, "apply", "--yes"); got.code != 3 {
		t.Errorf("apply with an empty directory: exit code %d\n%s", got.code, got.stderr)
	}
	if got := s.cli(t, "recover", "state", "--dry-run"); got.code != 0 {
		t.Fatalf("dry run: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if left := treeOf(t, sp.StateDir); len(left) > 0 {
		t.Errorf("a dry run has made %v", left)
	}
	if !s.killWhen(t, "step 3 of 4", "recover", "state", "--yes") {
		t.Fatal("it was not cut off in the middle")
	}
	if got := s.cli(t, "apply", "--yes"); got.code != 3 && got.code != 5 ||
		got.code == 3 && !strings.Contains(got.stderr, "recover state") {
		t.Errorf("apply in the middle: exit code %d\n%s", got.code, got.stderr)
	}
	await(t, 3*time.Minute, "the second run to finish", func() (bool, string) {
		got := s.cli(t, "recover", "state", "--yes")
		if got.code != 0 && got.code != 5 {
			t.Fatalf("exit code %d\n%s", got.code, got.stderr)
		}
		return got.code == 0, got.stderr
	})
	t.Logf("taken over %s after the first of two runs began",
		time.Since(start).Round(time.Second))
	result, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if failed := result.Count(probe.Failed) + result.Count(probe.Unknown); failed > 0 ||
		result.Count(probe.Acked) == 0 {
		t.Errorf("%d writes failed, %d succeeded", failed, result.Count(probe.Acked))
	}
	if after := s.processesOfSessions(t); after != before {
		t.Errorf("something was restarted: processes %q, then %q", before, after)
	}
	if now := must(os.ReadFile(filepath.Join(sp.StateDir, "secrets",
		"superuser")))(t); string(now) == string(old) {
		t.Error("the superuser's password is said to be a new one, and is not")
	}
	leftover := must(filepath.Glob(filepath.Join(sp.StateDir, "ca", "former-*")))(t)
	if len(leftover) > 0 {
		t.Errorf("left over: %v", leftover)
	}
	s.verify(t)
	s.applyNothing(t)
	s.sql(t, leader, "DROP TABLE pgha_probe")
	s.sql(t, leader, "DROP OWNED BY app")
	s.sql(t, leader, "DROP ROLE app")

	text := string(must(os.ReadFile(s.specFile))(t))
	writeFile(t, s.specFile, []byte(keepState(text, lost)))
	defer writeFile(t, s.specFile, []byte(text))
	if got := s.cli(t, "plan"); got.code != 3 || !strings.Contains(got.stderr, "older copy") {
		t.Errorf("a copy of the lost directory: exit code %d\n%s", got.code, got.stderr)
	}
}

// processesOfSessions are the processes that applications' sessions go through.
func (s site) processesOfSessions(t *testing.T) (all string) {
	t.Helper()
	sp := s.spec(t)
	for _, h := range s.databases() {
		all += s.property(t, h.Name, "patroni.service", "MainPID") + s.mustInHost(t, h.Name,
			"head -1 "+sp.PostgreSQL.DataDir+"/postmaster.pid")
	}
	for _, h := range sp.Balancers() {
		all += s.property(t, h.Name, "haproxy.service", "MainPID")
	}
	return all
}
