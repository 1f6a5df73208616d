package labtest

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// TestKilledAtEveryStep runs a first apply that is killed with SIGKILL at the first change it
// reports, and run again, and killed again, until one run finds nothing left; then a change of the
// configuration of every component in the same way. Some runs lose their network instead, or the
// host they work on its power. What is on the hosts in the end is what an undisturbed apply of the
// same specification makes of bare hosts.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	rarely(t)
	options := lab.Options{Name: "e2e-killed", Hosts: 5}
	state := filepath.Join(t.TempDir(), "state")
	s := newSite(t, startLab(t, options), func(text string) string {
		return keepState(text, state)
	})
	kills := s.applyKilled(t, map[int]disturbance{
		2: networkLost, 12: powerLost, 24: networkLost, 36: powerLost, 48: networkLost,
		60: powerLost, 72: networkLost,
	})
	t.Logf("first apply: disturbed %d times", kills)
	s.verify(t)

	text := keepState(string(must(s.Spec())(t)), state) + `patroni: {loop_wait: 9}
balancer: {check_interval: 600ms}
`
	text = edited(t, text, "etcd: {",
		"etcd: {heartbeat_interval: 150ms, election_timeout: 1500ms, ")
	text = edited(t, text, "vip: {", "vip: {advert_interval: 0.3, ")
	writeFile(t, s.specFile, []byte(text))
	kills = s.applyKilled(t, map[int]disturbance{4: powerLost, 8: networkLost})
	t.Logf("change of configuration: disturbed %d times", kills)
	s.verify(t)
	s.applyNothing(t)
	s.awaitNothingHalf(t)
	disturbed := withoutTimes(digests(t, s))

	fresh := site{Lab: startLab(t, options), specFile: s.specFile}
	fresh.apply(t, pgha.ApplyOptions{})
	fresh.awaitHealthy(t)
	if diff := cmp.Diff(withoutTimes(digests(t, fresh)), disturbed); diff != "" {
		t.Errorf("the hosts differ (-undisturbed +killed):\n%s", diff)
	}
}

// awaitNothingHalf waits until the hosts have given up every file that a run was sending when its
// network went.
func (s site) awaitNothingHalf(t *testing.T) {
	t.Helper()
	await(t, 2*time.Minute, "files that arrived by half to go", func() (bool, string) {
		var seen []string
		for _, h := range s.Hosts() {
			seen = append(seen, strings.Fields(s.mustInHost(t, h.Name,
				"find $(ls -d "+managed+" 2>/dev/null) -name '.pgha.*'"))...)
		}
		return len(seen) == 0, strings.Join(seen, " ")
	})
}

// keepState puts the credentials where they outlive the lab.
func keepState(text, dir string) string {
	return regexp.MustCompile(`(?m)^state_dir: .*$`).ReplaceAllString(text, "state_dir: "+dir)
}

// withoutTimes leaves path, owner, mode and content of each file, but no certificate that a package
// makes up for itself.
func withoutTimes(all map[string][]string) map[string][]string {
	for host, lines := range all {
		lines = slices.DeleteFunc(lines, func(line string) bool {
			return strings.Contains(line, "snakeoil")
		})
		for i, line := range lines {
			if f := strings.Fields(line); len(f) == 5 {
				lines[i] = strings.Join([]string{f[0], f[1], f[2], f[4]}, " ")
			}
		}
		all[host] = lines
	}
	return all
}

// mostKills bounds the number of runs: each makes at least one change, and a first apply makes some
// 200.
const mostKills = 400

// applyKilled runs apply and kills it at its first change, until a run ends by itself. others
// replaces the kill of some runs, counted from 0, by another disturbance.
func (s site) applyKilled(t *testing.T, others map[int]disturbance) (kills int) {
	t.Helper()
	for ; kills < mostKills; kills++ {
		disturb, other := others[kills]
		if !other {
			disturb = killed
		}
		if finished := s.applyDisturbed(t, kills, disturb); finished {
			return kills
		}
	}
	t.Fatalf("still not finished after %d runs", kills)
	return kills
}

// disturbance does something to a run of apply whose first change was on the host. What it returns
// is called when the run has ended, and puts right what the next run cannot.
type disturbance func(t *testing.T, s site, apply *os.Process, host string) (mend func())

func killed(t *testing.T, _ site, apply *os.Process, _ string) func() {
	if err := apply.Kill(); err != nil {
		t.Fatal(err)
	}
	return func() {}
}

// networkLost takes this machine's address in the lab's network away: whatever apply sends or waits
// for is lost without a word, while the hosts still reach each other.
func networkLost(t *testing.T, s site, _ *os.Process, _ string) func() {
	address := func(verb string) {
		if code, err := s.Run(t.Context(), []string{
			"ip", "address", verb, "192.168.0.1/24", "dev", "br0",
		}, lab.Stdio{Err: os.Stderr}); code != 0 || err != nil {
			t.Fatalf("ip address %s: exit code %d, %v", verb, code, err)
		}
	}
	address("delete")
	return func() { address("add") }
}

// powerLost takes the power of the host that apply is busy with.
func powerLost(t *testing.T, s site, _ *os.Process, host string) func() {
	if err := s.Kill(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := s.StartHost(t.Context(), host); err != nil {
			t.Fatal(err)
		}
	}
}

// applyDisturbed runs apply and disturbs it at its first change. A run that finds nothing to change
// has finished; a disturbed one may have made its last change just then, which the next one will
// find out.
func (s site) applyDisturbed(t *testing.T, run int, disturb disturbance) (finished bool) {
	t.Helper()
	cmd := exec.Command(binary, "--lab", "--lab-name", s.Name(), "--spec", s.specFile, "apply",
		"--output", "json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() })
	var mend func()
	var disturbed time.Time
	last, host := "", ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last = lines.Text()
		var event struct{ Kind, Host, Error string }
		if json.Unmarshal([]byte(last), &event) == nil && event.Kind == "changed" && mend == nil {
			disturbed, host = time.Now(), event.Host
			mend = disturb(t, s, cmd.Process, host)
		}
	}
	err = cmd.Wait()
	watchdog.Stop()
	if mend == nil {
		if cmd.ProcessState.ExitCode() == 5 && strings.Contains(last, "frees itself") {
			// The lock of a run that lost its network is held until the hosts have missed it for
			// long enough.
			time.Sleep(500 * time.Millisecond)
			return false
		}
		if err != nil {
			t.Fatalf("apply after %d disturbed runs: %v\n%s", run, err, last)
		}
		return true
	}
	if took := time.Since(disturbed); took > time.Second {
		t.Logf("run %d, disturbed at a change of %s, ended after %s: %v\n%s", run, host,
			took.Round(100*time.Millisecond), err, last)
	}
	mend()
	return false
}
