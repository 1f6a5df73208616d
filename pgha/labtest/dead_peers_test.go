package labtest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// deadWithin is how long a dead peer may be waited for: 25 s (tcp_keepalives_idle and three
// questions 5 s apart), and what a busy machine adds.
const deadWithin = 35 * time.Second

// testDeadBalancer takes the power of the balancer that clients come through. The row lock of a
// session that was idle in transaction is free again, and statements that wait for their answer end,
// with every client and what the CLI prints for it, soon instead of after two hours.
func testDeadBalancer(t *testing.T, s site) {
	status := s.awaitHealthy(t)
	holder := status.VIP.Holders[0]
	cfg := s.writerConfig(t)
	conn := must(pgx.ConnectConfig(t.Context(), cfg))(t)
	defer conn.Close(t.Context())
	for _, sql := range []string{"DROP TABLE IF EXISTS held", "CREATE TABLE held (id int, n int)",
		"INSERT INTO held VALUES (1, 0)", "BEGIN", "UPDATE held SET n = 1"} {
		must(conn.Exec(t.Context(), sql))(t)
	}
	ends, n := s.waiting(t, s.exported(t))
	if err := s.Kill(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	await(t, 2*time.Minute, "the row to be free", func() (bool, string) {
		other, err := pgx.ConnectConfig(t.Context(), cfg)
		if err != nil {
			return false, err.Error()
		}
		defer other.Close(t.Context())
		_, err = other.Exec(t.Context(), "SET lock_timeout = '5s'; UPDATE held SET n = 2")
		if locked := (*pgconn.PgError)(nil); err != nil && !errors.As(err, &locked) {
			return false, err.Error()
		}
		return err == nil, "locked"
	})
	free := time.Since(killed)
	t.Logf("the row was free after %s", free.Round(100*time.Millisecond))
	if free > deadWithin {
		t.Errorf("the row was locked for %s", free)
	}
	for range n {
		end := <-ends
		waited := end.at.Sub(killed)
		t.Logf("%s ended after %s: %s", end.form, waited.Round(100*time.Millisecond),
			strings.TrimSpace(end.stderr))
		if waited > deadWithin || end.code == 0 {
			t.Errorf("%s waited for %s and ended with %d", end.form, waited, end.code)
		}
	}
	if err := s.StartHost(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	s.awaitHealthy(t)
	leader, _ := s.leader(t)
	s.sql(t, leader, "DROP TABLE held")
}
