package labtest

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/spec"
)

// testRolled changes what every Patroni and every HAProxy has to read again. They do so one after
// the other, the leader and the address's holder last; the session that writes all the while loses
// no write, and new sessions wait a moment at most. Where a host refuses its file, the ones behind
// it are left as they were, and the next run continues.
func testRolled(t *testing.T, s site) {
	original, err := os.ReadFile(s.specFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		writeFile(t, s.specFile, original)
		s.apply(t, pgha.ApplyOptions{})
	}()
	text, err := spec.Edit(original, []spec.Change{
		{Path: []string{"postgresql", "pg_hba", "-"},
			Value: "hostssl orders all 10.20.0.0/16 scram-sha-256"},
		{Path: []string{"balancer", "max_connections"}, Value: 3000},
	})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.specFile, text)
	leader, _ := s.leader(t)
	holder := s.awaitHealthy(t).VIP.Holders[0]

	cfg := s.writerConfig(t)
	w, err := probe.Start(t.Context(), probe.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	closed := newSessions(t, cfg)

	// The replica whose turn is first cannot have its file: its folder is mounted read-only.
	var replicas []string
	for _, h := range s.databases() {
		if h.Name != s.hostOf(t, leader) {
			replicas = append(replicas, h.Name)
		}
	}
	s.mustInHost(t, replicas[0], "mount --bind /etc/patroni /etc/patroni && mount -o "+
		"remount,bind,ro /etc/patroni")
	failed := s.cli(t, "apply")
	s.mustInHost(t, replicas[0], "umount /etc/patroni")
	if failed.code != 1 || !strings.Contains(failed.stderr, replicas[0]) ||
		!strings.Contains(failed.stderr, "Read-only file system") {
		t.Errorf("apply with a read-only folder: exit code %d\n%s", failed.code, failed.stderr)
	}
	for _, h := range s.databases() {
		if _, code := s.inHost(t, h.Name, "grep 10.20.0.0 /etc/patroni/config.yml"); code == 0 {
			t.Errorf("%s was changed although %s, before it, could not be", h.Name, replicas[0])
		}
	}

	start := time.Now()
	report := s.apply(t, pgha.ApplyOptions{})
	t.Logf("apply: %s, %d changes", report.Duration.Round(10*time.Millisecond), len(report.Changes))
	var reloaded []string
	for _, c := range report.Changes {
		if c.Kind == "unit" {
			reloaded = append(reloaded, c.Host+" "+c.Name+" "+c.Action)
		}
	}
	if want := []string{
		replicas[0], replicas[1], s.hostOf(t, leader),
	}; !slices.Equal(hostsOf(reloaded, "patroni.service reloaded"), want) {
		t.Errorf("reloaded %q, want Patroni on %q", reloaded, want)
	}
	// HAProxy had its turn in the run before.
	if got := hostsOf(reloaded, "haproxy.service reloaded"); len(got) > 0 {
		t.Errorf("HAProxy was reloaded twice: %q", got)
	}
	s.wantLast(t, holder)
	for _, h := range s.databases() {
		await(t, 15*time.Second, "the rule in PostgreSQL on "+h.Name, func() (bool, string) {
			got := s.sql(t, h.Member, "SELECT count(*) FROM pg_hba_file_rules WHERE '{orders}' = "+
				"database")
			return got == "1", got
		})
	}
	result, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if lost := result.Count(probe.Failed) + result.Count(probe.Unknown); lost > 0 ||
		result.Count(probe.Acked) == 0 {
		t.Errorf("%d writes failed, %d succeeded", lost, result.Count(probe.Acked))
	}
	t.Logf("%d writes in one session, none lost; the longest time without a new session was %s",
		result.Count(probe.Acked), closed())
	s.sql(t, leader, "DROP TABLE pgha_probe")
	t.Logf("rolled in %s", time.Since(start).Round(10*time.Millisecond))
}

func hostsOf(lines []string, suffix string) []string {
	var hosts []string
	for _, line := range lines {
		if host, ok := strings.CutSuffix(line, " "+suffix); ok {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// wantLast wants the holder's HAProxy to have been reloaded behind the others.
func (s site) wantLast(t *testing.T, holder string) {
	t.Helper()
	at := map[string]string{}
	for _, h := range s.spec(t).Balancers() {
		at[h.Name] = s.property(t, h.Name, "haproxy.service", "StateChangeTimestampMonotonic")
	}
	t.Logf("HAProxy reloaded at %v, %s holds the address", at, holder)
	for host, moment := range at {
		if len(moment) > len(at[holder]) || len(moment) == len(at[holder]) && moment > at[holder] {
			t.Errorf("%s was reloaded behind %s, which holds the address", host, holder)
		}
	}
}

// newSessions opens one session after the other through the virtual IP. The function it returns
// ends that and tells the longest time without a new one.
func newSessions(t *testing.T, cfg *pgx.ConnConfig) func() time.Duration {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan time.Duration)
	go func() {
		var longest time.Duration
		for last := time.Now(); ; {
			attempt, stop := context.WithTimeout(ctx, 2*time.Second)
			conn, err := pgx.ConnectConfig(attempt, cfg)
			stop()
			if ctx.Err() != nil {
				done <- longest
				return
			}
			if err != nil {
				continue
			}
			longest, last = max(longest, time.Since(last)), time.Now()
			_ = conn.Close(ctx)
		}
	}()
	return func() time.Duration { cancel(); return (<-done).Round(time.Millisecond) }
}
