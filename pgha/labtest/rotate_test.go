package labtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/pgha/probe"
)

// testRotate replaces all passwords while a session writes. The replicas go on streaming, one that is restarted and one that
// is copied anew log in with the new password, and the old one lets nobody in.
func testRotate(t *testing.T, s site) {
	leader, other := s.leader(t)
	cfg := s.writerConfig(t)
	w, err := probe.Start(t.Context(), probe.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	before := s.verifiers(t, leader)
	replicas := s.sql(t, leader, "SELECT string_agg(pid::text, ',' ORDER BY pid) FROM pg_stat_replication")

	s.verb(t, nil, "secrets", "rotate")

	if got := s.sql(t, leader, "SELECT string_agg(pid::text, ',' ORDER BY pid) FROM pg_stat_replication"); got != replicas {
		t.Errorf("replication was interrupted: connections %s, then %s", replicas, got)
	}
	if after := s.verifiers(t, leader); after == before {
		t.Error("the verifiers are the old ones")
	}
	result, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if failed := result.Count(probe.Failed) + result.Count(probe.Unknown); failed > 0 || result.Count(probe.Acked) == 0 {
		t.Errorf("%d writes failed, %d succeeded", failed, result.Count(probe.Acked))
	}
	s.sql(t, leader, "DROP TABLE pgha_probe")
	// The writer's own password is the old one.
	var refused *pgconn.PgError
	if _, err := pgx.ConnectConfig(t.Context(), cfg); !errors.As(err, &refused) || refused.Code != "28P01" {
		t.Errorf("with the old password: %v", err)
	}
	s.verb(t, nil, "restart", other)
	s.verb(t, nil, "reinit", other)
	s.verb(t, nil, "switchover", "--to", other)
	s.awaitHealthy(t)
	s.verify(t)
	s.applyNothing(t)

	// A rotation that was interrupted is finished with the password that it began with.
	next := filepath.Join(s.spec(t).StateDir, "secrets", "replication.next")
	writeFile(t, next, []byte("interrupted-rotation-1"))
	if got := s.cli(t, "apply"); got.code != 3 || !strings.Contains(got.stderr, "not all hosts have it") || !strings.Contains(got.stderr, "secrets rotate replication") {
		t.Errorf("apply: exit code %d\n%s", got.code, got.stderr)
	}
	s.verb(t, nil, "secrets", "rotate", "rewind")
	if _, err := os.Stat(next); err == nil {
		t.Error("the rotation is not finished")
	}
	for _, h := range s.databases() {
		s.mustInHost(t, h.Name, "grep -qF ':replicator:interrupted-rotation-1' /etc/patroni/pgpass")
	}
	s.applyNothing(t)
}

// verifiers are those that PostgreSQL holds.
func (s site) verifiers(t *testing.T, member string) string {
	t.Helper()
	return s.sql(t, member, fmt.Sprintf("SELECT string_agg(rolpassword, ' ' ORDER BY rolname) FROM pg_authid WHERE rolname IN ('%s', '%s', '%s')",
		s.spec(t).PostgreSQL.Superuser, s.spec(t).PostgreSQL.ReplicationUser, s.spec(t).PostgreSQL.RewindUser))
}
