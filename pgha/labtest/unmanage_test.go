package labtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
)

// testUnmanage leaves plain PostgreSQL, also when it is killed on the way: no row is lost, standbys
// stream, and it all starts at boot. Then it goes the way back that the documents describe.
func testUnmanage(t *testing.T, s site) {
	sp := s.spec(t)
	leader, replica := s.leader(t)
	primary := s.hostOf(t, leader)
	s.sql(t, leader, "CREATE TABLE kept AS SELECT generate_series(1, 1001) AS id")
	if got := s.cli(t, "unmanage", "--dry-run"); got.code != 0 ||
		!strings.Contains(got.stderr, "18/main") {
		t.Errorf("dry run: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.awaitHealthy(t)
	s.killAt(t, "18/main", "unmanage", "--yes-unmanage", sp.Cluster)
	start := time.Now()
	await(t, 2*time.Minute, "a run that finishes", func() (bool, string) {
		got := s.cli(t, "unmanage", "--yes-unmanage", sp.Cluster)
		if got.code != 0 && got.code != 5 {
			t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
		return got.code == 0, got.stderr
	})
	t.Logf("plain PostgreSQL %s after the killed run", time.Since(start).Round(time.Second))
	checkPlain(t, s, primary)
	if got := s.cli(t, "apply", "--yes"); got.code == 0 ||
		!strings.Contains(got.stderr, "was left as plain PostgreSQL") {
		t.Errorf("apply takes it back: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	// A standby starts at boot, and streams.
	standby := s.hostOf(t, replica)
	if err := s.Kill(t.Context(), standby); err != nil {
		t.Fatal(err)
	}
	if err := s.StartHost(t.Context(), standby); err != nil {
		t.Fatal(err)
	}
	checkPlain(t, s, primary)

	const back = `systemctl disable --now postgresql.service postgresql@18-main.service 2>&1
cd /var/lib/postgresql/data &&
for f in postgresql.conf pg_hba.conf pg_ident.conf; do mv "$f.patroni" "$f" || exit 1; done &&
rm -r /etc/postgresql/18/main`
	for _, h := range sp.Databases() {
		if h.Name != primary {
			s.mustInHost(t, h.Name, back)
		}
	}
	s.mustInHost(t, primary, back)
	s.verb(t, nil, "start")
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	now, _ := s.leader(t)
	if got := s.sql(t, now, "SELECT count(*) FROM kept"); now != leader || got != "1001" {
		t.Errorf("back again: %s leads, %s rows of 1001", now, got)
	}
	s.sql(t, now, "DROP TABLE kept")
}

// checkPlain looks at the hosts: nothing but PostgreSQL runs, with all rows and two standbys.
func checkPlain(t *testing.T, s site, primary string) {
	t.Helper()
	await(t, time.Minute, "two standbys that stream", func() (bool, string) {
		out, _ := s.inHost(t, primary, psqlIn(
			"SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"))
		return strings.TrimSpace(out) == "2", out
	})
	for _, h := range s.spec(t).Databases() {
		out := s.mustInHost(t, h.Name, psqlIn("SELECT count(*) || ' ' || pg_is_in_recovery() ||"+
			" current_setting('synchronous_standby_names') FROM kept")+
			"; pg_lsclusters --no-header; systemctl is-enabled patroni etcd pgha-watch; "+
			"pgrep -x 'patroni|etcd' || echo alone")
		want := []string{fmt.Sprintf("1001 %t\n", h.Name != primary), "18 main", " online",
			"disabled\ndisabled\ndisabled", "alone"}
		for _, w := range want {
			if !strings.Contains(out+"\n", w) {
				t.Errorf("%s says nothing of %q:\n%s", h.Name, w, out)
			}
		}
	}
	for _, h := range s.spec(t).Balancers() {
		if out, code := s.inHost(t, h.Name, "pgrep -x 'haproxy|keepalived'"); code == 0 {
			t.Errorf("%s still runs %s", h.Name, out)
		}
	}
	s.mustInHost(t, primary, psqlIn("INSERT INTO kept VALUES (0); DELETE FROM kept WHERE id = 0"))
}
