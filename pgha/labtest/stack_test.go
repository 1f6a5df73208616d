package labtest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// TestStack tries what the programs below are often believed to do otherwise: a reload of HAProxy
// that ends with 0 and has failed, an installation that was stopped and ends with 0, failsafe_mode
// without etcd, an etcd that lost its data.
func TestStack(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Options{Name: "e2e-stack", Installed: true, Hosts: 4})
	s := newSite(t, l, nil)
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	runPart(t, "a reload that cannot bind", func(t *testing.T) { testReloadCannotBind(t, s) })
	runPart(t, "sessions of a former worker", func(t *testing.T) { testFormerSessions(t, s) })
	runPart(t, "an installation that is stopped", func(t *testing.T) { testStoppedInstallation(t, s) })
	runPart(t, "failsafe_mode", func(t *testing.T) { testFailsafe(t, s) })
	runPart(t, "etcd lost its data", func(t *testing.T) { testEtcdForgot(t, s) })
	s.awaitHealthy(t)
	s.applyNothing(t)
}

// testReloadCannotBind gives the read port another number, which somebody else has.
func testReloadCannotBind(t *testing.T, s site) {
	balancer := s.spec(t).Balancers()[0].Name
	s.mustInHost(t, balancer,
		`systemd-run --unit=squatter perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 1, LocalPort => 5439) or die; sleep 600'`)
	s.mustInHost(t, balancer,
		"printf 'listen extra\\n    bind :5439\\n    server x 127.0.0.1:1\\n' "+
			">>/etc/haproxy/haproxy.cfg; systemctl reload haproxy")
	await(t, 30*time.Second, "verify to see the failed reload", func() (bool, string) {
		got := s.cli(t, "verify")
		return got.code != 0 && strings.Contains(got.stdout+got.stderr, "cannot bind socket"),
			got.stdout + got.stderr
	})
	if got := s.cli(t, "doctor"); !strings.Contains(got.stdout, "haproxy-reload-failed") {
		t.Errorf("doctor does not see it:\n%s", got.stdout)
	}
	s.mustInHost(t, balancer, "systemctl stop squatter")
	s.apply(t, pgha.ApplyOptions{})
	s.verify(t)
	s.applyNothing(t)
}

// testStoppedInstallation stops the unit that installs, as a shutdown does.
func testStoppedInstallation(t *testing.T, s site) {
	balancer := s.spec(t).Balancers()[0].Name
	s.mustInHost(t, balancer, "dpkg --remove --force-depends keepalived")
	var err error
	var wg sync.WaitGroup
	wg.Go(func() {
		s.with(t, pgha.ConnectOptions{}, func(c *pgha.Cluster) {
			_, err = c.Apply(t.Context(), pgha.ApplyOptions{})
		})
	})
	await(t, time.Minute, "the installation to be stopped", func() (bool, string) {
		out, code := s.inHost(t, balancer,
			`unit=$(systemctl list-units --plain --no-legend 'run-*.service' | awk '/packages for the database cluster/ {print $1}') && [ -n "$unit" ] && systemctl stop "$unit"`)
		return code == 0, out
	})
	wg.Wait()
	if err == nil || !strings.Contains(err.Error(), "before it was done") {
		t.Errorf("apply ended with %v", err)
	}
	s.apply(t, pgha.ApplyOptions{})
	s.verify(t)
}

// testFailsafe takes etcd's quorum: no verb may touch a member then.
func testFailsafe(t *testing.T, s site) {
	leader, other := s.leader(t)
	for _, h := range s.databases() {
		if h.Name != s.hostOf(t, leader) {
			s.mustInHost(t, h.Name, "systemctl stop etcd")
		}
	}
	for _, args := range [][]string{{"stop", other}, {"restart", other}, {"reinit", other},
		{"switchover"}} {
		if got := s.cli(t, append(args, "--yes")...); got.code != 3 ||
			!strings.Contains(got.stderr, "failsafe_mode") {
			t.Errorf("%v: exit code %d\n%s", args, got.code, got.stderr)
		}
	}
	if got := s.sql(t, leader, "SELECT pg_is_in_recovery()"); got != "f" {
		t.Errorf("the primary is no primary any more: %s", got)
	}
	for _, h := range s.databases() {
		s.mustInHost(t, h.Name, "systemctl start --no-block etcd")
	}
	s.awaitHealthy(t)
}

// testEtcdForgot empties etcd, and kills the Patroni of the primary beside it: PostgreSQL goes on.
// The other members would lead if they were started first. The drill etcd-lost counts the rows.
func testEtcdForgot(t *testing.T, s site) {
	leader, _ := s.leader(t)
	started := s.sql(t, leader, "SELECT pg_postmaster_start_time()")
	for _, h := range s.databases() {
		s.mustInHost(t, h.Name, "systemctl kill --signal=KILL etcd; systemctl stop etcd; rm -rf "+
			"/var/lib/etcd/member")
	}
	s.mustInHost(t, s.hostOf(t, leader),
		"systemctl kill --signal=KILL --kill-whom=main patroni; systemctl stop patroni")
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	if now, _ := s.leader(t); now != leader {
		t.Errorf("%s leads, not %s", now, leader)
	}
	if got := s.sql(t, leader, "SELECT pg_postmaster_start_time()"); got != started {
		t.Errorf("PostgreSQL was restarted at %s, it ran since %s", got, started)
	}
}
