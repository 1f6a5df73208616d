package report

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/probe"
)

var sampleStart = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// made is a run that never was: everything in it follows from these few figures, so that a test
// knows what must be drawn.
type made struct {
	scenario string
	run      int
	fault    string
	host     string
	// phases are the seconds of the five phases; writes stop with the fault. All zero: nothing
	// stops.
	phases [5]float64
	// old is out of service for so long; 0: it is a replica at once.
	old float64
	// redundant seconds after the fault, -1: never.
	redundant float64
	// silent: attempts hang instead of failing at once.
	silent bool
	// lost acknowledged rows just before the fault.
	lost int
	// double is for how long the old leader continues taking writes after the new one does.
	double float64
	// balancer: the fault strikes the holder of the address, and no leader.
	balancer bool
	// expect is the scenario's, quorum that writes wait at a leader that stays.
	expect drill.Writes
	quorum bool
	broken []string
	err    string
}

func (m made) at(seconds float64) time.Time {
	// Every run has an hour of its own, more or less.
	begin := sampleStart.Add(time.Duration(m.run-1) * 7 * time.Minute)
	return begin.Add(10*time.Second + time.Duration(seconds*float64(time.Second)))
}

func (m made) gap() (sum float64) {
	for _, p := range m.phases {
		sum += p
	}
	return sum
}

func (m made) end() float64 { return max(m.redundant, m.gap(), 12) + 8 }

// promoted is when the new leader takes writes.
func (m made) promoted() float64 { return m.phases[0] + m.phases[1] + m.phases[2] }

func (m made) build() drill.RunResult {
	random := rand.New(rand.NewPCG(1, uint64(m.run)))
	fault := drill.Fault{Text: m.fault, Hosts: []string{m.host}, At: m.at(0), Done: m.at(0.05)}
	if m.old > 0 {
		fault.Mended = m.at(m.old - 0.5*m.old*0.4)
	}
	rec := drill.Recording{
		Scenario: m.scenario, Run: m.run, Began: m.at(-9), Ended: m.at(m.end()), Fault: fault,
		Expect:    drill.Expect{Writes: m.expect},
		Members:   []string{"postgres-01", "postgres-02", "postgres-03"},
		Balancers: []string{"haproxy-01", "haproxy-02", "haproxy-03"},
		Writes:    probe.Result{Run: "made", Rate: 20, Started: m.at(-8.9), Stopped: m.at(m.end())},
		Held:      map[string][]int64{},
	}
	if m.redundant >= 0 {
		rec.Redundant = m.at(m.redundant)
	}
	lost := m.writes(&rec, random)
	m.reads(&rec, random)
	m.states(&rec)
	m.leaders(&rec)
	for _, a := range rec.Writes.Attempts {
		if a.Outcome == probe.Acked && !slices.Contains(lost, a.Seq) {
			for _, member := range rec.Members {
				rec.Held[member] = append(rec.Held[member], a.Seq)
			}
		}
	}
	return drill.RunResult{Outcome: m.outcome(rec, len(lost)), Recording: rec, Error: m.err}
}

// writes makes the attempts, and returns the rows that are lost.
func (m made) writes(rec *drill.Recording, random *rand.Rand) (lost []int64) {
	var seq int64
	for t := -8.9; t < m.end()-1; {
		seq++
		a := probe.Attempt{Seq: seq, Began: m.at(t), Outcome: probe.Acked}
		took := 0.002 + 0.003*random.Float64()
		stopped := m.gap() > 0 && t >= 0 && t < m.gap()
		switch {
		case stopped && t < 0.06:
			a.Outcome, a.Cause, a.Error = probe.Unknown, probe.CauseClosed, "unexpected EOF"
			if m.silent {
				took, a.Cause, a.Error = 0.5, probe.CauseTimeout, "no answer within 500ms"
			}
		case stopped && m.silent && t < m.phases[0]:
			took, a.Outcome, a.Cause, a.Error = min(2, m.gap()-t-0.01), probe.Failed,
				probe.CauseTimeout,
				"dial tcp 10.0.0.10:5000: i/o timeout"
		case stopped:
			a.Outcome, a.Cause, a.Error = probe.Failed, probe.CauseClosed,
				`server closed the connection unexpectedly`
		}
		if stopped && t+took > m.gap() {
			took = m.gap() - t - 0.001
		}
		a.Done = m.at(t + took)
		if !stopped && t < 0 && t+0.0501 >= 0 {
			t = 0.01
		} else {
			t += max(0.05, took)
		}
		if stopped && t >= m.gap() {
			t = m.gap() // the first row of the new leader is acknowledged at the end of the gap
			a2 := probe.Attempt{
				Seq: seq + 1, Began: m.at(t - 0.004), Connected: m.at(t - 0.002), Done: m.at(t),
				Outcome: probe.Acked,
			}
			rec.Writes.Attempts = append(rec.Writes.Attempts, a, a2)
			seq++
			t += 0.05
			continue
		}
		rec.Writes.Attempts = append(rec.Writes.Attempts, a)
	}
	for _, a := range rec.Writes.Attempts {
		if a.Outcome == probe.Acked && a.Done.Before(m.at(0)) {
			lost = append(lost, a.Seq)
		}
	}
	return lost[len(lost)-m.lost:]
}

func (m made) reads(rec *drill.Recording, random *rand.Rand) {
	for t := -8.8; t < m.end()-1; t += 0.05 {
		r := drill.Read{
			At: m.at(t), Done: m.at(t + 0.003), Member: rec.Members[1+random.IntN(2)],
			Seq: int64(20 * (t + 9)),
		}
		if m.gap() > 0 && t > m.phases[0] && t < m.phases[0]+0.4 {
			r.Member, r.Seq, r.Error = "", 0, "connection reset by peer"
		}
		rec.Reads = append(rec.Reads, r)
	}
}

func (m made) states(rec *drill.Recording) {
	for t := -9.0; t < m.end(); t += 0.1 {
		for i, member := range rec.Members {
			s := drill.MemberState{
				Member: member, Asked: m.at(t), Answered: m.at(t + 0.004), Role: drill.ReadOnly,
				Timeline: 4,
			}
			switch {
			case m.quorum && i == 0 && t >= 0 && t < m.gap():
				s.Role = drill.Blocked
			case m.quorum && i > 0 && t >= 0 && t < m.old:
				s.Role, s.Error, s.Timeline = drill.Down, "no route to host", 0
			case i == 0 && (t < 0 || m.quorum || m.balancer || m.gap() == 0):
				s.Role = drill.Writable
			case i == 0 && m.double > 0 && t < m.promoted()+m.double:
				s.Role = drill.Writable
			case i == 0 && m.old > 0 && t < m.old:
				s.Role, s.Error, s.Timeline = drill.Down, "connection refused", 0
			case i == 1 && m.gap() > 0 && !m.balancer && !m.quorum && t >= m.promoted():
				s.Role, s.Timeline = drill.Writable, 5
			}
			rec.States = append(rec.States, s)
		}
	}
}

func (m made) leaders(rec *drill.Recording) {
	l := drill.Leadership{At: m.at(-9), Patroni: "postgres-01", Etcd: "postgres-03",
		Address: []string{"haproxy-01"}}
	rec.Leadership = append(rec.Leadership, l)
	add := func(seconds float64, change func(*drill.Leadership)) {
		l.At = m.at(seconds)
		change(&l)
		rec.Leadership = append(rec.Leadership, l)
	}
	switch {
	case m.balancer:
		add(m.phases[3]*0.1, func(l *drill.Leadership) { l.Address = nil })
		add(m.phases[3], func(l *drill.Leadership) { l.Address = []string{"haproxy-02"} })
	case m.gap() > 0 && !m.quorum:
		add(m.phases[0], func(l *drill.Leadership) { l.Patroni = "" })
		add(m.phases[0]+m.phases[1], func(l *drill.Leadership) { l.Patroni = "postgres-02" })
		add(m.promoted()+0.9, func(l *drill.Leadership) { l.Etcd = "postgres-01" })
	}
}

func (m made) outcome(rec drill.Recording, lost int) drill.Outcome {
	w := rec.Writes
	o := drill.Outcome{
		Scenario: m.scenario, Run: m.run, Fault: rec.Fault, ReadGapSeconds: 0.41,
		Acknowledged: w.Count(probe.Acked), Failed: w.Count(probe.Failed),
		Unknown: w.Count(probe.Unknown), Lost: lost,
		RedundantSeconds: m.redundant, FromLeader: "postgres-01", ToLeader: "postgres-02",
		Verdict: drill.Verdict{Kept: len(m.broken) == 0 && m.err == "", Broken: m.broken},
	}
	if m.balancer || m.quorum || m.gap() == 0 {
		o.ToLeader = "postgres-01"
	}
	o.GapSeconds, o.GapStart, o.GapEnd = m.gap(), m.at(0), m.at(m.gap())
	if m.gap() == 0 {
		o.GapSeconds, o.GapEnd = 0.052, m.at(0.052)
	}
	t := 0.0
	for i, name := range drill.PhaseNames() {
		if s := m.phases[i]; s > 0 {
			o.Phases = append(o.Phases, drill.Phase{Name: name, Start: m.at(t), End: m.at(t + s),
				Seconds: s})
			t += s
		}
	}
	if m.double > 0 {
		o.DoubleWriters = []drill.Span{
			{
				Start: m.at(m.promoted()), End: m.at(m.promoted() + m.double),
				Names: []string{"postgres-01", "postgres-02"},
			},
		}
	}
	return o
}

func switchoverRun(run int, slower float64) made {
	return made{scenario: "switchover", run: run, fault: "Switchover from postgres-01 to " +
		"postgres-02",
		host: "postgres-01", expect: drill.WithinSwitchover,
		phases: [5]float64{0.21 * slower, 0.08, 0.19 * slower, 0.22, 0.06}, old: 2.6,
		redundant: 3.4}
}

func powerRun(run int, detection float64) made {
	return made{scenario: "leader-power", run: run, fault: "Power of postgres-01 cut",
		host:   "postgres-01",
		silent: true,
		phases: [5]float64{detection, 0.31, 0.83, 0.74, 0.19}, old: 43, redundant: 51.3}
}

func balancerRun(run int) made {
	return made{scenario: "balancer-power", run: run,
		fault: "Power of haproxy-01 cut, which held the address",
		host:  "haproxy-01", silent: true, balancer: true,
		phases: [5]float64{0, 0, 0, 2.93, 0.22}, redundant: 19.2}
}

func doubleRun(run int) made {
	return made{scenario: "leader-cut-off", run: run,
		fault:  "postgres-01 cut off from the other members, but not from clients",
		host:   "postgres-01",
		phases: [5]float64{11.2, 0.4, 0.9, 19.1, 0.2}, double: 6.4, old: 39, redundant: 58, lost: 4,
		broken: []string{
			"31.8 s without writes; promised: 30 s", "4 acknowledged rows lost; promised: 0",
			"two members took writes for 6.4 s",
		}}
}

func replicasRun(run int) made {
	return made{scenario: "replicas-lost", run: run,
		fault: "Power of postgres-02 and postgres-03 cut",
		host:  "postgres-02", expect: drill.MustStop, quorum: true, silent: true,
		phases: [5]float64{0, 0, 64.2, 0, 0.3}, old: 61, redundant: 68}
}

func replicaRun(run int) made {
	return made{
		scenario: "replica-power", run: run, fault: "Power of postgres-03 cut", host: "postgres-03",
		redundant: 31.5,
	}
}

// sample is a drill like those that people run.
func sample(perScenario int) drill.Result {
	r := drill.Result{
		Cluster: "orders",
		Promise: drill.Promise{FailoverSeconds: 30, SwitchoverSeconds: 5},
		Versions: map[string]string{
			"postgresql": "17.6", "patroni": "4.0.6", "etcd": "3.6.4", "haproxy": "3.0.11",
			"keepalived": "2.3.3", "pgha": "0.1.0",
		},
		Settings: map[string]string{
			"ttl": "30 s", "loop_wait": "10 s", "retry_timeout": "10 s",
			"synchronous_mode": "quorum",
			"rate":             "20 rows/s", "primary_start_timeout": "300 s",
		},
		Specification: `cluster: orders
hosts:
  - {name: postgres-01, address: 192.168.0.200, role: database}
  - {name: postgres-02, address: 192.168.0.201, role: database}
  - {name: postgres-03, address: 192.168.0.202, role: database}
  - {name: haproxy-01, address: 192.168.0.203, role: balancer}
slo:
  failover: 30s
  switchover: 5s
  lost_rows: 0
passwords:
  superuser: (redacted)
`,
	}
	for run := 1; run <= perScenario; run++ {
		r.Runs = append(r.Runs,
			switchoverRun(run, 1+0.3*float64(run%4)).build(),
			powerRun(run, 17.4+float64(run%5)).build(),
			balancerRun(run).build(), replicaRun(run).build(), replicasRun(run).build())
	}
	return r
}

// brokenSample has a promise that was not kept, and a run that was not brought to its end.
func brokenSample() drill.Result {
	r := sample(3)
	cut := powerRun(4, 18.1)
	cut.redundant, cut.err = -1, "wait for redundancy: postgres-01 is not streaming after 5m0s"
	r.Runs = append(r.Runs, doubleRun(1).build(), cut.build())
	return r
}

// hostile puts a text into every place that data can reach.
func hostile(text string) drill.Result {
	name := func(s string) string { return s + text }
	m := doubleRun(1)
	m.scenario, m.fault, m.host, m.err, m.broken = name("s"), name("f"), name("h"), name("e"),
		[]string{name("b")}
	run := m.build()
	rename := func(names []string) {
		for i := range names {
			names[i] = name(names[i])
		}
	}
	o, rec := &run.Outcome, &run.Recording
	rename(rec.Members)
	rename(rec.Balancers)
	rename(o.DoubleWriters[0].Names)
	o.FromLeader, o.ToLeader = name(o.FromLeader), name(o.ToLeader)
	o.Missing = map[string]int{name("m"): 3}
	o.Phases[0].Name = drill.PhaseName(name("p"))
	for i := range rec.States {
		rec.States[i].Member = name(rec.States[i].Member)
		rec.States[i].Role = drill.Role(name(string(rec.States[i].Role)))
	}
	for i := range rec.Leadership {
		rec.Leadership[i].Patroni = name(rec.Leadership[i].Patroni)
		rec.Leadership[i].Etcd = name(rec.Leadership[i].Etcd)
		rec.Leadership[i].Address = []string{name("lb"), name("lb2")}
	}
	for i := range rec.Writes.Attempts {
		rec.Writes.Attempts[i].Error = name(rec.Writes.Attempts[i].Error)
	}
	held := map[string][]int64{}
	for member := range maps.Keys(rec.Held) {
		held[name(member)] = rec.Held[member]
	}
	rec.Held = held
	pairs := map[string]string{name("k"): name("v")}
	return drill.Result{
		Cluster: name("c"), Specification: name("spec"), Versions: pairs, Settings: pairs,
		Runs: []drill.RunResult{run},
	}
}
