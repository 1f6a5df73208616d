package labtest

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
)

// testFormerSessions reloads HAProxy below a session, and then freezes the primary: the kernel goes
// on answering for it, so that only HAProxy can end the session, whose worker checks no server any
// more.
func testFormerSessions(t *testing.T, s site) {
	s.awaitHealthy(t)
	holder := s.spec(t).Balancers()[0].Name // the lab has one
	leader, _ := s.leader(t)
	s.with(t, pgha.ConnectOptions{}, func(c *pgha.Cluster) {
		cfg := must(c.ConnConfig())(t)
		conn := must(pgx.ConnectConfig(t.Context(), cfg))(t)
		defer conn.Close(t.Context())
		s.mustInHost(t, holder, "systemctl reload haproxy")
		await(t, 30*time.Second, "the session to belong to a former worker", func() (bool, string) {
			out, code := s.inHost(t, holder, "systemctl is-active pgha-sessions && test $(pgrep "+
				"-cx haproxy) -ge 3")
			return code == 0, out
		})
		if _, err := conn.Exec(t.Context(), "SELECT 1"); err != nil {
			t.Fatalf("the reload has ended the session: %v", err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := conn.Exec(t.Context(), "SELECT pg_sleep(600)")
			ended <- err
		}()
		s.mustInHost(t, s.hostOf(t, leader), "systemctl freeze patroni")
		defer s.mustInHost(t, s.hostOf(t, leader), "systemctl thaw patroni")
		frozen := time.Now()
		select {
		case err := <-ended:
			t.Logf("the session ended %s after the primary froze: %v",
				time.Since(frozen).Round(10*time.Millisecond), err)
			if err == nil {
				t.Error("a sleep of ten minutes is over")
			}
		case <-time.After(30 * time.Second):
			t.Error("the session waits for a frozen primary")
		}
	})
	s.awaitHealthy(t)
}
