package incident

import (
	"slices"
	"time"
)

// settling is how long after everything is back an incident still has an echo.
const settling = 5 * time.Second

// atOnce is how close together things are that break for one reason.
const atOnce = 2 * time.Second

// quiet is after how long without an event something that breaks is an incident of its own,
// although an earlier one is not over.
const quiet = 60 * time.Second

// hinting is how long before an incident something may have hinted at it.
const hinting = 15 * time.Second

// group is the events of one incident.
type group struct {
	events []Event
	gaps   []Gap
	open   map[string]string // what is not back, in words
	closed time.Time         // when the last of it was back
	busy   time.Time         // until when an operation was at it
	broken bool              // something was open
}

func (g *group) last() time.Time { return g.events[len(g.events)-1].Time }

// group puts events together that belong to one incident.
func (c *Collector) group(events []Event, gaps []Gap) []*group {
	var all []*group
	var cur *group
	var leader, timeline string
	var hints []Event
	lower := map[string]Event{}
	for _, e := range events {
		switch e.Kind {
		case LeaderSeen, KeyTaken:
			former := leader
			leader = e.Host
			if e.Kind == KeyTaken && former != "" && former != leader {
				e.fields["former"] = former
			}
		case TimelineSwitched:
			timeline = e.fields["timeline"]
		case LowerAdvert:
			lower[e.Host] = e
		}
		r := ruleOf(e.Kind)
		if e.Kind == AddressTaken && e.Time.Sub(lower[e.Host].Last) < settling {
			r.weight = note // it takes back what is its own
		}
		opened, closed := c.conditions(e, leader, timeline)
		if g := holding(all, closed); g != nil {
			g.add(e, opened, closed)
			cur = g
			continue
		}
		if cur != nil && (cur.takes(e, r) || cur.without(e, r, gaps)) {
			cur.add(e, opened, closed)
			continue
		}
		switch {
		case r.weight >= effect:
			cur = &group{open: map[string]string{}}
			for _, h := range hints {
				if e.Time.Sub(h.Time) < hinting {
					cur.add(h, nil, nil)
				}
			}
			hints = nil
			cur.add(e, opened, closed)
			all = append(all, cur)
		case r.weight == note:
			hints = append(hints, e)
			if len(hints) > 200 {
				hints = hints[100:]
			}
		}
	}
	for _, gap := range gaps {
		if g := owner(all, gap); g != nil {
			g.gaps = append(g.gaps, gap)
		}
	}
	return all
}

// takes tells whether an event belongs to what is going on.
func (g *group) takes(e Event, r rule) bool {
	since := e.Time.Sub(g.last())
	if !e.Time.After(g.busy) {
		return true
	}
	if len(g.open) > 0 {
		return since < quiet || r.weight < effect && since < 10*time.Minute
	}
	return e.Time.Sub(g.end()) < r.echo()
}

// without tells whether an event falls into a gap that began with the group. What breaks at the
// very start of a gap, and not at once with the group, began that gap itself.
func (g *group) without(e Event, r rule, gaps []Gap) bool {
	return slices.ContainsFunc(gaps, func(gap Gap) bool {
		return !e.Time.Before(gap.Start) && (gap.Open || !e.Time.After(gap.End)) &&
			gap.Start.Before(g.last().Add(r.echo())) &&
			!gap.Start.Before(g.events[0].Time.Add(-detection))
	})
}

// echo is how long after the end of an incident such an event is still part of it.
func (r rule) echo() time.Duration {
	if r.weight == trigger {
		return atOnce
	}
	return settling
}

// end is when everything was back, or the last event of a group in which nothing was open.
func (g *group) end() time.Time {
	if g.closed.IsZero() {
		return g.last()
	}
	return g.closed
}

func (g *group) add(e Event, opened map[string]string, closed []string) {
	g.events = append(g.events, e)
	had := len(g.open)
	if e.Kind == Operated {
		g.busy = e.Last.Add(2 * time.Second)
	}
	for _, key := range closed {
		delete(g.open, key)
	}
	if had > 0 && len(g.open) == 0 {
		g.closed = e.Time
	}
	for key, what := range opened {
		g.open[key] = what
		g.broken = true
		g.closed = time.Time{}
	}
}

// holding is the newest group in which something is open that an event closes.
func holding(all []*group, closed []string) *group {
	for _, g := range slices.Backward(all) {
		for _, key := range closed {
			if _, open := g.open[key]; open {
				return g
			}
		}
	}
	return nil
}

// owner is the group during which a gap was told, or began.
func owner(all []*group, gap Gap) *group {
	var best *group
	for _, g := range all {
		if g.events[0].Time.Add(-detection).After(gap.Start) {
			break
		}
		if best == nil || !g.events[0].Time.After(gap.Start.Add(time.Second)) ||
			g.has(gap.told) {
			best = g
		}
	}
	return best
}

// has tells whether an event of that moment is among a group's.
func (g *group) has(moment time.Time) bool {
	return slices.ContainsFunc(g.events, func(e Event) bool { return e.Time.Equal(moment) })
}

// conditions are what an event opens, by key and in words, and what it closes.
func (c *Collector) conditions(e Event, leader,
	timeline string) (opened map[string]string, closed []string) {
	opened = map[string]string{}
	h, unit := e.Host, e.fields["unit"]
	var on Machine
	if c.byName[h] != nil {
		on = c.byName[h].Machine
	}
	if e.Kind == NetworkCut && on.Member == "" && on.Etcd == "" {
		opened["heard:"+h] = h + " is heard by the other balancers"
		return opened, nil
	}
	lost := func() {
		if on.Member != "" {
			opened["stream:"+h] = h + " replicates"
		}
		if on.Etcd != "" && on.Member == "" {
			opened["unit:etcd:"+h] = "etcd on " + h + " runs"
		}
		if on.Balancer || on.Member == "" && on.Etcd == "" {
			opened["unit:haproxy:"+h] = "HAProxy on " + h + " runs"
			opened["unit:keepalived:"+h] = "keepalived on " + h + " runs"
		}
	}
	switch e.Kind {
	case PowerLost, HostShutdown, HostUnreachable:
		opened["host:"+h] = h + " is up"
		lost()
	case HostBooted:
		closed = append(closed, "host:"+h)
	case NetworkCut, StreamLost, PostmasterDied, ServerGone, ServerCrashed,
		ShutdownRequested, Panic:
		opened["stream:"+h] = h + " replicates"
	case KeyTaken:
		closed = append(closed, "stream:"+h)
		if former := e.fields["former"]; former != "" {
			opened["stream:"+former] = former + " replicates"
		}
		opened["ready:"+h] = h + " takes writes"
	case ServerReady:
		closed = append(closed, "stream:"+h, "ready:"+h)
	case Streaming:
		if timeline == "" || e.fields["timeline"] == timeline {
			closed = append(closed, "stream:"+h)
		}
	case UnitStopping, UnitKilled, UnitFailed:
		opened["unit:"+unit+":"+h] = unit + " on " + h + " runs"
	case UnitStarted:
		closed = append(closed, "unit:"+unit+":"+h)
	case LinkDown:
		opened["link:"+h] = "the link of " + h + " is up"
	case LinkUp:
		closed = append(closed, "link:"+h)
	case AddressFault:
		opened["fit:"+h] = h + " can carry the virtual IP"
	case AddressYielded:
		closed = append(closed, "heard:"+e.fields["address"])
	case AddressTaken, AddressLeft:
		closed = append(closed, "fit:"+h)
	}
	return opened, closed
}
