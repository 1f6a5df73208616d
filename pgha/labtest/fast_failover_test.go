package labtest

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/lab"
)

const fastFailover = "patroni: {synchronous_mode: quorum, fast_failover: {suspect_after: 3s}}\n" +
	"slo: {failover: 90s, switchover: 30s, lost_rows: 0}\n"

// TestFastFailover takes the power of the leader's host, cuts it off from the databases, and takes
// an agent away.
func TestFastFailover(t *testing.T) {
	t.Parallel()
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
		s.practise(t, "postgres-killed")
		if said := s.agents(t, "suspected"); said != "" {
			t.Errorf("a host was suspected that lives:\n%s", said)
		}
	})
	for _, scenario := range []string{"leader-power", "leader-power-etcd", "leader-partitioned"} {
		runPart(t, scenario, func(t *testing.T) {
			// A busy machine keeps no promise in seconds: what counts is who took the key away.
			before := s.taken(t)
			s.practise(t, scenario)
			if after := s.taken(t); after != before+1 {
				t.Errorf("the key was taken away %d times:\n%s", after-before, s.agents(t, "pgha: "))
			}
			s.noFence(t)
		})
	}
	runPart(t, "an agent is gone", func(t *testing.T) {
		// Any voter may be the one; the lease has to end then, and nothing else may happen.
		for _, h := range s.databases() {
			if h.Name != s.databases()[0].Name {
				s.mustInHost(t, h.Name, "systemctl stop pgha-failover")
			}
		}
		s.practise(t, "leader-power")
		s.noFence(t)
		s.apply(t, pgha.ApplyOptions{})
	})
	s.verify(t)
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
	return strings.Count(s.agents(t, "pgha: the leader key"), "every voter has fenced it")
}

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
