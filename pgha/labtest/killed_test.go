package labtest

import (
	"bufio"
	"encoding/json"
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

// TestKilledAtEveryStep runs a first apply that is killed with SIGKILL at the first change it reports, and run again, and
// killed again, until one run finds nothing left; then a change of the configuration of every component in the same way.
// What is on the hosts in the end is what an undisturbed apply of the same specification makes of bare hosts.
func TestKilledAtEveryStep(t *testing.T) {
	options := lab.Options{Name: "e2e-killed", Hosts: 5}
	state := filepath.Join(t.TempDir(), "state")
	s := newSite(t, startLab(t, options), func(text string) string { return keepState(text, state) })
	kills := s.applyKilled(t)
	t.Logf("first apply: killed %d times", kills)
	s.awaitVerified(t)

	text := keepState(string(must(s.Spec())(t)), state) + `patroni: {loop_wait: 9}
balancer: {check_interval: 600ms}
`
	text = strings.Replace(text, "etcd: {", "etcd: {heartbeat_interval: 150ms, election_timeout: 1500ms, ", 1)
	text = strings.Replace(text, "vip: {", "vip: {advert_interval: 0.3, ", 1)
	writeFile(t, s.specFile, []byte(text))
	kills = s.applyKilled(t)
	t.Logf("change of configuration: killed %d times", kills)
	s.awaitVerified(t)
	s.applyNothing(t)
	disturbed := withoutTimes(digests(t, s))

	fresh := site{Lab: startLab(t, options), specFile: s.specFile}
	fresh.apply(t, pgha.ApplyOptions{})
	fresh.awaitHealthy(t)
	if diff := cmp.Diff(withoutTimes(digests(t, fresh)), disturbed); diff != "" {
		t.Errorf("the hosts differ (-undisturbed +killed):\n%s", diff)
	}
}

// keepState puts the credentials where they outlive the lab.
func keepState(text, dir string) string {
	return regexp.MustCompile(`(?m)^state_dir: .*$`).ReplaceAllString(text, "state_dir: "+dir)
}

// withoutTimes leaves path, owner, mode and content of each file, but no certificate that a package makes up for itself.
func withoutTimes(all map[string][]string) map[string][]string {
	for host, lines := range all {
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "snakeoil") })
		for i, line := range lines {
			if f := strings.Fields(line); len(f) == 5 {
				lines[i] = strings.Join([]string{f[0], f[1], f[2], f[4]}, " ")
			}
		}
		all[host] = lines
	}
	return all
}

// mostKills bounds the number of runs: each makes at least one change, and a first apply makes some 200.
const mostKills = 400

// applyKilled runs apply and kills it at its first change, until a run ends by itself.
func (s site) applyKilled(t *testing.T) (kills int) {
	t.Helper()
	for ; kills < mostKills; kills++ {
		cmd := exec.Command(binary, "--lab", "--lab-name", s.Name(), "--spec", s.specFile, "apply", "--output", "json")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		watchdog := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() })
		killed, last := false, ""
		for lines := bufio.NewScanner(out); lines.Scan(); {
			last = lines.Text()
			var event struct{ Kind, Error string }
			if json.Unmarshal([]byte(last), &event) == nil && event.Kind == "changed" && !killed {
				killed = true
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		err = cmd.Wait()
		watchdog.Stop()
		if !killed {
			if err != nil {
				t.Fatalf("apply after %d kills: %v\n%s", kills, err, last)
			}
			return kills
		}
	}
	t.Fatalf("still not finished after %d runs", kills)
	return kills
}
