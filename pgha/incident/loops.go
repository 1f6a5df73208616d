package incident

import (
	"fmt"
	"slices"
	"time"
)

// loopPause is how long after its end something that breaks again in the same way is a loop:
// systemd waits for less between two starts, and Patroni for loop_wait.
const loopPause = time.Minute

// loops puts incidents together that repeat the one before: the same thing broke on the same host,
// and nobody took over.
func loops(all []Incident) []Incident {
	var list []Incident
	for _, in := range all {
		if len(list) > 0 && repeats(list[len(list)-1], in) {
			list[len(list)-1] = joined(list[len(list)-1], in)
			continue
		}
		list = append(list, in)
	}
	for i := range list {
		list[i].Events = counted(list[i].Events)
		if list[i].Times > 1 {
			list[i].Headline = headline(list[i])
		}
	}
	return list
}

// repeats tells whether an incident is the one before once more.
func repeats(before, in Incident) bool {
	a, b := before.Cause, in.Cause
	switch b.Kind {
	case UnitFailed, UnitKilled, PostmasterDied, BackendKilled, ServerGone, Panic:
	default:
		return false
	}
	return a.Kind == b.Kind && a.Host == b.Host && a.Component == b.Component &&
		in.NewLeader == "" && before.NewLeader == "" && len(before.Missing) == 0 &&
		!before.Ended.IsZero() && in.Began.Sub(before.Ended) < loopPause
}

// joined is the first of them, up to the end of the second.
func joined(first, second Incident) Incident {
	first.Times = max(first.Times, 1) + 1
	first.Gaps = append(first.Gaps, second.Gaps...)
	first.WithoutWritesSeconds += second.WithoutWritesSeconds
	first.Events = append(first.Events, second.Events...)
	first.Ended, first.Redundant, first.Missing = second.Ended, second.Redundant, second.Missing
	first.RedundantSeconds = -1
	if !first.Redundant.IsZero() {
		first.RedundantSeconds = first.Redundant.Sub(first.Began).Seconds()
	}
	if second.Class == Failure {
		first.Class = Failure
	}
	return first
}

// often is how many equal events are shown one by one.
const often = 3

// counted makes one event, the first, of those that a host repeats more often.
func counted(events []Event) []Event {
	type key struct {
		host, text string
		kind       Kind
	}
	of := func(e Event) key { return key{e.Host, e.Text, e.Kind} }
	times := map[key]int{}
	for _, e := range events {
		times[of(e)]++
	}
	first := map[key]int{}
	var list []Event
	for _, e := range events {
		at, seen := first[of(e)]
		if times[of(e)] <= often || !seen {
			first[of(e)] = len(list)
			list = append(list, e)
			continue
		}
		list[at].Count += e.Count
		list[at].Last = e.Last
	}
	return slices.Clip(list)
}

// again says how often something broke in a row.
func again(in Incident) string {
	if in.Times < 2 {
		return ""
	}
	until := "and still"
	if !in.Ended.IsZero() {
		until = "until " + clockTime(in.Ended)
	}
	return fmt.Sprintf(", again and again: %d times %s", in.Times, until)
}
