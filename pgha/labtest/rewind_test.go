package labtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
)

// testRewindRight takes a right from pg_rewind's role. The doctor says so, and apply, as it says,
// gives it back: a leader that is then lost with rows which no replica has comes back as a replica.
func testRewindRight(t *testing.T, s site) {
	leader, _ := s.leader(t)
	host := s.hostOf(t, leader)
	s.sql(t, leader, "CREATE TABLE rewound (id int)")
	s.sql(t, leader,
		"REVOKE EXECUTE ON FUNCTION pg_read_binary_file(text,bigint,bigint,boolean) FROM rewind_user")
	if got := s.cli(t, "doctor"); !strings.Contains(got.stdout, "role-lacks-right") ||
		!strings.Contains(got.stdout, "pgha-cli apply") {
		t.Errorf("doctor: %s%s", got.stdout, got.stderr)
	}
	if plan := fmt.Sprint(s.plan(t, 2).Changes); !strings.Contains(plan, "rights of the roles") {
		t.Errorf("plan: %s", plan)
	}
	report := s.apply(t, pgha.ApplyOptions{})
	if len(report.Changes) != 1 {
		t.Errorf("apply: %+v", report.Changes)
	}
	s.plan(t, 0)
	// The replicas get no more of its WAL; etcd and Patroni still reach each other.
	s.mustInHost(t, host, "nft add table inet apart && nft 'add chain inet apart out "+
		"{ type filter hook output priority 0; }' && nft add rule inet apart out oifname enp0s3 "+
		"tcp sport 5432 drop && sleep 1 && "+psqlIn("INSERT INTO rewound SELECT generate_series(1,100)"))
	if err := s.Kill(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	s.awaitWrites(t, time.Minute)
	now, _ := s.leader(t)
	s.sql(t, now, "INSERT INTO rewound VALUES (0)")
	if err := s.StartHost(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	s.awaitHealthy(t)
	if got := s.sql(t, leader, "SELECT count(*), min(id) FROM rewound"); got != "1|0" {
		t.Errorf("%s has %s, want the one row of the new timeline", leader, got)
	}
	if out := s.mustInHost(t, host, "journalctl -b -u patroni -o cat"); !strings.Contains(out,
		"pg_rewind exit code=0") {
		t.Error("pg_rewind was not needed: the test shows nothing")
	}
	s.sql(t, now, "DROP TABLE rewound")
}
