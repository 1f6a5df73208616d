package labtest

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
)

// deadWithin is how long a dead peer may be waited for: 25 s (tcp_keepalives_idle and three
// questions 5 s apart), and what a busy machine adds.
const deadWithin = 35 * time.Second

// testDeadBalancer takes the power of the balancer that clients come through. The row lock of a
// session that was idle in transaction is free again, and statements that wait for their answer
// end, with every client and what the CLI prints for it, soon instead of after two hours.
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
	w := s.wait(t)
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
	w.end(t, killed)
	leader, _ := s.leader(t)
	await(t, time.Minute, "no query to work for a client that is gone", func() (bool, string) {
		n := s.sql(t, leader, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(%' "+
			"AND pid <> pg_backend_pid()")
		return n == "0", n
	})
	worked := time.Since(killed)
	t.Logf("no query worked for a client that was gone %s after", worked.Round(100*time.Millisecond))
	if worked > deadWithin+5*time.Second { // client_connection_check_interval
		t.Errorf("queries went on for %s", worked)
	}
	if err := s.StartHost(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	s.awaitHealthy(t)
	s.sql(t, leader, "DROP TABLE held")
	testAddressReturns(t, s, holder)
}

// testAddressReturns brings the address back to a balancer that lost it and has come back: by the
// verb, under a writer, and not before.
func testAddressReturns(t *testing.T, s site, former string) {
	if now := s.awaitHealthy(t).VIP.Holders[0]; now == former {
		t.Errorf("%s has come back and taken the address", former)
	}
	s.refused(t, "no balancer has that name", "vip", "move", "--to", "postgres-01")
	s.mustInHost(t, former, "systemctl stop haproxy")
	s.refused(t, "its HAProxy does not answer", "vip", "move", "--to", former)
	s.mustInHost(t, former, "systemctl start haproxy; systemctl stop keepalived")
	s.refused(t, "its keepalived does not run", "vip", "move", "--to", former)
	s.mustInHost(t, former, "systemctl start keepalived")
	s.awaitHealthy(t)
	w, err := probe.Start(t.Context(), probe.Options{Config: s.writerConfig(t), Rate: 50})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if got := s.cli(t, "vip", "move", "--to", former, "--yes"); got.code != 0 {
		t.Errorf("move: %+v", got)
	}
	if err := w.WaitAcked(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
	r, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the address moved: %.2f s without writes, the longest call took %s",
		r.Since(began).Longest().Seconds, r.Since(began).LongestCall())
	if now := s.awaitHealthy(t).VIP.Holders; len(now) != 1 || now[0] != former {
		t.Errorf("held by %v, want %s", now, former)
	}
	for _, h := range []string{"haproxy-01", "haproxy-02", "haproxy-03"} {
		if out, _ := s.inHost(t, h, "systemctl is-active pgha-keepalived-back.timer"); out != "inactive" {
			t.Errorf("%s: the timer is %s", h, out)
		}
	}
}

// testDeadBalancers takes the power of all balancers, so that nobody takes the address over and
// answers what is sent to it: each client has its own limit alone.
func testDeadBalancers(t *testing.T, s site) {
	if !soak() {
		t.Skip("lib/pq has a limit of minutes: a run of hours waits for it")
	}
	w := s.wait(t)
	w.alone = true
	killed := time.Now()
	for _, h := range s.Hosts() {
		if h.Role == lab.RoleBalancer {
			must(struct{}{}, s.Kill(t.Context(), h.Name))(t)
		}
	}
	w.end(t, killed)
	for _, h := range s.Hosts() {
		must(struct{}{}, s.StartHost(t.Context(), h.Name))(t)
	}
}
