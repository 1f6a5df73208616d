package labtest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/probe"
)

// testSwitchoversInARow moves the leadership back and forth under a writer. No acknowledged row may
// be missing, on no member, and the cluster is healthy after each.
func testSwitchoversInARow(t *testing.T, s site) {
	cfg := s.writerConfig(t)
	w, err := probe.Start(t.Context(), probe.Options{
		Config: cfg, Rate: 50, Log: filepath.Join(t.TempDir(), "acknowledged"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	leader, other := s.leader(t)
	for i := range times(6, 20) {
		before := len(must(w.Result())(t).Attempts)
		var result pgha.SwitchoverResult
		s.verb(t, &result, "switchover", "--to", other)
		if err := w.WaitAcked(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if now, _ := s.leader(t); now != other {
			t.Fatalf("after switchover %d %s leads, not %s", i+1, now, other)
		}
		// The balancers send reads to the former leader after two good checks.
		await(t, 10*time.Second, fmt.Sprintf("the cluster to be healthy after switchover %d", i+1),
			func() (bool, string) {
				status := s.status(t)
				return status.Healthy(), strings.Join(status.Problems(), "; ")
			})
		during := must(w.Result())(t)
		during.Attempts = during.Attempts[before:]
		during.Started = during.Attempts[0].Done
		fmt.Fprintf(&table, "%2d  %s -> %s  %.2f s without writes, promoted after %s, all "+
			"streaming after %s\n",
			i+1, leader, other, during.Longest().Seconds, result.Promoted, result.Complete)
		leader, other = other, leader
	}
	result, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows acknowledged, %d of unknown fate\n%s", result.Count(probe.Acked),
		result.Count(probe.Unknown), &table)
	s.checkRows(t, cfg, result)
	s.sql(t, leader, "DROP TABLE pgha_probe")
}

// checkRows waits until each member has every row that was acknowledged.
func (s site) checkRows(t *testing.T, cfg *pgx.ConnConfig, result probe.Result) {
	t.Helper()
	for _, h := range s.spec(t).Databases() {
		await(t, time.Minute, "every acknowledged row on "+h.Name, func() (bool, string) {
			conn, err := pgx.ConnectConfig(t.Context(), s.memberConfig(t, cfg, h.Address))
			if err != nil {
				return false, err.Error()
			}
			defer conn.Close(t.Context())
			present, err := probe.Rows(t.Context(), conn, result.Table, result.Run)
			if err != nil {
				return false, err.Error()
			}
			lost := result.Compare(present).Lost
			return len(lost) == 0, fmt.Sprintf("%d of %d rows missing", len(lost),
				result.Count(probe.Acked))
		})
	}
}

// must turns a pair into one value that fails the test on an error.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// writerConfig leads through the virtual IP, from a place in the lab's network that is none of its
// hosts.
func (s site) writerConfig(t *testing.T) *pgx.ConnConfig {
	t.Helper()
	conn, err := pgha.ConnectionFor(s.spec(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := pgx.ParseConfig(conn.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.DialFunc = s.DialContext
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) {
		return []string{host}, nil
	}
	return cfg
}

// memberConfig is the same for one member.
func (s site) memberConfig(t *testing.T, cfg *pgx.ConnConfig, address string) *pgx.ConnConfig {
	t.Helper()
	member := cfg.Copy()
	member.Host, member.Port = address, uint16(s.spec(t).PostgreSQL.Port)
	member.TLSConfig.ServerName = address
	member.Fallbacks, member.ValidateConnect = nil, nil // whatever it is, and no other
	return member
}

// testKilled kills the CLI with SIGKILL at random moments of a switchover and of a rolling restart.
// Whatever it had begun, status then tells the truth, nothing is left paused or scheduled, and the
// same verb run again finishes.
func testKilled(t *testing.T, s site) {
	for _, verb := range [][]string{{"switchover"}, {"restart"}} {
		for i := range times(2, 10) {
			after := time.Duration(rand.Int64N(int64(4 * time.Second)))
			killed := s.kill(t, after, append(verb, "--yes")...)
			s.checkTruth(t)
			await(t, time.Minute, "the lock of a killed "+verb[0]+" to be free",
				func() (bool, string) {
					got := s.cli(t, append(verb, "--yes")...)
					if got.code != 0 && got.code != 5 && got.code != 3 {
						t.Fatalf("%v after a kill at %s: exit code %d\n%s%s", verb, after, got.code,
							got.stdout, got.stderr)
					}
					return got.code == 0, got.stderr
				})
			s.awaitHealthy(t)
			t.Logf("%s %d: killed after %s (%v), and run again", verb[0], i+1,
				after.Round(time.Millisecond), killed)
		}
	}
}

// kill runs pgha-cli and kills it after so long, unless it has ended before.
func (s site) kill(t *testing.T, after time.Duration, args ...string) (killed bool) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"--lab", "--lab-name", s.Name(), "--spec",
		s.specFile}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	timer.Stop()
	if err != nil && cmd.ProcessState.Exited() {
		t.Fatalf("pgha-cli %v: %v\n%s", args, err, &out)
	}
	return !cmd.ProcessState.Exited()
}

// checkTruth compares status with what Patroni's own tool says, once both agree that nothing moves
// any more.
func (s site) checkTruth(t *testing.T) {
	t.Helper()
	await(t, time.Minute, "status and patronictl to agree", func() (bool, string) {
		status := s.status(t)
		var mine, theirs []string
		for _, m := range status.Members {
			mine = append(mine, m.Name+" "+strings.ToLower(m.Role)+" "+m.State)
		}
		for _, m := range s.patronictl(t) {
			theirs = append(theirs, m.Member+" "+strings.ToLower(strings.ReplaceAll(m.Role, " ",
				"_"))+" "+m.State)
		}
		slices.Sort(mine)
		slices.Sort(theirs)
		if status.Paused || status.ScheduledSwitchover != nil {
			t.Fatalf("something was left set: paused %v, scheduled %+v", status.Paused,
				status.ScheduledSwitchover)
		}
		return slices.Equal(mine, theirs), fmt.Sprintf("%v, patronictl: %v", mine, theirs)
	})
}
