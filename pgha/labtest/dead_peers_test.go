package labtest

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/pgha"
)

// deadWithin is how long a dead peer may be waited for: 25 s (tcp_keepalives_idle and three
// questions 5 s apart), and what a busy machine adds.
const deadWithin = 35 * time.Second

// testDeadBalancer takes the power of the balancer that clients come through. The row lock of a
// session that was idle in transaction is free again, and a query that waited for its answer ends,
// with psql and the string that the CLI prints, soon instead of after two hours.
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
	dsn := must(pgha.ConnectionFor(s.spec(t)))(t).DSN
	waits := make(chan outcome, 1)
	go func() {
		waits <- s.cli(t, "lab", "run", "--", "psql", "-X", "-c", "SELECT pg_sleep(600)", "-d", dsn)
	}()
	leader, _ := s.leader(t)
	await(t, 20*time.Second, "the query to run", func() (bool, string) {
		n := s.sql(t, leader, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(600)'")
		return n == "1", n
	})
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
	ended := <-waits
	waited := time.Since(killed)
	t.Logf("the row was free after %s; psql ended after at most %s: %s",
		free.Round(100*time.Millisecond), waited.Round(100*time.Millisecond), ended.stderr)
	if free > deadWithin {
		t.Errorf("the row was locked for %s", free)
	}
	if waited > deadWithin || ended.code == 0 {
		t.Errorf("psql waited for %s and ended with %d", waited, ended.code)
	}
	if err := s.StartHost(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	s.awaitHealthy(t)
	s.sql(t, leader, "DROP TABLE held")
}
