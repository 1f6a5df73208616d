package labtest

import (
	"bufio"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// testRecover loses two of three databases for good. The cluster goes on from the third with every
// row that it had, also when the command is killed on the way, and takes in the empty hosts that
// replace the lost ones.
func testRecover(t *testing.T, s site) {
	leader, _ := s.leader(t)
	survivor := ""
	var lost []string
	for _, m := range s.patronictl(t) {
		if m.Member != leader && survivor == "" {
			survivor = m.Member
			continue
		}
		lost = append(lost, s.hostOf(t, m.Member))
	}
	s.sql(t, leader, "CREATE TABLE kept AS SELECT generate_series(1, 5000) AS i")
	const count = "SELECT count(*) FROM kept"
	has := func(member, want string) func() (bool, string) {
		return func() (bool, string) {
			got := s.sql(t, member, "SELECT CASE WHEN to_regclass('kept') IS NULL THEN '0' ELSE "+
				"(xpath('/row/c/text()', query_to_xml('SELECT count(*) AS c FROM kept', false, "+
				"true, '')))[1]::text END")
			return got == want, got + " rows"
		}
	}
	await(t, 30*time.Second, "the rows to reach "+survivor, has(survivor, "5000"))
	args := []string{"recover", "--from", survivor, "--yes-recover", s.spec(t).Cluster}

	if got := s.cli(t, args...); got.code != 3 || !strings.Contains(got.stderr, "has its quorum") {
		t.Errorf("while all is well: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	var wg sync.WaitGroup
	for _, host := range lost {
		wg.Go(func() {
			if err := s.Kill(t.Context(), host); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	await(t, time.Minute, "etcd to miss its quorum", func() (bool, string) {
		got := s.cli(t, "recover", "--from", survivor, "--dry-run")
		return got.code == 0, got.stderr
	})
	if got := s.cli(t, "recover", "--from", lost[0], "--dry-run"); got.code != 3 {
		t.Errorf("from a dead host: exit code %d\n%s", got.code, got.stderr)
	}
	start := time.Now()
	for _, at := range []string{"with the data that it has", "etcd.service started",
		"to take the lock"} {
		s.killAt(t, at, args...)
	}
	await(t, 3*time.Minute, "a run that finishes", func() (bool, string) {
		got := s.cli(t, args...)
		if got.code != 0 && got.code != 5 {
			t.Fatalf("after the kills: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
		return got.code == 0, got.stderr
	})
	t.Logf("writes again %s after the first of four runs began",
		time.Since(start).Round(time.Second))
	if got := s.sql(t, survivor, count); got != "5000" {
		t.Errorf("%s has %s rows of 5000", survivor, got)
	}
	s.sql(t, survivor, "INSERT INTO kept VALUES (0)")
	if got := s.cli(t, append(args, "--dry-run")...); got.code != 0 ||
		!strings.Contains(got.stdout, "nothing to do") {
		t.Errorf("once more: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}

	for _, host := range lost {
		wg.Go(func() {
			if err := s.Wipe(t.Context(), host, lab.WipeOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	report := s.apply(t, pgha.ApplyOptions{})
	t.Logf("two empty hosts taken in after %s", report.Duration.Round(100*time.Millisecond))
	s.awaitHealthy(t)
	for _, m := range s.patronictl(t) {
		await(t, 30*time.Second, "the rows to reach "+m.Member, has(m.Member, "5001"))
	}
}

// killAt runs pgha-cli and kills it with SIGKILL once it prints a line with the text. A run that
// ends before is fine: another one has gone further.
func (s site) killAt(t *testing.T, text string, args ...string) {
	t.Helper()
	cmd := exec.Command(binary, slices.Concat([]string{"--lab", "--lab-name", s.Name(), "--spec",
		s.specFile},
		args)...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	last := ""
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if last = lines.Text(); strings.Contains(last, text) {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	t.Logf("killed: %v, its last words: %s", !cmd.ProcessState.Exited(), last)
}
