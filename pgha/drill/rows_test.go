package drill

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/probe"
)

// TestRowsCountedWrong hands the analysis rows as a confused table would: doubled, in disorder, of
// others, or none at all. Only acknowledged rows that are not there are lost, each once.
func TestRowsCountedWrong(t *testing.T) {
	t.Parallel()
	outcome := func(seq int64, o probe.Outcome) func(*story) {
		return func(s *story) { s.Writes.Attempts[seq-1].Outcome = o }
	}
	for name, c := range map[string]struct {
		change                 func(*story)
		lost, arrived, unknown int
		missing                map[string]int
		broken                 string
	}{
		"every row twice": {change: func(s *story) {
			s.Held["a"] = append(s.Held["a"], s.Held["a"]...)
		}},
		"in disorder": {change: func(s *story) {
			list := s.Held["a"]
			rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}},
		"rows of somebody else": {change: func(s *story) {
			s.Held["a"] = append(s.Held["a"], 99999, -1)
		}},
		"a row that failed and is there": {change: outcome(7, probe.Failed)},
		"an unknown row is there": {change: outcome(7, probe.Unknown), arrived: 1,
			unknown: 1},
		"an unknown row is gone": {change: func(s *story) {
			outcome(7, probe.Unknown)(s)
			for _, m := range s.Members {
				s.Held[m] = slices.DeleteFunc(s.Held[m], func(n int64) bool { return n == 7 })
			}
		}, unknown: 1},
		"the leader has nothing": {change: func(s *story) { s.Held["a"] = nil },
			lost: 1300, broken: "1300 acknowledged rows lost, promised: at most 0"},
		"the leader could not be asked": {
			change: func(s *story) { delete(s.Held, "a") }, broken: "could not be compared",
		},
		"a replica could not be asked": {change: func(s *story) { delete(s.Held, "c") }},
		"a replica has nothing": {change: func(s *story) { s.Held["c"] = []int64{} },
			missing: map[string]int{"c": 1300}, broken: "c lacks 1300 acknowledged rows"},
		"a replica has what the leader has not": {change: func(s *story) {
			s.Held["a"] = s.Held["a"][:1299]
		},
			lost: 1, broken: "1 acknowledged rows lost"},
		"a member of another cluster": {change: func(s *story) { s.Held["z"] = []int64{} }},
	} {
		s := newStory().hold(nil)
		c.change(s)
		o := Analyse(s.Recording, promise)
		if o.Lost != c.lost || o.Arrived != c.arrived || o.Unknown != c.unknown {
			t.Errorf("%s: lost %d, arrived %d, unknown %d", name, o.Lost, o.Arrived, o.Unknown)
		}
		if diff := cmp.Diff(c.missing, o.Missing); diff != "" {
			t.Errorf("%s: missing (-want +got):\n%s", name, diff)
		}
		if got := strings.Join(o.Verdict.Broken, "; "); o.Verdict.Kept != (c.broken == "") ||
			!strings.Contains(got, c.broken) {
			t.Errorf("%s: broken %q, want %q", name, got, c.broken)
		}
	}
}

// TestPromisedLoss: rows may be lost up to the promise, and not one more.
func TestPromisedLoss(t *testing.T) {
	t.Parallel()
	s := newStory().hold(map[string][]int64{"a": {7, 8}, "b": {7, 8}, "c": {7, 8}})
	for rows, kept := range map[int]bool{2: true, 1: false} {
		p := promise
		p.LostRows = rows
		if o := Analyse(s.Recording, p); o.Verdict.Kept != kept || o.Lost != 2 {
			t.Errorf("%d may be lost, %d are: kept is %v", rows, o.Lost, o.Verdict.Kept)
		}
	}
}

// TestPromisedSeconds: the promise is kept up to the promised length, and broken beyond it.
func TestPromisedSeconds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		expect Writes
		gap    float64
		kept   bool
	}{
		"a failover within":        {WithinFailover, 29.9, true},
		"a failover beyond":        {WithinFailover, 30.1, false},
		"a switchover within":      {WithinSwitchover, 4.9, true},
		"a switchover beyond":      {WithinSwitchover, 5.1, false},
		"a slow switchover is one": {WithinSwitchover, 29.9, false},
		"nothing is said":          {"", 30.1, false},
	} {
		s := newStory()
		s.Expect.Writes = c.expect
		s.away(0, c.gap-0.05, c.gap-0.06)
		if o := Analyse(s.hold(nil).Recording, promise); o.Verdict.Kept != c.kept {
			t.Errorf("%s: %.2f s, kept is %v: %v", name, o.GapSeconds, o.Verdict.Kept,
				o.Verdict.Broken)
		}
	}
}

// TestCutShort has recordings of which a part is missing: nothing is made up, and a promise of
// which nothing is known is not kept.
func TestCutShort(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Recording)
		broken bool
	}{
		"empty":           {func(r *Recording) { *r = Recording{} }, true},
		"no writes":       {func(r *Recording) { r.Writes.Attempts = nil }, false},
		"no states":       {func(r *Recording) { r.States = nil }, false},
		"nobody ever led": {func(r *Recording) { r.Leadership = nil }, true},
	} {
		s := failoverStory()
		c.change(&s.Recording)
		o := Analyse(s.Recording, promise)
		if o.Lost > 0 || o.GapSeconds < 0 || o.ReadGapSeconds != 0 || c.broken && o.Verdict.Kept {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// TestSplit cuts gaps at random moments: the parts are in order, fill the gap and have no holes.
func TestSplit(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		gap := probe.Gap{Start: at(0), End: at(10)}
		ends := map[PhaseName]time.Time{}
		for _, name := range PhaseNames() {
			if rnd.IntN(3) > 0 {
				ends[name] = at(-2 + 14*rnd.Float64())
			}
		}
		parts := split(gap, ends)
		if len(parts) == 0 || !parts[0].Start.Equal(gap.Start) ||
			!parts[len(parts)-1].End.Equal(gap.End) {
			t.Fatalf("%v of %v", parts, ends)
		}
		names := PhaseNames()
		for i, p := range parts {
			if p.Seconds <= 0 || i > 0 && (!p.Start.Equal(parts[i-1].End) ||
				slices.Index(names, p.Name) <= slices.Index(names, parts[i-1].Name)) {
				t.Fatalf("%+v of %v", parts, ends)
			}
		}
	}
}

// TestKeyChange: only what happens to the key between the fault and the end of the gap counts.
func TestKeyChange(t *testing.T) {
	t.Parallel()
	type change struct {
		at     float64
		holder string
	}
	for name, c := range map[string]struct {
		changes       []change
		lost, elected float64 // negative: never
		leader        string
	}{
		"nobody loses it":          {nil, -1, -1, ""},
		"it is lost":               {[]change{{3, ""}}, 3, -1, ""},
		"another one takes it":     {[]change{{3, ""}, {4, "b"}}, 3, 4, "b"},
		"it moves at once":         {[]change{{3, "b"}}, 3, 3, "b"},
		"the same one takes it":    {[]change{{3, ""}, {4, "a"}}, 3, 4, "a"},
		"it is lost after the gap": {[]change{{11, ""}, {12, "b"}}, -1, -1, ""},
		"it is taken after it":     {[]change{{3, ""}, {12, "b"}}, 3, -1, ""},
		"it is lost twice":         {[]change{{3, ""}, {4, "b"}, {5, ""}, {6, "c"}}, 3, 4, "b"},
	} {
		s := newStory()
		for _, l := range c.changes {
			s.lead(l.at, l.holder)
		}
		lost, elected, leader := keyChange(s.Recording, probe.Gap{Start: at(0), End: at(10)})
		for what, p := range map[string]struct {
			got  time.Time
			want float64
		}{"lost": {lost, c.lost}, "elected": {elected, c.elected}} {
			if (p.want < 0) != p.got.IsZero() || p.want >= 0 && !p.got.Equal(at(p.want)) {
				t.Errorf("%s: %s at %s, want %g", name, what, p.got, p.want)
			}
		}
		if leader != c.leader {
			t.Errorf("%s: %q leads, want %q", name, leader, c.leader)
		}
	}
}

func TestReadGaps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reads []Read
		want  float64
	}{
		"nobody read":       {nil, 0},
		"all went well":     {[]Read{{Done: at(-1)}, {Done: at(1)}, {Done: at(2)}}, 2},
		"only before":       {[]Read{{Done: at(-2)}, {Done: at(-1)}}, 0},
		"none was answered": {[]Read{{Done: at(1), Error: "x"}, {Done: at(9), Error: "x"}}, 9},
		"the last ones failed": {[]Read{{Done: at(1)}, {Done: at(5), Error: "x"},
			{Done: at(9), Error: "x"}}, 8},
		"some failed between": {[]Read{{Done: at(1)}, {Done: at(5), Error: "x"}, {Done: at(7)},
			{Done: at(8)}}, 6},
	} {
		s := newStory()
		s.Reads = c.reads
		if got := readGap(s.Recording).Seconds(); got != c.want {
			t.Errorf("%s: %g s, want %g", name, got, c.want)
		}
	}
}
