package drill

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pgha/toolkit/pgha/probe"
)

// zero is the moment of every made-up fault.
var zero = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is a moment, in seconds from the fault.
func at(seconds float64) time.Time {
	return zero.Add(time.Duration(seconds * float64(time.Second)))
}

// story makes up a recording: rows every 50 ms from 5 s before the fault to 60 s after it, all
// acknowledged after 2 ms, on three members of which the first leads.
type story struct{ Recording }

func newStory() *story {
	s := &story{Recording{
		Scenario: "made-up", Run: 1, Began: at(-6), Ended: at(61),
		Expect:     Expect{Writes: WithinFailover},
		Fault:      Fault{Text: "made up", Hosts: []string{"a"}, At: at(0), Done: at(0.1)},
		Members:    []string{"a", "b", "c"},
		Writes:     probe.Result{Rate: 20, Started: at(-5), Stopped: at(60)},
		Leadership: []Leadership{{At: at(-6), Patroni: "a", Etcd: "b", Address: []string{"x"}}},
		Held:       map[string][]int64{}, Redundant: at(30),
	}}
	for i := range 1300 {
		began := at(-5 + 0.05*float64(i))
		s.Writes.Attempts = append(s.Writes.Attempts, probe.Attempt{
			Seq: int64(i + 1), Began: began, Done: began.Add(2 * time.Millisecond),
			Outcome: probe.Acked,
		})
	}
	s.ask("a", -5, 60, Writable, 0)
	s.ask("b", -5, 60, ReadOnly, 0)
	s.ask("c", -5, 60, ReadOnly, 0)
	return s
}

// ask makes a member answer with a role between two moments; start tells its postmasters apart.
func (s *story) ask(member string, from, to float64, role Role, start int) {
	var kept []MemberState
	for _, m := range s.States {
		if m.Member != member || m.Asked.Before(at(from-0.05)) || !m.Asked.Before(at(to-0.05)) {
			kept = append(kept, m)
		}
	}
	for i := range int(math.Round((to - from) * 10)) {
		t := from + float64(i)/10
		kept = append(kept, MemberState{
			Member: member, Asked: at(t), Answered: at(t + 0.01), Role: role,
			Started: zero.Add(time.Duration(start) * time.Hour),
		})
	}
	s.States = kept
	sortStates(s.States)
}

// away makes every row that was begun between two moments fail, and the first row after it come
// over a session opened at connected.
func (s *story) away(from, to, connected float64) {
	first := true
	for i := range s.Writes.Attempts {
		a := &s.Writes.Attempts[i]
		switch {
		case !a.Began.Before(at(from)) && a.Began.Before(at(to)):
			a.Outcome, a.Cause = probe.Failed, probe.CauseRefused
		case a.Began.Before(at(to)):
		case first:
			a.Connected, first = at(connected), false
		}
	}
}

// lead notes a change of leadership.
func (s *story) lead(seconds float64, patroni string, address ...string) {
	if len(address) == 0 {
		address = []string{"x"}
	}
	s.Leadership = append(s.Leadership, Leadership{At: at(seconds), Patroni: patroni, Etcd: "b",
		Address: address})
}

// hold gives all members every acknowledged row, less those that a member misses.
func (s *story) hold(missing map[string][]int64) *story {
	for _, m := range s.Members {
		for _, a := range s.Writes.Attempts {
			lacks := false
			for _, seq := range missing[m] {
				lacks = lacks || seq == a.Seq
			}
			if a.Outcome == probe.Acked && !lacks {
				s.Held[m] = append(s.Held[m], a.Seq)
			}
		}
	}
	return s
}

var promise = Promise{FailoverSeconds: 30, SwitchoverSeconds: 5}

// approx compares seconds to a millisecond.
var approx = cmpopts.EquateApprox(0, 0.001)

type part struct {
	Name    PhaseName
	Seconds float64
}

func partsOf(o Outcome) []part {
	parts := []part{}
	for _, p := range o.Phases {
		parts = append(parts, part{p.Name, p.Seconds})
	}
	return parts
}

func TestAnalyse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		story  func() *story
		gap    float64
		phases []part
		broken string // "" is kept
		check  func(*testing.T, Outcome)
	}{
		{name: "nothing happens", gap: 0.05, phases: []part{},
			story: func() *story { return newStory().hold(nil) },
			check: func(t *testing.T, o Outcome) {
				if o.Acknowledged != 1300 || o.RedundantSeconds != 30 || o.FromLeader != "a" ||
					o.ToLeader != "a" {
					t.Errorf("%+v", o)
				}
			}},
		{name: "failover", gap: 20.05, story: failoverStory,
			// The last row before it was acknowledged at 0.002 - 0.05, the first after it at
			// 20.002.
			phases: []part{
				{Detection, 0.048 + 15}, {Election, 2.5}, {Promotion, 1.11}, {Routing, 0.89 + 0.45},
				{Reconnect, 0.052},
			}},
		{name: "failover too slow", gap: 20.05, story: func() *story {
			s := failoverStory()
			return s
		},
			broken: "20.05 s without writes, promised: 10.00 s",
			phases: []part{
				{Detection, 0.048 + 15}, {Election, 2.5}, {Promotion, 1.11}, {Routing, 1.34},
				{Reconnect, 0.052},
			}},
		{name: "crash mended in place", gap: 3.05, story: func() *story {
			s := newStory()
			s.away(0, 3, 2.95)
			s.ask("a", 0, 2, Down, 0)
			s.ask("a", 2, 2.5, ReadOnly, 1)
			s.ask("a", 2.5, 60, Writable, 1)
			return s.hold(nil)
		}, phases: []part{{Detection, 0.048 + 2.01}, {Promotion, 0.5}, {Routing, 0.44},
			{Reconnect, 0.052}}},
		{name: "address moved", gap: 1.05, story: func() *story {
			s := newStory()
			s.away(0, 1, 0.9)
			s.lead(0.7, "a", "y")
			return s.hold(nil)
		}, phases: []part{{Detection, 0.748}, {Routing, 0.2}, {Reconnect, 0.102}}},
		{name: "commits wait for a replica", gap: 8.05, story: func() *story {
			s := newStory()
			s.away(0, 8, 7.98)
			s.ask("a", 0, 7.5, Blocked, 0)
			return s.hold(nil)
		}, phases: []part{{Detection, 0.048 + 7.51}, {Routing, 0.47}, {Reconnect, 0.022}}},
		{name: "crash mended in place, commits wait for a replica", gap: 6.05,
			story: func() *story {
				s := newStory()
				s.away(0, 6, 5.98)
				s.ask("a", 0, 4, Down, 0)
				s.ask("a", 4, 5.9, Blocked, 1)
				s.ask("a", 5.9, 60, Writable, 1)
				return s.hold(nil)
			}, phases: []part{{Detection, 0.048 + 4.01}, {Promotion, 1.9}, {Routing, 0.07},
				{Reconnect, 0.022}}},
		{name: "lost rows", gap: 0.05, phases: []part{}, broken: "2 acknowledged rows lost",
			story: func() *story {
				return newStory().hold(map[string][]int64{"a": {7, 8}, "b": {7, 8}, "c": {7, 8}})
			},
			check: func(t *testing.T, o Outcome) {
				if o.Lost != 2 || o.Missing["b"] != 2 || o.Missing["c"] != 2 ||
					len(o.Missing) != 2 ||
					len(o.Verdict.Broken) != 1 {
					t.Errorf("%+v", o)
				}
			}},
		{name: "a replica misses a row", gap: 0.05, phases: []part{},
			broken: "c lacks 1 acknowledged rows",
			story:  func() *story { return newStory().hold(map[string][]int64{"c": {9}}) }},
		{name: "unknown fate is no loss", gap: 0.15, phases: []part{}, story: func() *story {
			s := newStory()
			s.Writes.Attempts[200].Outcome, s.Writes.Attempts[201].Outcome = probe.Unknown,
				probe.Unknown
			s.hold(nil)
			s.Held["a"] = append(s.Held["a"], 201)
			return s
		}, check: func(t *testing.T, o Outcome) {
			if o.Unknown != 2 || o.Arrived != 1 || o.Lost != 0 {
				t.Errorf("%+v", o)
			}
		}},
		{
			name: "rows that were not compared", gap: 0.05, phases: []part{},
			broken: "could not be compared", story: newStory,
		},
		{name: "a wait that ends", gap: 0.05, phases: []part{}, story: func() *story {
			s := newStory().hold(nil)
			s.Expect.WaitSeconds, s.Wait = 30, &Wait{What: "a lock", Over: at(29)}
			return s
		}, check: func(t *testing.T, o Outcome) {
			if o.WaitSeconds != 29 {
				t.Errorf("waited for %v s", o.WaitSeconds)
			}
		}},
		{name: "a wait that is too long", gap: 0.05, phases: []part{},
			broken: "a lock: over after 31.0 s, expected: within 30 s", story: func() *story {
				s := newStory().hold(nil)
				s.Expect.WaitSeconds, s.Wait = 30, &Wait{What: "a lock", Over: at(31)}
				return s
			}},
		{name: "a wait without end", gap: 0.05, phases: []part{},
			broken: "a lock: not over by the end", story: func() *story {
				s := newStory().hold(nil)
				s.Expect.WaitSeconds, s.Wait = 30, &Wait{What: "a lock"}
				return s
			}},
		{name: "two writers", gap: 0.05, phases: []part{},
			broken: "a and b took writes at the same time for 1.",
			story: func() *story {
				s := newStory()
				s.ask("b", 10, 12, Writable, 0)
				return s.hold(nil)
			}},
		{name: "never redundant", gap: 0.05, phases: []part{}, broken: "full redundancy",
			story: func() *story {
				s := newStory().hold(nil)
				s.Redundant = time.Time{}
				return s
			}, check: func(t *testing.T, o Outcome) {
				if o.RedundantSeconds >= 0 {
					t.Errorf("redundant after %v s", o.RedundantSeconds)
				}
			}},
		{name: "writes never come back", gap: 59.998 + 0.05, broken: "writes were not back",
			phases: []part{{Detection, 60.048}}, story: func() *story {
				s := newStory()
				s.away(0, 100, 0)
				return s.hold(nil)
			}},
		{name: "stopped before anybody was promoted", gap: 60.048, broken: "writes were not back",
			phases: []part{
				{Detection, 15.048}, {Election, 45},
			}, story: func() *story {
				s := newStory()
				s.away(0, 100, 0)
				s.lead(15, "")
				return s.hold(nil)
			}},
		{name: "acknowledged without a replica", gap: 0.05, phases: []part{},
			broken: "79 rows were acknowledged although", story: func() *story {
				s := newStory().hold(nil)
				s.Expect = Expect{Writes: MustStop}
				s.Fault.Done, s.Fault.Mended = at(1), at(5)
				return s
			}},
		{name: "stopped until mended", gap: 40.05, story: func() *story {
			s := newStory()
			s.away(0, 40, 39.99)
			s.ask("a", 0, 39.5, Blocked, 0)
			s.Expect, s.Fault.Mended = Expect{Writes: MustStop}, at(35)
			return s.hold(nil)
		}, phases: []part{{Detection, 39.558}, {Routing, 0.48}, {Reconnect, 0.012}}},
		{name: "mended and still away", gap: 55.05, broken: "40.00 s after the fault was mended",
			story: func() *story {
				s := newStory()
				s.away(0, 55, 54.99)
				s.Expect, s.Fault.Mended = Expect{Writes: UntilMended}, at(15)
				return s.hold(nil)
			}, phases: []part{{Routing, 55.038}, {Reconnect, 0.012}}},
		{name: "somebody was promoted", gap: 0.05, phases: []part{}, broken: "b leads instead of a",
			story: func() *story {
				s := newStory()
				s.Expect.SameLeader = true
				s.lead(20, "b")
				return s.hold(nil)
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := promise
			if tc.name == "failover too slow" {
				p.FailoverSeconds = 10
			}
			if tc.name == "mended and still away" {
				p.FailoverSeconds = 20
			}
			o := Analyse(tc.story().Recording, p)
			if diff := cmp.Diff(tc.gap, o.GapSeconds, approx); diff != "" {
				t.Errorf("gap (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.phases, partsOf(o), approx, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("phases (-want +got):\n%s", diff)
			}
			wholeGap(t, o)
			if got := strings.Join(o.Verdict.Broken, "; "); o.Verdict.Kept != (tc.broken == "") ||
				!strings.Contains(got, tc.broken) {
				t.Errorf("broken %q, want %q", got, tc.broken)
			}
			if tc.check != nil {
				tc.check(t, o)
			}
		})
	}
}

// failoverStory: the key runs out after 15 s, b takes it after 2.5 more, takes writes after 1.1
// more, is reached through the address at 19.95, and the first row is acknowledged at 20.002.
func failoverStory() *story {
	s := newStory()
	s.away(0, 20, 19.95)
	s.ask("a", 0, 30, Down, 0)
	s.ask("a", 30, 60, ReadOnly, 1)
	s.lead(15, "")
	s.lead(17.5, "b")
	s.ask("b", 18.6, 60, Writable, 0)
	return s.hold(nil)
}

// wholeGap wants phases without holes that fill the gap.
func wholeGap(t *testing.T, o Outcome) {
	t.Helper()
	if len(o.Phases) == 0 {
		return
	}
	if !o.Phases[0].Start.Equal(o.GapStart) || !o.Phases[len(o.Phases)-1].End.Equal(o.GapEnd) {
		t.Errorf("the phases do not begin and end with the gap: %+v", o.Phases)
	}
	for i, p := range o.Phases {
		if i > 0 && !p.Start.Equal(o.Phases[i-1].End) {
			t.Errorf("hole before %s", p.Name)
		}
		if p.Seconds <= 0 {
			t.Errorf("%s is empty", p.Name)
		}
	}
}

func TestDoubleWriters(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		edit func(*story)
		want []Span
	}{
		{"one after the other", func(s *story) {
			s.ask("a", 10, 60, Down, 0)
			s.ask("b", 10, 60, Writable, 0)
		}, nil},
		{"one answer proves nothing", func(s *story) { s.ask("b", 10, 10.1, Writable, 0) }, nil},
		{"two answers prove the time between them",
			func(s *story) { s.ask("b", 10, 10.2, Writable, 0) },
			[]Span{{at(10.01), at(10.1), []string{"a", "b"}}}},
		{"a restart in between proves nothing", func(s *story) {
			s.ask("b", 10, 10.1, Writable, 0)
			s.ask("b", 10.1, 10.2, Writable, 1)
		}, nil},
		{"a commit that waits is no write", func(s *story) { s.ask("b", 10, 20, Blocked, 0) }, nil},
		{"two others", func(s *story) {
			s.ask("a", 0, 60, Down, 0)
			s.ask("b", 10, 20, Writable, 0)
			s.ask("c", 15, 25, Writable, 0)
		}, []Span{{at(15.01), at(19.9), []string{"b", "c"}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newStory()
			tc.edit(s)
			if diff := cmp.Diff(tc.want, doubleWriters(s.States), cmpopts.EquateEmpty(),
				cmpopts.EquateApproxTime(time.Millisecond)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDoubleHolders(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.lead(2, "a", "x", "y")
	s.lead(3, "", "x", "y") // only the key changes
	s.lead(5, "b", "y")
	want := []Span{{at(2), at(5), []string{"x", "y"}}}
	if diff := cmp.Diff(want, doubleHolders(s.Recording)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if o := Analyse(s.hold(nil).Recording, promise); len(o.DoubleHolders) != 1 || !o.Verdict.Kept {
		t.Errorf("two holders break a promise: %+v", o.Verdict)
	}
}

func TestReadGap(t *testing.T) {
	t.Parallel()
	s := newStory()
	for i := range 600 {
		r := Read{At: at(-5 + 0.1*float64(i)), Done: at(-5 + 0.1*float64(i) + 0.01), Member: "b"}
		if r.At.After(at(10)) && r.At.Before(at(13)) {
			r.Member, r.Error = "", "refused"
		}
		s.Reads = append(s.Reads, r)
	}
	if got := Analyse(s.Recording, promise).ReadGapSeconds; got < 3 || got > 3.2 {
		t.Errorf("%v s without reads", got)
	}
}

// TestAnalyseAgain wants the same outcome from a recording that went through a file.
func TestAnalyseAgain(t *testing.T) {
	t.Parallel()
	r := failoverStory().Recording
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again Recording
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Analyse(r, promise), Analyse(again, promise),
		cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-direct +from JSON):\n%s", diff)
	}
}
