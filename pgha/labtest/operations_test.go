package labtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// part is a piece of a test on one lab.
type part struct {
	name string
	run  func(*testing.T, site)
}

// TestOperations provisions six hosts once and then tries every verb that operates a running
// cluster. Each subtest asks the cluster itself what became of it, with Patroni's own tool and psql
// on the hosts, and leaves it healthy.
func TestOperations(t *testing.T) {
	t.Parallel()
	runParts(t, lab.Options{Name: "e2e-operations", Installed: true}, []part{
		{"terminal", testOnATerminal},
		{"switchover", testSwitchover},
		{"switchover refused", testSwitchoverRefused},
		{"scheduled switchover", rare(testScheduledSwitchover)},
		{"pause", testPause},
		{"reload", testReload},
		{"restart", testRestart},
		{"reinit", testReinit},
		{"rotate", testRotate},
		{"rotate the REST authority", rare(testRotateREST)},
		{"stranded replica", testStranded},
		{"clients", testClients},
		{"dead balancer", rare(testDeadBalancer)},
		{"dead balancers", rare(testDeadBalancers)},
		{"two operators", testTwoOperators},
		{"query", testQuery},
		{"config", testConfig},
		{"sync", testSync},
		{"slots", testSlots},
		{"history", testHistory},
		{"logs", testLogs},
		{"crash of the primary", testCrash},
		{"power of the leader", rare(testLeaderPower)},
		{"roles and databases", testRoles},
		{"right of pg_rewind", rare(testRewindRight)},
		{"failover", testFailover},
		{"switchovers in a row", rare(testSwitchoversInARow)},
		{"trail", testTrail},
	})
}

// TestUpkeep does the same with what keeps a cluster as its specification says, with operators who
// are killed, and with whole hosts: plans and drift, rolled changes, stop, start, reboot, reset.
func TestUpkeep(t *testing.T) {
	t.Parallel()
	// Bare hosts: only of a package that apply has installed a plan says that somebody has removed
	// it.
	runParts(t, lab.Options{Name: "e2e-upkeep"}, []part{
		{"rolled", testRolled},
		{"killed", testKilled},
		{"drift", testDrift},
		{"stale plan", testStalePlan},
		{"power", testPower},
		{"lost state directory", testTakeOver},
		{"reset", testReset},
		{"destroy", rare(testDestroy)},
		{"unmanage", rare(testUnmanage)},
	})
}

// runParts provisions a lab and runs the parts on it, one after the other.
func runParts(t *testing.T, options lab.Options, parts []part) {
	t.Helper()
	s := newSite(t, startLab(t, options),
		func(text string) string { return text + "timezone: Etc/UTC\npatroni: {profile: fast}\n" })
	testFreshPlan(t, s)
	report := s.apply(t, pgha.ApplyOptions{})
	checkInstalled(t, options, report)
	s.awaitHealthy(t)
	for _, p := range parts {
		runPart(t, p.name, func(t *testing.T) {
			s.awaitHealthy(t)
			p.run(t, s)
			s.awaitHealthy(t)
		})
	}
	s.verify(t)
	s.applyNothing(t)
}

// checkInstalled fails the test if hosts that should have had their packages needed some.
func checkInstalled(t *testing.T, options lab.Options, report pgha.Report) {
	t.Helper()
	for _, c := range report.Changes {
		if c.Kind == "package" && options.Installed {
			t.Errorf("%s: package %s was missing in the lab's layer", c.Host, c.Name)
		}
	}
}

// seenMember is a member as Patroni's own tool lists it.
type seenMember struct {
	Member  string
	Host    string
	Role    string
	State   string
	TL      int
	Pending string `json:"Pending restart"`
}

// patronictl lists the members by asking on a database host that runs.
func (s site) patronictl(t *testing.T) []seenMember {
	t.Helper()
	for _, h := range s.databases() {
		var out bytes.Buffer
		// A host may be off: then another one is asked.
		_, err := s.Exec(t.Context(), h.Name, []string{
			"timeout", "15", "patronictl", "-c", "/etc/patroni/config.yml", "list", "-f", "json",
		}, lab.Stdio{Out: &out})
		var members []seenMember
		if err == nil && json.Unmarshal(out.Bytes(), &members) == nil && len(members) > 0 {
			return members
		}
	}
	t.Fatal("patronictl answers on no host")
	return nil
}

// leader returns the member that Patroni's own tool calls the leader, and another member. While the
// leadership moves there is none: it waits for the next one.
func (s site) leader(t *testing.T) (leader, other string) {
	t.Helper()
	await(t, time.Minute, "patronictl to name a leader", func() (bool, string) {
		members := s.patronictl(t)
		for _, m := range members {
			if m.Role == "Leader" {
				leader = m.Member
			} else {
				other = m.Member
			}
		}
		return leader != "", fmt.Sprintf("%+v", members)
	})
	return leader, other
}

// hostOf returns the host of a member.
func (s site) hostOf(t *testing.T, member string) string {
	t.Helper()
	h, err := s.spec(t).Host(member)
	if err != nil {
		t.Fatal(err)
	}
	return h.Name
}

// sql runs a query with psql on a member's host, as its local administrator.
func (s site) sql(t *testing.T, member, query string) string {
	t.Helper()
	return s.mustInHost(t, s.hostOf(t, member), "cd / && runuser -u postgres -- psql -XAtc "+
		shellQuote(query))
}

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// verb runs a verb of pgha-cli for scripts, wants it to succeed, and reads its result.
func (s site) verb(t *testing.T, result any, args ...string) {
	t.Helper()
	got := s.cli(t, append(args, "--yes", "--output", "json")...)
	if got.code != 0 {
		t.Fatalf("pgha-cli %v: exit code %d\n%s%s", args, got.code, got.stdout, got.stderr)
	}
	answer := struct{ Result any }{result}
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil {
		t.Fatalf("pgha-cli %v: %v\n%s", args, err, got.stdout)
	}
}

// refused runs a verb that must be refused with these words, and change nothing.
func (s site) refused(t *testing.T, words string, args ...string) {
	t.Helper()
	got := s.cli(t, append(args, "--yes")...)
	if got.code != 3 || !strings.Contains(got.stderr, words) ||
		!strings.Contains(got.stderr, "hint:") {
		t.Errorf("pgha-cli %v: exit code %d, want 3, %q and a hint\n%s%s", args, got.code, words,
			got.stdout, got.stderr)
	}
}

func testSwitchover(t *testing.T, s site) {
	before := s.patronictl(t)
	leader, other := s.leader(t)
	dry := s.cli(t, "switchover", "--to", other, "--dry-run")
	if dry.code != 0 || !strings.Contains(dry.stderr, "would:") {
		t.Errorf("dry run: exit code %d\n%s%s", dry.code, dry.stdout, dry.stderr)
	}
	if diff := cmp.Diff(before, s.patronictl(t)); diff != "" {
		t.Errorf("the dry run changed something (-before +after):\n%s", diff)
	}
	var result struct {
		OldLeader string  `json:"old_leader"`
		NewLeader string  `json:"new_leader"`
		Timeline  int     `json:"timeline"`
		Gap       float64 `json:"seconds_without_writes"`
	}
	s.verb(t, &result, "switchover", "--to", other)
	if result.OldLeader != leader || result.NewLeader != other {
		t.Errorf("from %s to %s: the result says %+v", leader, other, result)
	}
	for _, m := range s.patronictl(t) {
		switch {
		case m.Member == other && m.Role != "Leader":
			t.Errorf("%s is %s, not leader", m.Member, m.Role)
		case m.Member != other && m.State != "streaming", m.TL != result.Timeline:
			t.Errorf("%s is %s on timeline %d, want streaming on %d", m.Member, m.State, m.TL,
				result.Timeline)
		}
	}
	if got := s.sql(t, other, "SELECT pg_is_in_recovery()"); got != "f" {
		t.Errorf("pg_is_in_recovery on the new leader is %s", got)
	}
	if result.Gap <= 0 || result.Gap > 30 {
		t.Errorf("seconds without writes: %.2f", result.Gap)
	}
	t.Logf("%.2f s without writes", result.Gap)
}

func testSwitchoverRefused(t *testing.T, s site) {
	before := s.patronictl(t)
	leader, other := s.leader(t)
	work, err := pgx.ConnectConfig(t.Context(), s.writerConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	defer work.Close(t.Context())
	if _, err := work.Exec(t.Context(), "BEGIN; SELECT 1"); err != nil {
		t.Fatal(err)
	}
	s.refused(t, "postgresql-01", "switchover", "--to", "postgresql-1")
	s.refused(t, leader, "switchover", "--to", leader)
	s.refused(t, "balancer", "switchover", "--to", "haproxy-01")
	s.refused(t, "passed", "switchover", "--to", other, "--at", "2020-01-01T00:00:00Z")
	s.refused(t, "healthy", "failover", "--to", other)

	host := s.hostOf(t, other)
	s.mustInHost(t, host, "systemctl stop patroni")
	s.refused(t, other, "switchover", "--to", other)
	s.mustInHost(t, host, "systemctl start patroni")
	s.awaitHealthy(t)
	if diff := cmp.Diff(before, s.patronictl(t)); diff != "" {
		t.Errorf("a refused switchover changed something (-before +after):\n%s", diff)
	}
	await(t, 2*time.Minute, "a switchover to be refused because of a long transaction",
		func() (bool, string) {
			got := s.cli(t, "switchover", "--to", other, "--dry-run")
			return got.code == 3 && strings.Contains(got.stderr, "a transaction of postgres") &&
				strings.Contains(got.stderr, "--force"), got.stderr
		})
	if got := s.cli(t, "switchover", "--to", other); got.code != 64 ||
		!strings.Contains(got.stderr, "--yes") {
		t.Errorf("without a terminal and without --yes: exit code %d\n%s", got.code, got.stderr)
	}
}

func testScheduledSwitchover(t *testing.T, s site) {
	leader, other := s.leader(t)
	s.verb(t, nil, "switchover", "--to", other, "--at", "+1h")
	if status := s.status(t); status.ScheduledSwitchover == nil ||
		status.ScheduledSwitchover.To != other {
		t.Fatalf("status does not show the schedule: %+v", status.ScheduledSwitchover)
	}
	s.refused(t, "scheduled", "switchover", "--to", other, "--at", "+2h")
	s.verb(t, nil, "switchover", "--cancel")
	if status := s.status(t); status.ScheduledSwitchover != nil {
		t.Errorf("after the cancellation status shows %+v", status.ScheduledSwitchover)
	}
	s.refused(t, "scheduled", "switchover", "--cancel")
	s.verb(t, nil, "switchover", "--to", other, "--at", "+12s")
	await(t, time.Minute, "the scheduled switchover", func() (bool, string) {
		now, _ := s.leader(t)
		return now == other, now + " leads, it was " + leader
	})
}

func testPause(t *testing.T, s site) {
	s.verb(t, nil, "pause", "--wait")
	for _, h := range s.databases() {
		if out := s.mustInHost(t, h.Name,
			"patronictl -c /etc/patroni/config.yml list"); !strings.Contains(out,
			"Maintenance mode: on") {
			t.Errorf("%s does not know of the pause:\n%s", h.Name, out)
		}
	}
	if got := s.cli(t, "status"); got.code != 1 || !strings.Contains(got.stdout, "PAUSED") {
		t.Errorf("status does not say that the cluster is paused:\n%s", got.stdout)
	}
	s.refused(t, "paused", "switchover")
	s.verb(t, nil, "pause")
	s.verb(t, nil, "resume", "--wait")
	if got := s.cli(t, "status"); strings.Contains(got.stdout, "PAUSED") {
		t.Errorf("after resume status says:\n%s", got.stdout)
	}
	s.awaitHealthy(t)
}

func testReload(t *testing.T, s site) {
	leader, other := s.leader(t)
	s.sql(t, leader, "ALTER SYSTEM SET log_min_duration_statement = '12345ms'")
	defer func() {
		s.sql(t, leader, "ALTER SYSTEM RESET log_min_duration_statement")
		s.verb(t, nil, "reload", leader)
	}()
	s.verb(t, nil, "reload", leader)
	await(t, 30*time.Second, "the reloaded setting", func() (bool, string) {
		got := s.sql(t, leader, "SHOW log_min_duration_statement")
		return got == "12345ms", got
	})
	s.refused(t, other, "reload", other+"x")
	s.verb(t, nil, "reload")
	s.verify(t) // while systemd still says of Patroni that it is reloading
}

// restartWith changes a setting that makes every member wait for a restart, and restarts those.
func restartWith(t *testing.T, s site, leader, setting string) {
	t.Helper()
	s.mustInHost(t, s.hostOf(t, leader),
		"patronictl -c /etc/patroni/config.yml edit-config --force -p "+setting)
	await(t, time.Minute, "pending restarts", func() (bool, string) {
		waiting := 0
		for _, m := range s.status(t).Members {
			if m.PendingRestart {
				waiting++
			}
		}
		return waiting == 3, fmt.Sprint(waiting, " members")
	})
	s.verb(t, nil, "restart", "--pending")
}

func testRestart(t *testing.T, s site) {
	leader, _ := s.leader(t)
	started := func() map[string]string {
		at := map[string]string{}
		for _, h := range s.databases() {
			at[h.Member] = s.sql(t, h.Member, "SELECT pg_postmaster_start_time()")
		}
		return at
	}
	before := started()
	s.verb(t, nil, "restart", "--role", "replica")
	after := started()
	for member := range before {
		if (before[member] != after[member]) != (member != leader) {
			t.Errorf("restart of the replicas: %s ran since %s, now since %s; the leader is %s",
				member,
				before[member], after[member], leader)
		}
	}
	// A setting that needs a restart makes every member wait for one.
	restartWith(t, s, leader, "max_connections=101")
	for _, h := range s.databases() {
		if got := s.sql(t, h.Member, "SHOW max_connections"); got != "101" {
			t.Errorf("%s: max_connections is %s", h.Member, got)
		}
	}
	restartWith(t, s, leader, "max_connections=100")
	s.verb(t, nil, "restart", leader, "--at", "+1h")
	if m := s.memberStatus(t, leader); m.ScheduledRestart == "" {
		t.Errorf("status does not show the scheduled restart: %+v", m)
	}
	s.verb(t, nil, "restart", leader, "--cancel")
	if m := s.memberStatus(t, leader); m.ScheduledRestart != "" {
		t.Errorf("after the cancellation status shows %+v", m)
	}
}

func (s site) memberStatus(t *testing.T, member string) pgha.MemberStatus {
	t.Helper()
	for _, m := range s.status(t).Members {
		if m.Name == member {
			return m
		}
	}
	t.Fatalf("status has no member %s", member)
	return pgha.MemberStatus{}
}

func testReinit(t *testing.T, s site) {
	leader, other := s.leader(t)
	s.refused(t, "leader", "reinit", leader)
	host := s.hostOf(t, other)
	mark := "/var/lib/postgresql/data/reinit-must-remove-me"
	s.mustInHost(t, host, "touch "+mark)
	identifier := s.sql(t, other, "SELECT system_identifier FROM pg_control_system()")
	s.verb(t, nil, "reinit", other)
	if _, code := s.inHost(t, host, "test -e "+mark); code == 0 {
		t.Error("the data directory is the old one")
	}
	if got := s.sql(t, other,
		"SELECT system_identifier FROM pg_control_system()"); got != identifier {
		t.Errorf("system identifier %s, want %s", got, identifier)
	}
	if got := s.sql(t, leader,
		"SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"); got != "2" {
		t.Errorf("%s replicas stream", got)
	}
}

// testTwoOperators starts two switchovers at the same instant: one works, the other reads who holds
// the lock.
func testTwoOperators(t *testing.T, s site) {
	got := make([]outcome, 2)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i] = s.cli(t, "switchover", "--yes") })
	}
	wg.Wait()
	codes := map[int]int{got[0].code: 0, got[1].code: 1}
	if len(codes) != 2 || !has(codes, 0) || !has(codes, 5) {
		t.Fatalf("exit codes %d and %d, want 0 and 5\n%s\n%s", got[0].code, got[1].code,
			got[0].stderr, got[1].stderr)
	}
	second := got[codes[5]]
	if !strings.Contains(second.stderr, "switchover") ||
		!strings.Contains(second.stderr, "process") {
		t.Errorf("the second is not told who is at it:\n%s", second.stderr)
	}
	if status := s.status(t); status.Operation != nil {
		t.Errorf("after both the lock is still held: %+v", status.Operation)
	}
}

func has(m map[int]int, key int) bool { _, ok := m[key]; return ok }

// testLeaderPower is section 14 of the procedure: the leader's host loses power, writes go on by
// themselves, and the host comes back as a replica.
func testLeaderPower(t *testing.T, s site) {
	leader, _ := s.leader(t)
	host := s.hostOf(t, leader)
	s.sql(t, leader, "CREATE TABLE before_power_loss AS SELECT 42 AS answer")
	if err := s.Kill(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	s.awaitWrites(t, time.Minute)
	t.Logf("writes go on %s after the power loss", time.Since(start).Round(100*time.Millisecond))
	now, _ := s.leader(t)
	if now == leader {
		t.Errorf("%s still leads", leader)
	}
	if got := s.sql(t, now, "SELECT answer FROM before_power_loss"); got != "42" {
		t.Errorf("the row from before is %q", got)
	}
	if err := s.StartHost(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	s.awaitHealthy(t)
	s.sql(t, now, "DROP TABLE before_power_loss")
	if got := s.sql(t, leader, "SELECT status FROM pg_stat_wal_receiver"); got != "streaming" {
		t.Errorf("%s does not stream again: %q", leader, got)
	}
}

// awaitWrites waits until a row can be written through the virtual IP.
func (s site) awaitWrites(t *testing.T, bound time.Duration) {
	t.Helper()
	balancer := net.JoinHostPort(s.spec(t).VIP.Address, "5432")
	await(t, bound, "writes through "+balancer, func() (bool, string) {
		got := s.cli(t, "psql", "-X", "-At", "-c",
			"CREATE TEMPORARY TABLE t AS SELECT pg_current_xact_id()")
		return got.code == 0, got.stderr
	})
}

// testFailover takes the leader away in a paused cluster, where nobody is promoted by itself.
func testFailover(t *testing.T, s site) {
	leader, other := s.leader(t)
	host := s.hostOf(t, leader)
	s.verb(t, nil, "pause", "--wait")
	if err := s.Kill(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "the leader lock to end", func() (bool, string) {
		out, _ := s.inHost(t, s.hostOf(t, other), "patronictl -c /etc/patroni/config.yml list "+
			"-f json")
		return !strings.Contains(out, `"Leader"`), out
	})
	if got := s.cli(t, "failover", "--to", leader, "--yes"); got.code != 3 {
		t.Errorf("failover to the dead leader: exit code %d\n%s%s", got.code, got.stdout,
			got.stderr)
	}
	s.verb(t, nil, "failover", "--to", other, "--accept-loss")
	if got := s.sql(t, other, "SELECT pg_is_in_recovery()"); got != "f" {
		t.Errorf("%s was not promoted", other)
	}
	if err := s.StartHost(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	s.verb(t, nil, "resume", "--wait")
}

// testTrail reads what the hosts remember of what the tests before it have done.
func testTrail(t *testing.T, s site) {
	leader, _ := s.leader(t)
	s.verb(t, nil, "reload", leader)
	got := s.cli(t, "history", "--operations", "--output", "json")
	var trail []pgha.OperationRecord
	answer := struct{ Operations any }{&trail}
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != 0 {
		t.Fatalf("history --operations: exit code %d, %v\n%s%s", got.code, err, got.stdout,
			got.stderr)
	}
	if len(trail) == 0 {
		t.Fatal("the hosts remember nothing")
	}
	last := trail[len(trail)-1]
	want := []pgha.RecordedChange{{Host: s.hostOf(t, leader), Kind: "member", Name: leader,
		Action: "reloaded"}}
	if diff := cmp.Diff(want, last.Changes); diff != "" || last.Verb != "reload" ||
		!last.Finished ||
		last.Holder == "" {
		t.Errorf("the last operation is %+v\nchanges (-want +got):\n%s", last, diff)
	}
	for _, h := range s.Hosts() {
		if mode := s.mustInHost(t, h.Name,
			"stat -c '%a %U' /var/log/pgha/operations.jsonl"); mode != "600 root" {
			t.Errorf("%s: the trail has mode and owner %s", h.Name, mode)
		}
	}
}
