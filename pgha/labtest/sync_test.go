package labtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
)

// testSync sets every synchronous mode and asks the leader's PostgreSQL whether it holds.
func testSync(t *testing.T, s site) {
	before := s.dynamicConfig(t)
	leader, other := s.leader(t)
	for _, mode := range []struct{ name, states, names string }{
		{"on", "async sync", "postgresql"},
		{"strict", "async sync", "postgresql"},
		{"strict --nodes 2", "sync sync", "2 ("},
		{"quorum", "quorum quorum", "ANY 1 ("},
		{"off", "async async", ""},
	} {
		dry := s.cli(t, append(append([]string{"sync"}, strings.Fields(mode.name)...),
			"--dry-run")...)
		if dry.code != 0 || !strings.Contains(dry.stderr, "promise:") ||
			!strings.Contains(dry.stderr, "would:") {
			t.Errorf("sync %s, dry run: exit code %d\n%s", mode.name, dry.code, dry.stderr)
		}
		var result pgha.SynchronousResult
		s.verb(t, &result, append([]string{"sync"}, strings.Fields(mode.name)...)...)
		if got := s.sql(t, leader,
			"SELECT string_agg(sync_state, ' ' ORDER BY sync_state) FROM pg_stat_replication"); got != mode.states {
			t.Errorf("sync %s: pg_stat_replication says %q, want %q", mode.name, got, mode.states)
		}
		names := s.sql(t, leader, "SHOW synchronous_standby_names")
		if !strings.Contains(names, mode.names) || (names == "") != (mode.name == "off") {
			t.Errorf("sync %s: synchronous_standby_names is %q, want %q in it", mode.name, names,
				mode.names)
		}
		if result.Commit <= 0 || len(result.Replicas) != 2 ||
			(len(result.Notes) > 0) != (mode.name != "off") {
			t.Errorf("sync %s: the result says %+v", mode.name, result)
		}
	}
	if diff := cmp.Diff(before, s.dynamicConfig(t)); diff != "" {
		t.Errorf("after off the configuration is not as it was (-before +after):\n%s", diff)
	}
	s.refused(t, "only 2", "sync", "strict", "--nodes", "3")
	s.refused(t, "sometimes", "sync", "sometimes")
	s.refused(t, "without synchronous mode", "sync", "off", "--nodes", "1")
	host := s.hostOf(t, other)
	s.mustInHost(t, host, "systemctl stop patroni")
	s.refused(t, "only 1", "sync", "strict", "--nodes", "2")
	s.mustInHost(t, host, "systemctl start patroni")
	s.awaitHealthy(t)
	if diff := cmp.Diff(before, s.dynamicConfig(t)); diff != "" {
		t.Errorf("what was refused changed something (-before +after):\n%s", diff)
	}
}

// testHistory compares with what Patroni's own tool says.
func testHistory(t *testing.T, s site) {
	_, other := s.leader(t)
	s.verb(t, nil, "switchover", "--to", other)
	got := s.cli(t, "history")
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	ended := s.sql(t, other, "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), "+
		"8))::bit(32)::int - 1")
	if last := lines[len(lines)-1]; got.code != 0 || !strings.Contains(last, other) ||
		!strings.Contains(last, fmt.Sprintf("  %s  ", ended)) {
		t.Errorf("exit code %d, the last line is %q, want timeline %s and %s", got.code, last,
			ended, other)
	}
	theirs := s.mustInHost(t, s.databases()[0].Name,
		"patronictl -c /etc/patroni/config.yml history -f tsv | tail -n +2 | wc -l")
	if ours := fmt.Sprint(len(lines) - 1); ours != theirs {
		t.Errorf("%s changes of leader, patronictl says %s\n%s", ours, theirs, got.stdout)
	}
}
