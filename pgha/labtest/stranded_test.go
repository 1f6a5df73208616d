package labtest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// testStranded keeps a replica's PostgreSQL from starting: status says that it will not come back
// by itself and what to do, and doing that mends it.
func testStranded(t *testing.T, s site) {
	leader, other := s.leader(t)
	host := s.hostOf(t, other)
	s.mustInHost(t, host,
		"systemctl stop patroni && echo \"no_such_setting = 'x'\" >> "+
			"/var/lib/postgresql/data/postgresql.auto.conf && systemctl start patroni")
	await(t, 2*time.Minute, "status to call "+other+" stranded", func() (bool, string) {
		status := s.status(t)
		for _, m := range status.Stranded {
			if m.Member == other && strings.Contains(m.Remedy, "reinit "+other) {
				return true, ""
			}
		}
		return false, fmt.Sprintf("%+v", status.Members)
	})
	// Patroni tries to start it again and again: between two tries it is on its way, and with
	// --force reinit ends a try.
	await(t, time.Minute, "status to name the remedy", func() (bool, string) {
		got := s.cli(t, "status")
		return got.code == 1 && strings.Contains(got.stdout, "reinit "+other), got.stdout
	})
	s.verb(t, nil, "reinit", "--force", other)
	if got := s.sql(t, leader,
		"SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"); got != "2" {
		t.Errorf("%s replicas stream", got)
	}
}
