package drill

import (
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/probe"
)

// pace is what a time without writes has to exceed to be one: two ticks, and what an INSERT may
// take on a busy machine.
func pace(w probe.Result) time.Duration { return 2*w.Resolution() + 150*time.Millisecond }

// Analyse evaluates a recording and holds it against the promise. It is pure computation: the same
// recording gives the same outcome. What is missing in a recording counts against the cluster where
// that is the safe side: rows that could not be compared break the promise.
func Analyse(r Recording, p Promise) Outcome {
	since := r.Writes.Since(r.Fault.At)
	gap := since.Longest()
	o := Outcome{
		Scenario: r.Scenario, Run: r.Run, Fault: r.Fault, Phases: []Phase{},
		GapStart: gap.Start, GapEnd: gap.End, GapSeconds: gap.Seconds,
		LongestCallSeconds: since.LongestCall().Seconds(),
		ReadGapSeconds:     readGap(r).Seconds(),
		Acknowledged:       r.Writes.Count(probe.Acked), Failed: r.Writes.Count(probe.Failed),
		Unknown:       r.Writes.Count(probe.Unknown),
		DoubleWriters: doubleWriters(r.States), DoubleHolders: doubleHolders(r),
		RedundantSeconds: -1, FromLeader: leaderAt(r, r.Fault.At), ToLeader: lastLeader(r),
	}
	if gap.End.Sub(gap.Start) > pace(r.Writes) {
		o.Phases = phases(r, gap)
	}
	if r.Wait != nil {
		o.WaitSeconds = -1
		if !r.Wait.Over.IsZero() {
			o.WaitSeconds = r.Wait.Over.Sub(r.Fault.At).Seconds()
		}
	}
	if !r.Redundant.IsZero() {
		o.RedundantSeconds = r.Redundant.Sub(r.Fault.At).Seconds()
	}
	compare(&o, r)
	o.Verdict = judge(o, r, gap, p)
	return o
}

// compare counts the rows that are where they should be.
func compare(o *Outcome, r Recording) {
	if held, ok := r.Held[o.ToLeader]; ok {
		c := r.Writes.Compare(held)
		o.Lost, o.Arrived = len(c.Lost), len(c.Arrived)
	}
	for _, member := range r.Members {
		held, ok := r.Held[member]
		if !ok || member == o.ToLeader {
			continue
		}
		if n := len(r.Writes.Compare(held).Lost); n > 0 {
			if o.Missing == nil {
				o.Missing = map[string]int{}
			}
			o.Missing[member] = n
		}
	}
}

// readGap is the longest time, from the last read before the fault on, without a read that was
// answered.
func readGap(r Recording) time.Duration {
	if len(r.Reads) == 0 {
		return 0
	}
	var longest time.Duration
	last := r.Fault.At
	for _, read := range r.Reads {
		if read.Error != "" {
			continue
		}
		if read.Done.After(r.Fault.At) {
			longest = max(longest, read.Done.Sub(last))
		}
		last = read.Done
	}
	if end := r.Reads[len(r.Reads)-1].Done; end.After(last) {
		longest = max(longest, end.Sub(last))
	}
	return longest
}

// leaderAt is who held the leader key at a moment; the first that is known if that was later.
func leaderAt(r Recording, at time.Time) string {
	leader := ""
	for _, l := range r.Leadership {
		if l.At.After(at) && leader != "" {
			break
		}
		leader = l.Patroni
	}
	return leader
}

func lastLeader(r Recording) string {
	for _, l := range slices.Backward(r.Leadership) {
		if l.Patroni != "" {
			return l.Patroni
		}
	}
	return ""
}
