package drill

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

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
	pooled := cluster(2, 3, true)
	pooled.Pooler = &spec.Pooler{}
	fenced.Pooler = &spec.Pooler{}
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
		"through a pooler": {Options{Scenarios: safely, Consent: "demo", Through: ThroughPool},
			pooled, nil, ""},
		"through a pooler that there is not": {Options{Scenarios: safely, Consent: "demo",
			Through: ThroughPool}, whole, refused, "no pooler to go through"},
		"through something else": {Options{Scenarios: safely, Consent: "demo", Through: "hole"},
			pooled, invalid, `through "hole"`},
		"about the pooler": {Options{Scenarios: []string{"switchover-pooled"}, Consent: "demo"},
			pooled, nil, ""},
		"about a pooler that there is not": {Options{Scenarios: []string{"pooler-killed"},
			Consent: "demo"}, whole, refused, "pooler-killed is about the pooler"},
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

// TestRoutesOfScenario: the writer and the reader come by the poolers' ports where the drill or the
// scenario says so, with the one setting that a pooler takes; members are asked as ever.
func TestRoutesOfScenario(t *testing.T) {
	t.Parallel()
	sp := spec.New()
	sp.Pooler = &spec.Pooler{WritePort: 6432, ReadPort: 6433}
	config, err := pgx.ParseConfig("host=192.168.0.210 port=5432 user=postgres sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["search_path"] = "pg_catalog"
	w := routes{config: config, reader: 5433, member: config, port: 5432, readWithin: askWithin,
		toMember: func(string) dialer { return nil }}
	for name, c := range map[string]struct {
		sc          Scenario
		through     Through
		write, read uint16
		within      time.Duration
	}{
		"balancers":     {Scenario{}, ThroughBalancer, 5432, 5433, askWithin},
		"all by pool":   {Scenario{}, ThroughPool, 6432, 6433, askWithin},
		"one by pool":   {Scenario{Pooled: true}, ThroughBalancer, 6432, 6433, askWithin},
		"without error": {Scenario{Expect: Expect{NoErrors: true}}, "", 5432, 5433, heldWithin},
	} {
		got := w.of(c.sc, Options{Through: c.through}, sp)
		if port := got.writes().Port; port != c.write || got.reads().config.Port != c.read ||
			got.through().config.Port != c.write || got.readWithin != c.within {
			t.Errorf("%s: writes to %d, reads from %d within %s", name, port,
				got.reads().config.Port, got.readWithin)
		}
		_, has := got.writes().RuntimeParams["search_path"]
		if has != (c.write == 5432) {
			t.Errorf("%s: sets %v", name, got.writes().RuntimeParams)
		}
		m := got.to(spec.Host{Address: "192.168.0.203"}).config
		if m.Port != 5432 || m.RuntimeParams["search_path"] != "pg_catalog" {
			t.Errorf("%s: a member is asked at %d with %v", name, m.Port, m.RuntimeParams)
		}
	}
}

// TestJudgeErrors: what clients were only to wait for is broken by one write or read that fails.
func TestJudgeErrors(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		o     Outcome
		reads []Read
	}{
		"":             {Outcome{Acknowledged: 9}, []Read{{}, {}}},
		"2 writes":     {Outcome{Failed: 1, Unknown: 1}, nil},
		"1 reads fail": {Outcome{}, []Read{{}, {Error: "closed"}}},
	} {
		said := ""
		judgeErrors(c.o, Recording{Reads: c.reads}, func(format string, args ...any) {
			said += fmt.Sprintf(format, args...)
		})
		if (want == "") != (said == "") || !strings.Contains(said, want) {
			t.Errorf("%+v: %q, want %q", c, said, want)
		}
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
