package labtest

import (
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/spec"
)

// testWithout works on the cluster while a replica's host and a balancer have no power: a changed
// parameter is in effect on the others, and what is not safe is refused. It gives the power back;
// the next apply brings both in.
func testWithout(t *testing.T, s site) {
	status := s.awaitHealthy(t)
	host, balancer := hostWith(t, status, "replica"), ""
	for _, b := range status.Balancers {
		if b.Host != status.VIP.Holders[0] {
			balancer = b.Host
		}
	}
	leader, _ := s.leader(t)
	s.sql(t, leader, "CREATE TABLE meanwhile AS SELECT generate_series(1, 1000) AS i")
	for _, dead := range []string{host, balancer} {
		if err := s.Kill(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
	}
	s.change(t, spec.Change{Path: []string{"postgresql", "parameters", "work_mem"}, Value: "13MB"})
	way := "apply --without " + balancer + " --without " + host
	await(t, time.Minute, "apply to name the way", func() (bool, string) {
		got := s.cli(t, "apply")
		return got.code == 1 && strings.Contains(got.stderr, way), got.stderr
	})
	without := []string{"--without", balancer, "--without", host}
	if got := s.cli(t, append([]string{"apply"}, without...)...); got.code != 0 ||
		!strings.Contains(got.stdout, "left out: ") || !strings.Contains(got.stdout, host) {
		t.Fatalf("%s: exit code %d\n%s%s", way, got.code, got.stdout, got.stderr)
	}
	for _, m := range s.patronictl(t) {
		if s.hostOf(t, m.Member) != host {
			s.shows(t, m.Member, "work_mem", "13MB")
		}
	}
	if got := s.cli(t, append([]string{"plan"}, without...)...); got.code != 0 {
		t.Errorf("plan afterwards: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	got := s.cli(t, "apply", "--without", host, "--without", s.hostOf(t, leader))
	if got.code != 3 || !strings.Contains(got.stderr, "no majority of etcd") {
		t.Errorf("without two databases: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.sql(t, leader, "INSERT INTO meanwhile VALUES (0)")

	for _, dead := range []string{host, balancer} {
		if err := s.StartHost(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
	}
	report := s.apply(t, pgha.ApplyOptions{})
	t.Logf("brought in: %d changes in %s", len(report.Changes),
		report.Duration.Round(100*time.Millisecond))
	s.verify(t)
	s.applyNothing(t)
	for _, m := range s.patronictl(t) {
		s.shows(t, m.Member, "work_mem", "13MB")
		await(t, 30*time.Second, "the rows to reach "+m.Member, func() (bool, string) {
			got := s.sql(t, m.Member, "SELECT count(*) FROM meanwhile")
			return got == "1001", got
		})
	}
}
