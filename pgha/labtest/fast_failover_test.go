package labtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/incident"
	"github.com/pgha/toolkit/pgha/lab"
)

const fastFailover = "patroni: {synchronous_mode: quorum, fast_failover: {suspect_after: 3s}}\n" +
	"slo: {failover: 90s, switchover: 30s, lost_rows: 0}\n"

// TestFastFailover takes the power of the leader's host, cuts it off from the databases, and takes
// an agent away.
func TestFastFailover(t *testing.T) {
	t.Parallel()
	wantTime(t, 11*time.Minute)
	l := startLab(t, lab.Options{Name: "e2e-fast-failover", Installed: true})
	s := newSite(t, l, func(text string) string {
		return text + strings.Replace(fastFailover, ", fast_failover: {suspect_after: 3s}", "", 1)
	})
	s.apply(t, pgha.ApplyOptions{})
	before := s.processesOfSessions(t)
	text, err := l.Spec()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.specFile, []byte(string(text)+fastFailover))
	s.apply(t, pgha.ApplyOptions{})
	s.applyNothing(t)
	if after := s.processesOfSessions(t); after != before {
		t.Errorf("switched on it has restarted something: processes %q, then %q", before, after)
	}

	runPart(t, "nothing is suspected", func(t *testing.T) {
		s.practise(t, "switchover")
		if all() {
			s.practise(t, "postgres-killed")
			s.practise(t, "patroni-stopped")
		}
		verbs := [][]string{{"restart"}, {"stop", "start"}}
		if all() {
			verbs = append(verbs, []string{"rolling-reboot"})
		}
		for _, list := range verbs {
			s.awaitHealthy(t)
			for _, verb := range list {
				s.verb(t, nil, verb)
			}
		}
		s.awaitHealthy(t)
		if said := s.agents(t, "suspected"); said != "" {
			t.Errorf("a host was suspected that lives:\n%s", said)
		}
	})
	for _, scenario := range []string{"leader-power", "leader-power-etcd", "leader-partitioned"} {
		runPart(t, scenario, func(t *testing.T) {
			if scenario != "leader-power" {
				rarely(t)
			}
			// A busy machine keeps no promise in seconds: what counts is who took the key away.
			before := s.taken(t)
			s.practise(t, scenario)
			if after := s.taken(t); after != before+1 {
				t.Errorf("the key was taken away %d times:\n%s", after-before, s.agents(t, "pgha: "))
			}
			s.noFence(t)
		})
	}
	runPart(t, "why tells it", func(t *testing.T) { testWhyOfAFence(t, s) })
	runPart(t, "paused", func(t *testing.T) { rare(testFencePaused)(t, s) })
	// With agents that are gone, killed or frozen the lease has to end, and nothing else happens.
	for _, scenario := range []string{"agents-gone", "agent-killed", "agent-frozen"} {
		runPart(t, scenario, func(t *testing.T) {
			rarely(t)
			s.practise(t, scenario)
			s.noFence(t)
		})
	}
	runPart(t, "an agent does not run", func(t *testing.T) { testAgentStopped(t, s) })
	runPart(t, "a host that cannot fence", func(t *testing.T) { rare(testCannotFence)(t, s) })
	runPart(t, "a fence stays", func(t *testing.T) { testFenceStays(t, s) })
	runPart(t, "faults in a row", func(t *testing.T) {
		rarely(t)
		s.faultsInARow(t, 2)
	})
	s.applyNothing(t)
	s.verify(t)
}

// testWhyOfAFence wants the account of the last failover to say who suspected whom, who fenced it
// and who took its key away.
func testWhyOfAFence(t *testing.T, s site) {
	got := s.cli(t, "why", "--output", "json")
	for _, kind := range []incident.Kind{incident.LeaderSuspected, incident.LeaderFenced,
		incident.KeyDeleted, incident.FenceLifted} {
		if !strings.Contains(got.stdout, `"`+string(kind)+`"`) {
			t.Errorf("why does not tell of %s (exit code %d):\n%s%s", kind, got.code, got.stdout,
				got.stderr)
		}
	}
}

// testFencePaused cuts the leader of a paused cluster off, for longer than it takes to suspect it.
func testFencePaused(t *testing.T, s site) {
	s.verb(t, nil, "pause", "--wait")
	leader, _ := s.leader(t)
	host := s.hostOf(t, leader)
	var others []string
	for _, h := range s.databases() {
		if h.Name != host {
			others = append(others, h.Address)
		}
	}
	before := s.agents(t, "pgha: ")
	rule := "nft add table inet cut; nft add chain inet cut in '{ type filter hook input priority " +
		"-300; }'; nft add rule inet cut in ip saddr '{ " + strings.Join(others, ", ") + " }' drop"
	s.mustInHost(t, host, rule+"; sleep 8; nft delete table inet cut")
	if after := s.agents(t, "pgha: "); after != before {
		t.Errorf("an agent acts on a paused cluster:\n%s\nbefore:\n%s", after, before)
	}
	s.noFence(t)
	s.verb(t, nil, "resume", "--wait")
	if now, _ := s.leader(t); now != leader {
		t.Errorf("%s leads after a pause, before it %s", now, leader)
	}
}

// testAgentStopped wants status, verify and doctor to say that an agent does not run, and doctor to
// mend it.
func testAgentStopped(t *testing.T, s site) {
	s.awaitHealthy(t)
	host := s.databases()[0].Name
	s.mustInHost(t, host, "systemctl stop pgha-failover")
	const problem = "pgha-failover.service on "
	if got := s.cli(t, "status"); got.code != 1 || !strings.Contains(got.stdout, problem+host) {
		t.Errorf("status: exit code %d\n%s", got.code, got.stdout)
	}
	if got := s.cli(t, "verify"); got.code != 1 ||
		!strings.Contains(got.stdout+got.stderr, problem+host) {
		t.Errorf("verify: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := s.cli(t, "doctor", "--fix", "unit-stopped", "--yes"); got.code != 0 {
		t.Errorf("doctor: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.awaitHealthy(t)
}

// testCannotFence gives a host a route of its own to another one, and wants plan to say so.
func testCannotFence(t *testing.T, s site) {
	host, other := s.databases()[0].Name, s.databases()[1].Address
	s.mustInHost(t, host, fmt.Sprintf(
		"ip route add %[1]s/32 $(ip -o route get %[1]s | grep -o 'dev [^ ]*')", other))
	if got := s.cli(t, "plan"); got.code == 0 || !strings.Contains(got.stdout+got.stderr,
		"it cannot fence "+other+": it has a route of its own") {
		t.Errorf("plan: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.mustInHost(t, host, "ip route del "+other+"/32")
	if left := s.mustInHost(t, host, "ip route show type prohibit"); left != "" {
		t.Errorf("the trial has left a route: %s", left)
	}
	if got := s.cli(t, "plan"); got.code != 0 {
		t.Errorf("plan: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// testFenceStays leaves a fence behind that the timer was kept from removing, and wants status to
// show it and doctor to remove it.
func testFenceStays(t *testing.T, s site) {
	leader, replica := s.leader(t)
	host, lost := s.hostOf(t, replica), s.hostOf(t, leader)
	address := ""
	for _, h := range s.databases() {
		if h.Name == lost {
			address = h.Address
		}
	}
	s.mustInHost(t, host, fmt.Sprintf(`systemctl stop pgha-failover-lift.timer pgha-failover
printf '{"leader": "%s", "timeline": 999, "since": 0, "keep": 1, "address": "%s", "boot": "%%s", "at": %%s}' \
  "$(cat /proc/sys/kernel/random/boot_id)" "$(($(date +%%s) - 600))" >/var/lib/pgha-failover/fence
chown postgres /var/lib/pgha-failover/fence
ip route add prohibit %s/32`, leader, address, address))
	if status := s.status(t); len(status.Fences) != 1 || status.Fences[0].Against != leader ||
		status.Healthy() {
		t.Errorf("status shows the fences %+v", status.Fences)
	}
	if got := s.cli(t, "doctor", "--fix", "fence-stays", "--yes"); got.code != 0 {
		t.Errorf("doctor: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.noFence(t)
	s.mustInHost(t, host, "systemctl start pgha-failover")
	s.awaitHealthy(t)
}

// TestFastFailoverSoak makes two hundred faults in a row with make soak, and none otherwise:
// TestFastFailover has a few of them.
func TestFastFailoverSoak(t *testing.T) {
	t.Parallel()
	if !soak() {
		t.Skip("two hundred faults: make soak")
	}
	l := startLab(t, lab.Options{Name: "e2e-fast-soak", Installed: true})
	s := newSite(t, l, func(text string) string { return text + fastFailover })
	s.apply(t, pgha.ApplyOptions{})
	s.faultsInARow(t, 200)
	s.applyNothing(t)
	s.verify(t)
}

// soakFaults are what faultsInARow draws from.
var soakFaults = [...]string{"switchover", "postgres-killed", "patroni-killed", "patroni-frozen",
	"patroni-stopped", "leader-power", "leader-power-etcd", "leader-partitioned",
	"leader-isolated", "leader-deaf", "leader-mute", "leader-stalls", "leader-frozen-2s",
	"leader-frozen-4s", "leader-frozen-8s", "leader-frozen-30s", "leader-power-degraded",
	"agent-killed", "agent-frozen", "agents-gone", "replica-lost", "etcd-member-lost",
	"etcd-quorum-lost", "balancer-power", "haproxy-killed", "slow-network", "lossy-network"}

// faultsInARow makes faults that are drawn with a seed, which PGHA_SEED repeats. After each no row
// is lost, there were never two writers, and the cluster is whole.
func (s site) faultsInARow(t *testing.T, n int) {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("PGHA_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("PGHA_SEED: %v", err)
		}
	}
	t.Logf("PGHA_SEED=%d repeats these faults", seed)
	draw := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // to be repeated, not to be secret
	for i := range n {
		scenario := soakFaults[draw.IntN(len(soakFaults))]
		t.Logf("fault %d of %d: %s", i+1, n, scenario)
		s.practise(t, scenario)
		if t.Failed() {
			t.Fatalf("PGHA_SEED=%d, fault %d: %s", seed, i+1, scenario)
		}
	}
}

// practise runs one drill and wants every promise kept.
func (s site) practise(t *testing.T, scenario string) drill.Outcome {
	t.Helper()
	s.awaitHealthy(t)
	cmd := exec.CommandContext(t.Context(), binary, "--lab", "--lab-name", s.Name(), "--spec",
		s.specFile, "drill", "--output", "json", scenario)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var result drill.Result
	if jsonErr := json.Unmarshal(out, &result); jsonErr != nil || len(result.Runs) != 1 {
		t.Fatalf("%v: %v\n%s", err, jsonErr, stderr.String())
	}
	o := result.Runs[0].Outcome
	t.Logf("%-20s %6.2f s without writes %v, %d of %d rows lost", scenario, o.GapSeconds, phasesOf(o),
		o.Lost, o.Acknowledged)
	if err != nil || o.Lost > 0 || len(o.DoubleWriters) > 0 || len(o.Missing) > 0 {
		t.Errorf("%v: %d rows lost, missing %v, two writers %v\n%s", err, o.Lost, o.Missing,
			o.DoubleWriters, stderr.String())
	}
	return o
}

// agents is what the agents of all hosts have said with these words.
func (s site) agents(t *testing.T, words string) string {
	t.Helper()
	var all strings.Builder
	for _, h := range s.databases() {
		all.WriteString(s.mustInHost(t, h.Name,
			"journalctl --no-pager -o short-precise -u pgha-failover | grep '"+words+"' || true"))
		all.WriteString("\n")
	}
	return strings.TrimSpace(all.String())
}

// taken counts how often an agent has taken the leader key away.
func (s site) taken(t *testing.T) int {
	t.Helper()
	return len(keyTaken.FindAllString(s.agents(t, "pgha: the leader key"), -1))
}

// keyTaken is what the agent says that did it. Others say that they came too late.
var keyTaken = regexp.MustCompile(`(?m)every voter has fenced it$`)

// noFence wants that none is left.
func (s site) noFence(t *testing.T) {
	t.Helper()
	for _, h := range s.databases() {
		if left := s.mustInHost(t, h.Name,
			"ip route show type prohibit; ls /var/lib/pgha-failover"); strings.TrimSpace(left) != "" {
			t.Errorf("%s still has a fence: %s", h.Name, left)
		}
	}
}
