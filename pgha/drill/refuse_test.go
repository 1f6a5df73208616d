package drill

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestCheckRefuses: a drill that must not be is refused before any host is asked.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	cluster := func(balancers, databases int, vip bool) *spec.Spec {
		sp := spec.New()
		sp.Cluster = "demo"
		if vip {
			sp.VIP = &spec.VIP{}
		}
		for range balancers {
			sp.Hosts = append(sp.Hosts, spec.Host{Role: spec.RoleBalancer})
		}
		for range databases {
			sp.Hosts = append(sp.Hosts, spec.Host{Role: spec.RoleDatabase})
		}
		return sp
	}
	whole, fenced := cluster(2, 3, true), cluster(2, 3, true)
	fenced.Patroni.FastFailover.SuspectAfter = 3 * time.Second
	safely := []string{"switchover", "postgres-killed"}
	invalid, refused := patroni.ErrInvalid, pgha.ErrRefused
	for name, c := range map[string]struct {
		opts Options
		sp   *spec.Spec
		want error
		says string
	}{
		"with consent": {Options{Scenarios: safely, Consent: "demo"}, whole, nil, ""},
		"without":      {Options{Scenarios: safely}, whole, refused, "is not a lab"},
		"with another's consent": {Options{Scenarios: safely, Consent: "Demo"}, whole, refused,
			"is not a lab"},
		"on a lab": {Options{Scenarios: names(Scenarios()), Lab: &rig{}}, fenced, nil, ""},
		"about agents that there are not": {Options{Scenarios: []string{"agent-killed"},
			Lab: &rig{}}, whole, refused, "agent-killed is about the agents"},
		"no scenario": {Options{Consent: "demo"}, whole, invalid, "no scenario"},
		"an unknown one": {Options{Scenarios: []string{"flood"}, Consent: "demo"}, whole, invalid,
			`"flood"`},
		"one that is not safe": {
			Options{Scenarios: []string{"switchover", "disk-full"}, Consent: "demo"}, whole,
			refused,
			"disk-full: not outside a lab",
		},
		"too few runs": {Options{Scenarios: safely, Runs: -1, Consent: "demo"}, whole,
			invalid, "-1 runs"},
		"as many as there may be": {Options{Scenarios: safely, Runs: 1000, Consent: "demo"}, whole,
			nil, ""},
		"too many runs": {
			Options{Scenarios: safely, Runs: 1001, Consent: "demo"}, whole, invalid, "1001 runs",
		},
		"no virtual IP": {
			Options{Scenarios: safely, Consent: "demo"}, cluster(2, 3, false), refused,
			"virtual IP",
		},
		"one balancer": {
			Options{Scenarios: safely, Consent: "demo"}, cluster(1, 3, true), refused, "virtual IP",
		},
		"two databases": {
			Options{Scenarios: safely, Consent: "demo"}, cluster(2, 2, true), refused,
			"three databases",
		},
		"two databases, on a lab": {
			Options{Scenarios: safely, Lab: &rig{}}, cluster(2, 2, true), refused,
			"three databases",
		},
		"a client that is none": {
			Options{Scenarios: safely, Client: "poll", Consent: "demo"}, whole, invalid, `"poll"`,
		},
		"a mode that is none": {
			Options{Scenarios: safely, Synchronous: "remote", Consent: "demo"}, whole, invalid,
			`"remote"`,
		},
	} {
		err := c.opts.Check(c.sp)
		if !errors.Is(err, c.want) || c.want != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v that says %q", name, err, c.want, c.says)
		}
	}
}

// TestSafeIsSafe: what may run outside a lab prepares nothing, sets no mode and takes nobody's
// power, network or data.
func TestSafeIsSafe(t *testing.T) {
	t.Parallel()
	for _, s := range Scenarios() {
		if s.cause == nil || s.Title == "" || s.Does == "" || s.Holds == "" {
			t.Errorf("%s is not whole", s.Name)
		}
		if s.Safe && (s.prepare != nil || s.Synchronous != "") {
			t.Errorf("%s is safe, and prepares or sets something first", s.Name)
		}
		for _, word := range []string{"power", "data", "certificate", "cut"} {
			if s.Safe && strings.Contains(s.Title, word) {
				t.Errorf("%s is safe, and is about %q", s.Name, word)
			}
		}
	}
	if len(safe()) < 5 || len(safe()) == len(Scenarios()) {
		t.Errorf("%d of %d are safe", len(safe()), len(Scenarios()))
	}
}

// TestWantedMode: a scenario's own mode comes before the drill's, and that before the cluster's.
func TestWantedMode(t *testing.T) {
	t.Parallel()
	found := synchronous{patroni.SynchronousStrict, 2}
	for _, c := range []struct {
		about, drill patroni.SynchronousMode
		want         synchronous
	}{
		{"", "", found},
		{"", patroni.SynchronousOff, synchronous{mode: patroni.SynchronousOff}},
		{patroni.SynchronousQuorum, patroni.SynchronousOff,
			synchronous{mode: patroni.SynchronousQuorum}},
	} {
		d := &driller{opts: Options{Synchronous: c.drill}, mode: found}
		if got := d.wanted(c.about); got != c.want {
			t.Errorf("about %q, with %q: %+v", c.about, c.drill, got)
		}
	}
}

// TestFaultsLast: a fault lasts for as long as Patroni may need to see it.
func TestFaultsLast(t *testing.T) {
	t.Parallel()
	sp := spec.New()
	sp.Patroni.TTL, sp.Patroni.LoopWait = 90*time.Second, 30*time.Second
	all := Scenarios()
	for _, s := range all {
		brief := strings.Contains(s.Title, "stands still for")
		if s.lasts != nil && s.lasts(sp) <= sp.Patroni.LoopWait && !brief {
			t.Errorf("%s lasts %s, which is no loop of Patroni", s.Name, s.lasts(sp))
		}
	}
	frozen := all[slices.IndexFunc(all, func(s Scenario) bool {
		return s.Name == "patroni-frozen"
	})]
	if got := frozen.lasts(sp); got <= sp.Patroni.TTL+sp.Patroni.LoopWait {
		t.Errorf("a frozen Patroni is thawed after %s, before its key has run out", got)
	}
}
