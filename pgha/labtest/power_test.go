package labtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// testPower stops, starts and reboots, and asks systemd, control files and PostgreSQL on the hosts
// what became of it.
func testPower(t *testing.T, s site) {
	leader, _ := s.leader(t)
	s.sql(t, leader, "CREATE TABLE power AS SELECT 42 AS answer")
	identifier := s.systemIdentifier(t, leader)
	for _, sub := range []struct {
		name string
		run  func(*testing.T, site)
	}{
		{"stop and start", testStopStart},
		{"interrupted stop", rare(testStopInterrupted)},
		{"stop the leader's host", rare(testStopLeaderHost)},
		{"stop balancers", testStopBalancers},
		{"reboot if required", rare(testRebootIfRequired)},
		{"rolling reboot", testRollingReboot},
		{"interrupted reboot", testRebootInterrupted},
		{"a host that stays away", rare(testRebootStaysAway)},
	} {
		if !t.Run(sub.name, func(t *testing.T) {
			sub.run(t, s)
			s.awaitHealthy(t)
		}) {
			return
		}
	}
	leader, _ = s.leader(t)
	if got := s.sql(t, leader, "SELECT answer FROM power"); got != "42" {
		t.Errorf("the row from before is %q", got)
	}
	if got := s.systemIdentifier(t, leader); got != identifier {
		t.Errorf("system identifier %s, want %s", got, identifier)
	}
	s.sql(t, leader, "DROP TABLE power")
}

func (s site) systemIdentifier(t *testing.T, member string) string {
	t.Helper()
	return s.sql(t, member, "SELECT system_identifier FROM pg_control_system()")
}

// property asks systemd for a property of a unit.
func (s site) property(t *testing.T, host, unit, property string) string {
	t.Helper()
	return s.mustInHost(t, host, "systemctl show --value -p "+property+" "+unit)
}

// stoppedAt is when the unit stopped, by the clock that all hosts of a lab share.
func (s site) stoppedAt(t *testing.T, host, unit string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s.property(t, host, unit, "InactiveEnterTimestampMonotonic"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s site) controlState(t *testing.T, host string) string {
	t.Helper()
	return s.mustInHost(t, host,
		"LC_ALL=C /usr/lib/postgresql/*/bin/pg_controldata -D /var/lib/postgresql/data | sed -n "+
			"'s/^Database cluster state: *//p'")
}

func unitsOf(h lab.Host) []string {
	if h.Role == lab.RoleDatabase {
		return []string{"etcd", "patroni"}
	}
	return []string{"haproxy", "keepalived"}
}

// changes runs a verb with --output json and returns what it changed.
func (s site) changes(t *testing.T, args ...string) []string {
	t.Helper()
	got := s.cli(t, append(args, "--yes", "--output", "json")...)
	var answer struct {
		Changes []struct{ Host, Kind, Name, Action string }
	}
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != 0 {
		t.Fatalf("pgha-cli %v: exit code %d, %v\n%s%s", args, got.code, err, got.stdout, got.stderr)
	}
	var list []string
	for _, c := range answer.Changes {
		list = append(list, fmt.Sprintf("%s %s %s %s", c.Host, c.Kind, c.Name, c.Action))
	}
	return list
}

func testStopStart(t *testing.T, s site) {
	leader, _ := s.leader(t)
	timeline := s.patronictl(t)[0].TL
	if dry := s.cli(t, "stop", "--dry-run"); dry.code != 0 ||
		strings.Count(dry.stderr, "would:") < 12 {
		t.Errorf("dry run: exit code %d\n%s", dry.code, dry.stderr)
	}
	var stopped struct {
		Hosts       []string `json:"hosts"`
		LastPrimary string   `json:"last_primary"`
		Seconds     float64  `json:"seconds"`
	}
	s.verb(t, &stopped, "stop")
	if len(stopped.Hosts) != 6 || stopped.LastPrimary != leader {
		t.Errorf("the leader was %s, the result says %+v", leader, stopped)
	}
	t.Logf("stopped in %.1f s", stopped.Seconds)
	for _, h := range s.Hosts() {
		for _, unit := range unitsOf(h) {
			if state, enabled := s.property(t, h.Name, unit, "ActiveState"),
				s.property(t, h.Name, unit, "UnitFileState"); state != "inactive" ||
				enabled != "enabled" {
				t.Errorf("%s on %s is %s and %s", unit, h.Name, state, enabled)
			}
		}
	}
	last := s.stoppedAt(t, s.hostOf(t, leader), "patroni")
	for _, h := range s.databases() {
		want := "shut down in recovery"
		if h.Member == leader {
			want = "shut down"
		} else if at := s.stoppedAt(t, h.Name, "patroni"); at > last {
			t.Errorf("%s stopped %d µs after the leader", h.Name, at-last)
		}
		if got := s.controlState(t, h.Name); got != want {
			t.Errorf("the control file of %s says %q, want %q", h.Name, got, want)
		}
		if s.stoppedAt(t, h.Name, "etcd") < last {
			t.Errorf("etcd on %s stopped before PostgreSQL on the leader", h.Name)
		}
	}
	if got := s.changes(t, "stop"); len(got) > 0 {
		t.Errorf("a second stop changed %v", got)
	}
	others := slices.DeleteFunc(s.databases(), func(h lab.Host) bool { return h.Member == leader })
	s.refused(t, "no quorum", "start", others[0].Name)
	s.refused(t, "newest data", "start", others[0].Name, others[1].Name)

	var started struct {
		Leader  string  `json:"leader"`
		Seconds float64 `json:"seconds"`
	}
	s.verb(t, &started, "start")
	t.Logf("started in %.1f s", started.Seconds)
	if now, _ := s.leader(t); now != leader || started.Leader != leader {
		t.Errorf("%s led, now %s does; the result says %+v", leader, now, started)
	}
	if got := s.cli(t, "psql", "-X", "-At", "-c",
		"SELECT answer FROM power"); got.stdout != "42\n" {
		t.Errorf("through the address: %s%s", got.stdout, got.stderr)
	}
	for _, m := range s.patronictl(t) {
		if m.Member != leader && m.State != "streaming" || m.TL != timeline+1 {
			t.Errorf("after the start: %+v, on timeline %d before", m, timeline)
		}
	}
	if got := s.changes(t, "start"); len(got) > 0 {
		t.Errorf("a second start changed %v", got)
	}
}

// testStopInterrupted cancels a stop when the first Patroni has stopped. The next one finishes it.
func testStopInterrupted(t *testing.T, s site) {
	leader, _ := s.leader(t)
	opts := pgha.ConnectOptions{Existing: true}
	s.with(t, opts, func(c *pgha.Cluster) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := c.Stop(ctx,
			pgha.StopOptions{Operation: pgha.Operation{Observer: func(e pgha.Event) {
				if e.Change != nil && e.Change.Name == "patroni.service" {
					cancel()
				}
			}}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
	})
	if state := s.property(t, s.hostOf(t, leader), "etcd", "ActiveState"); state != "active" {
		t.Errorf("etcd on the leader's host is %s", state)
	}
	s.verb(t, nil, "stop")
	if got := s.controlState(t, s.hostOf(t, leader)); got != "shut down" {
		t.Errorf("the leader's control file says %q", got)
	}
	s.verb(t, nil, "start")
	if now, _ := s.leader(t); now != leader {
		t.Errorf("%s led, now %s does", leader, now)
	}
}

func testStopLeaderHost(t *testing.T, s site) {
	leader, _ := s.leader(t)
	host := s.hostOf(t, leader)
	var stopped struct {
		NewLeader string `json:"new_leader"`
	}
	s.verb(t, &stopped, "stop", host)
	now, other := s.leader(t)
	if now == leader || now != stopped.NewLeader {
		t.Errorf("%s leads, the result says %+v", now, stopped)
	}
	if got := s.controlState(t, host); !strings.HasPrefix(got, "shut down") {
		t.Errorf("the stopped host's control file says %q", got)
	}
	if got := s.cli(t, "psql", "-X", "-At", "-c",
		"CREATE TABLE meanwhile AS SELECT 1"); got.code != 0 {
		t.Errorf("write through the address: %s", got.stderr)
	}
	if other == leader {
		other = now
	}
	s.refused(t, "quorum", "stop", s.hostOf(t, other))
	s.verb(t, nil, "start", host)
	if got := s.sql(t, leader, "SELECT status FROM pg_stat_wal_receiver"); got != "streaming" {
		t.Errorf("%s does not stream again: %q", leader, got)
	}
	s.sql(t, now, "DROP TABLE meanwhile")
}

func testStopBalancers(t *testing.T, s site) {
	holder := s.awaitHealthy(t).VIP.Holders[0]
	s.verb(t, nil, "stop", holder)
	address := s.spec(t).VIP.Address
	if out := s.mustInHost(t, holder, "ip -br address"); strings.Contains(out, address) {
		t.Errorf("%s has the address still:\n%s", holder, out)
	}
	if got := s.cli(t, "psql", "-X", "-At", "-c", "SELECT 1"); got.stdout != "1\n" {
		t.Errorf("through the address: %s%s", got.stdout, got.stderr)
	}
	s.refused(t, "no balancer would be left", append([]string{"stop"}, s.idle(holder)...)...)
	s.verb(t, nil, "start", holder)
}

// idle are the balancers that do not hold the address, in the order in which they are rebooted.
func (s site) idle(holder string) []string {
	var rest []string
	for _, h := range s.Hosts() {
		if h.Role == lab.RoleBalancer && h.Name != holder {
			rest = append(rest, h.Name)
		}
	}
	return rest
}

// boots returns when each host's systemd started.
func (s site) boots(t *testing.T) map[string]string {
	t.Helper()
	at := map[string]string{}
	for _, h := range s.Hosts() {
		at[h.Name] = s.mustInHost(t, h.Name,
			"systemctl show --value -p UserspaceTimestampMonotonic")
	}
	return at
}

func testRebootIfRequired(t *testing.T, s site) {
	before := s.boots(t)
	s.mustInHost(t, "haproxy-02", "touch /run/reboot-required")
	s.verb(t, nil, "rolling-reboot", "--only-if-required")
	after := s.boots(t)
	for host := range before {
		if (before[host] != after[host]) != (host == "haproxy-02") {
			t.Errorf("%s booted at %s, and now at %s", host, before[host], after[host])
		}
	}
	s.mustInHost(t, "haproxy-03", "systemctl stop haproxy")
	s.refused(t, "haproxy-03", "rolling-reboot", "haproxy-01")
	s.mustInHost(t, "haproxy-03", "systemctl start haproxy")
	s.awaitHealthy(t)
	if diff := cmp.Diff(after, s.boots(t)); diff != "" {
		t.Errorf("a refused reboot rebooted (-before +after):\n%s", diff)
	}
}

// patch gives a host a package, and a repository that has a newer version of it.
const patch = `mkdir -p /srv/patch/p/DEBIAN && cd /srv/patch && for v in 1.0 2.0; do
printf 'Package: lab-patch\nVersion: %s\nArchitecture: all\nMaintainer: lab <lab@example.com>\nDescription: a patch\n' $v >p/DEBIAN/control
dpkg-deb --build p lab-patch_$v.deb
done && dpkg -i lab-patch_1.0.deb && rm lab-patch_1.0.deb && apt-ftparchive packages . >Packages &&
echo 'deb [trusted=yes] file:/srv/patch ./' >/etc/apt/sources.list.d/patch.list`

func testRollingReboot(t *testing.T, s site) {
	for _, h := range s.Hosts() {
		s.mustInHost(t, h.Name, patch)
	}
	before, timeline := s.boots(t), s.patronictl(t)[0].TL
	leader, _ := s.leader(t)
	var result struct {
		Rebooted []struct {
			Host     string  `json:"host"`
			Upgraded int     `json:"upgraded_packages"`
			Healthy  float64 `json:"seconds_until_healthy"`
		} `json:"rebooted"`
		NewLeader string  `json:"new_leader"`
		Seconds   float64 `json:"seconds"`
	}
	s.verb(t, &result, "rolling-reboot", "--upgrade")
	for _, h := range s.Hosts() {
		if got := s.mustInHost(t, h.Name, "dpkg-query -W -f '${Version}' lab-patch"); got != "2.0" {
			t.Errorf("%s has version %s of a package that has an upgrade", h.Name, got)
		}
	}
	for _, h := range result.Rebooted {
		if h.Upgraded != 1 {
			t.Errorf("%s is said to have %d packages upgraded", h.Host, h.Upgraded)
		}
	}
	after := s.boots(t)
	for host := range before {
		if before[host] == after[host] {
			t.Errorf("%s was not rebooted", host)
		}
	}
	if n := len(result.Rebooted); n != 6 || result.Rebooted[n-1].Host != s.hostOf(t, leader) {
		t.Errorf("%s led; rebooted were %+v", leader, result.Rebooted)
	}
	if now, _ := s.leader(t); now == leader || now != result.NewLeader ||
		s.patronictl(t)[0].TL != timeline+1 {
		t.Errorf("%s leads on %+v, the result says %+v; the timeline was %d", now, s.patronictl(t),
			result, timeline)
	}
	t.Logf("rebooted in %.1f s: %+v", result.Seconds, result.Rebooted)
}

// testRebootInterrupted cancels a rolling reboot when a replica's Patroni has stopped. It runs
// again without further ado.
func testRebootInterrupted(t *testing.T, s site) {
	before := s.boots(t)
	_, other := s.leader(t)
	s.with(t, pgha.ConnectOptions{Existing: true}, func(c *pgha.Cluster) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		result, err := c.RollingReboot(ctx, pgha.RollingRebootOptions{Hosts: []string{other},
			Operation: pgha.Operation{Observer: func(e pgha.Event) {
				if e.Change != nil && e.Change.Name == "patroni.service" &&
					e.Change.Action == "stopped" {
					cancel()
				}
			}}})
		if !errors.Is(err, context.Canceled) || len(result.NotDone) != 1 {
			t.Errorf("interrupted: %v, %+v", err, result)
		}
	})
	if state := s.property(t, s.hostOf(t, other), "patroni", "ActiveState"); state != "active" {
		t.Errorf("patroni on %s is %s", other, state)
	}
	if diff := cmp.Diff(before, s.boots(t)); diff != "" {
		t.Errorf("something was rebooted (-before +after):\n%s", diff)
	}
}

// testRebootStaysAway reboots two balancers of which the first cannot be reached afterwards: the
// second is left alone.
func testRebootStaysAway(t *testing.T, s site) {
	idle := s.idle(s.holder(t))
	away, left := idle[0], idle[1]
	before := s.boots(t)
	s.mustInHost(t, away, "systemctl disable ssh ssh.socket 2>&1 || systemctl disable ssh")
	got := s.cli(t, "rolling-reboot", away, left, "--wait", "10s", "--yes")
	if got.code != 4 || !strings.Contains(got.stderr, away+" to come back") ||
		!strings.Contains(got.stderr, "not rebooted: "+away+", "+left) {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
	s.mustInHost(t, away, "systemctl enable --now ssh")
	if after := s.boots(t); after[away] == before[away] || after[left] != before[left] {
		t.Errorf("boots before %v, after %v", before, after)
	}
}
