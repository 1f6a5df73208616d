package drill

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/probe"
)

// judge holds an outcome against the promise and what the scenario expects.
func judge(o Outcome, r Recording, gap probe.Gap, p Promise) Verdict {
	var v Verdict
	broken := func(format string, args ...any) {
		v.Broken = append(v.Broken, fmt.Sprintf(format, args...))
	}
	judgeWrites(r, gap, p, broken)
	switch most := r.Expect.WaitSeconds; {
	case r.Wait != nil && o.WaitSeconds < 0:
		broken("%s: not over by the end, expected: within %.0f s", r.Wait.What, most)
	case r.Wait != nil && o.WaitSeconds > most:
		broken("%s: over after %.1f s, expected: within %.0f s", r.Wait.What, o.WaitSeconds, most)
	}
	if r.Expect.NoErrors {
		judgeErrors(o, r, broken)
	}
	if _, ok := r.Held[o.ToLeader]; !ok {
		broken("the leader's rows could not be compared")
	} else if o.Lost > p.LostRows {
		broken("%d acknowledged rows lost, promised: at most %d", o.Lost, p.LostRows)
	}
	for _, member := range slices.Sorted(maps.Keys(o.Missing)) {
		if n := o.Missing[member]; n > o.Lost {
			broken("%s lacks %d acknowledged rows at the end", member, n)
		}
	}
	for _, s := range o.DoubleWriters {
		broken("%s took writes at the same time for %.2f s", strings.Join(s.Names, " and "),
			s.End.Sub(s.Start).Seconds())
	}
	if r.Expect.SameLeader && o.FromLeader != o.ToLeader {
		broken("%s leads instead of %s, and nobody was to be promoted", o.ToLeader, o.FromLeader)
	}
	if r.Redundant.IsZero() {
		broken("full redundancy was not back by the end")
	}
	v.Kept = len(v.Broken) == 0
	return v
}

// judgeErrors counts what clients saw that were only to wait.
func judgeErrors(o Outcome, r Recording, broken func(string, ...any)) {
	if n := o.Failed + o.Unknown; n > 0 {
		broken("%d writes failed, and clients were to see none", n)
	}
	failed, last := 0, ""
	for _, read := range r.Reads {
		if read.Error != "" {
			failed, last = failed+1, read.Error
		}
	}
	if failed > 0 {
		broken("%d reads failed, and clients were to see none: %s", failed, last)
	}
}

// judgeWrites looks at the time without writes.
func judgeWrites(r Recording, gap probe.Gap, p Promise, broken func(string, ...any)) {
	failover := time.Duration(p.FailoverSeconds * float64(time.Second))
	length := gap.End.Sub(gap.Start)
	if gap.Open && length > pace(r.Writes) {
		broken("writes were not back by the end, after %.2f s", gap.Seconds)
		return
	}
	switch r.Expect.Writes {
	case WithinSwitchover:
		if gap.Seconds > p.SwitchoverSeconds {
			broken("%.2f s without writes, promised for a switchover: %.2f s", gap.Seconds,
				p.SwitchoverSeconds)
		}
	case UntilMended, MustStop:
		if r.Expect.Writes == MustStop {
			if n := acknowledgedDuring(r); n > 0 {
				broken("%d rows were acknowledged although no replica could have them", n)
			}
		}
		if length > failover && gap.End.After(r.Fault.Mended.Add(failover)) {
			broken("writes were back %.2f s after the fault was mended, promised: %.2f s",
				gap.End.Sub(r.Fault.Mended).Seconds(), p.FailoverSeconds)
		}
	default:
		if gap.Seconds > p.FailoverSeconds {
			broken("%.2f s without writes, promised: %.2f s", gap.Seconds, p.FailoverSeconds)
		}
	}
}

// acknowledgedDuring counts the rows that were begun after the fault was made and acknowledged
// before it was mended.
func acknowledgedDuring(r Recording) int {
	n := 0
	for _, a := range r.Writes.Attempts {
		if a.Outcome == probe.Acked && a.Began.After(r.Fault.Done) &&
			a.Done.Before(r.Fault.Mended) {
			n++
		}
	}
	return n
}
