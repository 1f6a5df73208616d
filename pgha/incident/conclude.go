package incident

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// conclude makes an incident of a group; false where nothing in it is worth telling.
func (c *Collector) conclude(g *group, all []Event, until time.Time) (Incident, bool) {
	in := Incident{Class: Failure, Began: g.events[0].Time, Gaps: g.gaps, RedundantSeconds: -1}
	if in.Gaps == nil {
		in.Gaps = []Gap{}
	}
	for _, gap := range in.Gaps {
		in.WithoutWritesSeconds += gap.Seconds
		if gap.Start.Before(in.Began) {
			in.Began = gap.Start
		}
	}
	c.leaders(&in, g, all)
	in.Cause = c.cause(g, in)
	if in.Cause.Time.IsZero() {
		return in, false
	}
	for _, e := range g.events {
		if ruleOf(e.Kind).weight != hidden {
			in.Events = append(in.Events, e)
		}
	}
	if len(in.Gaps) == 0 && !g.broken {
		in.Class = Disturbance
	}
	if planned(in.Cause) {
		in.Class = Planned
	}
	if in.NewLeader != "" && in.NewLeader != in.OldLeader {
		in.Loss = c.loss(in, g, all)
	}
	if len(g.open) == 0 {
		in.Ended = g.end()
		in.Redundant = in.Ended
		for _, gap := range in.Gaps {
			if gap.Open {
				in.Ended, in.Redundant = time.Time{}, time.Time{}
			} else if gap.End.After(in.Ended) {
				in.Ended, in.Redundant = gap.End, gap.End
			}
		}
		if !in.Redundant.IsZero() {
			in.RedundantSeconds = in.Redundant.Sub(in.Began).Seconds()
		}
	}
	for _, key := range slices.Sorted(keysOf(g.open)) {
		in.Missing = append(in.Missing, g.open[key])
	}
	in.Headline = headline(in)
	return in, true
}

func keysOf(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// planned tells whether somebody did it on purpose, in the way that it is meant to be done.
func planned(cause Cause) bool {
	switch cause.Kind {
	case Operated, SwitchoverAsked, FailoverAsked:
		return true
	}
	return false
}

// leaders finds who led before and after, and how the key changed hands.
func (c *Collector) leaders(in *Incident, g *group, all []Event) {
	for _, e := range all {
		if e.Time.After(in.Began) {
			break
		}
		if e.Kind == LeaderSeen || e.Kind == KeyTaken {
			in.OldLeader = e.Host
		}
	}
	for _, e := range g.events {
		if e.Kind != KeyTaken {
			continue
		}
		in.OldLeader = cmp.Or(in.OldLeader, e.fields["former"])
		in.NewLeader = e.Host
		if in.Lock == nil {
			in.Lock = lockLoss(in.OldLeader, e, g)
		}
	}
}

// lockLoss says how the leader lost the key that another one then took.
func lockLoss(old string, taken Event, g *group) *LockLoss {
	l := &LockLoss{Host: old, Time: taken.Time, Taken: taken.Time,
		Reason: "it ran out: the leader did not renew it in time"}
	for _, e := range g.events {
		if e.Kind == KeyDeleted && !e.Time.After(taken.Time) {
			return &LockLoss{Host: old, Time: e.Time, Taken: taken.Time, Reason: "taken away by " + e.Host +
				": nothing came from the leader's host, and every voter had fenced it"}
		}
	}
	for _, e := range g.events {
		if e.Host != old || e.Time.After(taken.Time) {
			continue
		}
		switch e.Kind {
		case KeyReleased:
			l.Time, l.Reason = e.Time, "released by the leader itself"
		case Demoted:
			if strings.Contains(e.Text, "etcd cannot be reached") {
				l.Reason = "it ran out: the leader could not reach etcd, and stopped being " +
					"primary at " +
					clockTime(e.Time)
			}
		case UnitStopping:
			if e.fields["unit"] == "patroni" {
				l.Time, l.Reason = e.Time, "released by the leader, whose Patroni was stopped"
			}
		case KeyLost:
			l.Time, l.Reason = e.Time, "the leader could not renew it"
		}
	}
	return l
}

// cause is the most basic event at the beginning of a group, the first of equals.
func (c *Collector) cause(g *group, in Incident) Cause {
	before := in.Began.Add(settling)
	if len(in.Gaps) > 0 && in.Gaps[0].Start.Add(time.Second).After(before) {
		before = in.Gaps[0].Start.Add(time.Second)
	}
	if in.Lock != nil && in.Lock.Taken.After(before) && in.OldLeader != in.NewLeader {
		before = in.Lock.Taken
	}
	var best Event
	bestRank := 0
	for _, e := range g.events {
		rank := c.rank(e, g)
		if rank == 0 || e.Time.After(before) || bestRank != 0 && rank >= bestRank {
			continue
		}
		best, bestRank = e, rank
	}
	if bestRank == 0 {
		return Cause{}
	}
	cause := Cause{Time: best.Time, Host: best.Host, Component: best.Component, Kind: best.Kind,
		Text:       best.Text,
		Confidence: cmp.Or(ruleOf(best.Kind).confidence, Possible), Evidence: best.Evidence,
		By: best.fields["by"]}
	if cause.By == "" {
		cause.By = c.commanded(best)
	}
	return cause
}

// rank is the event's as a cause. An operation is one only of what came after it: it may be there
// to mend what broke.
func (c *Collector) rank(e Event, g *group) int {
	if e.Kind != Operated {
		return ruleOf(e.Kind).rank
	}
	for _, x := range g.events {
		if ruleOf(x.Kind).weight == trigger && x.Time.Before(e.Time) {
			return 0
		}
	}
	return ruleOf(e.Kind).rank
}

// commanded finds the sudo line that an event follows from.
func (c *Collector) commanded(cause Event) string {
	for _, e := range slices.Backward(c.events) {
		if e.Kind == Commanded && e.Host == cause.Host && !e.Time.After(cause.Time) &&
			cause.Time.Sub(e.Time) < 2*time.Second {
			return e.fields["user"] + " with sudo: " + e.fields["command"]
		}
	}
	return ""
}
