package labtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/patroni"
)

// shortDrills are what the tests practise unless it is a soak.
var shortDrills = []string{
	"switchover", "postgres-killed", "balancer-power", "haproxy-killed", "keepalived-stopped",
	"vrrp-blocked", "etcd-lost",
}

// TestDrills practises on a cluster with the fast profile and quorum, where no scenario may cost a
// row.
func TestDrills(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Options{Name: "e2e-drills", Installed: true})
	s := newSite(t, l, func(text string) string {
		// A busy machine keeps no promise in seconds; rows and writers are promised everywhere.
		return text +
			"patroni: {profile: fast, synchronous_mode: quorum}\nslo: {failover: 90s, " +
			"switchover: 30s, lost_rows: 0}\n"
	})
	s.apply(t, pgha.ApplyOptions{})
	runPart(t, "refused", func(t *testing.T) { testDrillRefused(t, s) })
	runPart(t, "scenarios", func(t *testing.T) { testScenarios(t, s) })
	runPart(t, "killed", func(t *testing.T) { testDrillEnded(t, s, syscall.SIGKILL) })
	runPart(t, "interrupted", func(t *testing.T) { testDrillEnded(t, s, syscall.SIGINT) })
	s.applyNothing(t)
}

// testDrillRefused tries what must not be done on a cluster that is not a lab, before anything is
// touched.
func testDrillRefused(t *testing.T, s site) {
	s.with(t, pgha.ConnectOptions{Existing: true}, func(c *pgha.Cluster) {
		for _, o := range []struct {
			drill.Options
			reason string
		}{
			{drill.Options{Scenarios: []string{"switchover"}}, "is not a lab"},
			{drill.Options{Scenarios: []string{"switchover"}, Consent: "another"}, "is not a lab"},
			{
				drill.Options{Scenarios: []string{"switchover", "leader-power"},
					Consent: c.Spec.Cluster},
				"leader-power: not outside a lab",
			},
			{drill.Options{Scenarios: []string{"swichover"}, Lab: s.Lab}, "no scenario"},
			{drill.Options{Lab: s.Lab}, "no scenario"},
		} {
			if _, err := drill.Run(t.Context(), c, o.Options); !pgha.Refused(err) ||
				!strings.Contains(err.Error(), o.reason) {
				t.Errorf("%v, consent %q: %v, want %q", o.Scenarios, o.Consent, err, o.reason)
			}
		}
	})
}

// testScenarios practises through the command line, and wants every promise kept.
func testScenarios(t *testing.T, s site) {
	chosen := shortDrills
	if soak() {
		chosen = []string{"--all"}
	}
	file := filepath.Join(t.TempDir(), "drill.html")
	cmd := exec.CommandContext(t.Context(), binary,
		slices.Concat([]string{"--lab", "--lab-name", s.Name(), "--spec", s.specFile, "drill",
			"--output", "json", "--report", file}, chosen)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var result drill.Result
	if jsonErr := json.Unmarshal(out, &result); jsonErr != nil {
		t.Fatalf("%v: %v\n%s", err, jsonErr, stderr.String())
	}
	if err != nil {
		t.Errorf("%v\n%s", err, stderr.String())
	}
	for _, run := range result.Runs {
		o := run.Outcome
		t.Logf("%-20s %6.2f s without writes %v, %d of %d rows lost, redundant after %.1f s",
			o.Scenario,
			o.GapSeconds, phasesOf(o), o.Lost, o.Acknowledged, o.RedundantSeconds)
		if !o.Verdict.Kept || run.Error != "" {
			t.Errorf("%s: %v %s", o.Scenario, o.Verdict.Broken, run.Error)
		}
		if o.Lost > 0 || len(o.DoubleWriters) > 0 || len(o.Missing) > 0 {
			t.Errorf("%s: %d rows lost, missing %v, two writers %v", o.Scenario, o.Lost, o.Missing,
				o.DoubleWriters)
		}
		if len(run.Recording.States) < 50 || len(run.Recording.Reads) < 50 ||
			len(run.Recording.Leadership) == 0 ||
			len(run.Recording.Held) != 3 {
			t.Errorf("%s: recorded %d answers, %d reads, %d leaderships, rows of %d members",
				o.Scenario,
				len(run.Recording.States), len(run.Recording.Reads), len(run.Recording.Leadership),
				len(run.Recording.Held))
		}
		if o.Scenario == "vrrp-blocked" && len(o.DoubleHolders) == 0 {
			t.Errorf("%s: nobody saw that two balancers carried the address", o.Scenario)
		}
		if strings.HasPrefix(o.Scenario, "leader-power") && (o.FromLeader == o.ToLeader ||
			!slices.Contains(phasesOf(o), string(drill.Election))) {
			t.Errorf("%s: %s leads after %s, phases %v", o.Scenario, o.ToLeader, o.FromLeader,
				phasesOf(o))
		}
	}
	if page, err := os.ReadFile(file); err != nil ||
		!strings.Contains(string(page), "postgres-killed") {
		t.Errorf("the report: %v, %d bytes", err, len(page))
	}
	s.with(t, pgha.ConnectOptions{ReadOnly: true}, func(c *pgha.Cluster) {
		if config, err := c.DynamicConfig(t.Context()); err != nil ||
			config["synchronous_mode"] != string(patroni.SynchronousQuorum) {
			t.Errorf("the synchronous mode afterwards: %v, %v", config["synchronous_mode"], err)
		}
	})
}

func phasesOf(o drill.Outcome) []string {
	var names []string
	for _, p := range o.Phases {
		names = append(names, string(p.Name))
	}
	return names
}

// testDrillEnded ends the program while a fault is there. Interrupted it gives back what it broke
// before it ends; killed, the host does so by its own timer.
func testDrillEnded(t *testing.T, s site, signal syscall.Signal) {
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), binary, "--lab", "--lab-name", s.Name(), "--spec",
		s.specFile,
		"drill", "etcd-member-lost")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	down := func() (host string) {
		for _, h := range s.databases() {
			if out, _ := s.inHost(t, h.Name, "systemctl is-active etcd"); out != "active" {
				return h.Name
			}
		}
		return ""
	}
	host := ""
	await(t, time.Minute, "etcd to be killed somewhere",
		func() (bool, string) { host = down(); return host != "", stderr.String() })
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	err := <-ended
	if signal == syscall.SIGINT {
		if code := cmd.ProcessState.ExitCode(); code != 130 || down() != "" {
			t.Errorf("exit code %d (%v), etcd down on %q\n%s", code, err, down(), stderr.String())
		}
		return
	}
	start := time.Now()
	await(t, time.Minute, "etcd to be started again by its host", func() (bool, string) {
		// puts off a timer that counts from its start
		s.mustInHost(t, host, "systemctl daemon-reload")
		return down() == "", host
	})
	t.Logf("etcd of %s was back %s after the program was killed", host,
		time.Since(start).Round(time.Second))
	s.awaitHealthy(t)
}
