package incident

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// derived returns what no line says.
func (c *Collector) derived() []Event {
	var events []Event
	for _, m := range c.about.Machines {
		events = append(events, c.power(c.byName[m.Name])...)
	}
	events = append(events, c.silences()...)
	events = append(events, c.cuts(events)...)
	events = append(events, c.unheard(events)...)
	events = append(events, c.quorum(events)...)
	return append(events, c.operations()...)
}

func derive(at time.Time, host string, kind Kind, text, evidence string) Event {
	return Event{Time: at, Last: at, Host: host, Component: Host, Kind: kind, Text: text,
		Evidence: evidence,
		Derived:  true, Count: 1, fields: map[string]string{}}
}

// power finds boots, and journals that end without a shutdown.
func (c *Collector) power(m *machine) []Event {
	boots := slices.SortedFunc(maps.Values(m.boots),
		func(a, b *boot) int { return a.first.Compare(b.first) })
	var events []Event
	for i := 1; i < len(boots); i++ {
		before, after := boots[i-1], boots[i]
		events = append(events, derive(after.first, m.Name, HostBooted, "has booted",
			"the first line of a new boot in its journal"))
		if slices.ContainsFunc(c.events, func(e Event) bool {
			return e.Kind == HostShutdown && e.Host == m.Name && !e.Time.Before(before.first) &&
				!e.Time.After(before.last)
		}) {
			continue
		}
		at := c.lastLife(m, before.last, after.first)
		events = append(events, derive(at, m.Name, PowerLost, "lost power", fmt.Sprintf(
			"its journal ends at %s without a line of a shutdown, and goes on at %s with another "+
				"boot; a kernel that crashed or was reset looks the same",
			clockTime(before.last), clockTime(after.first))))
	}
	return events
}

// lastLife is the best estimate of when a host died: its own last line may be old, and a power loss
// takes lines along that were not on disk. What others heard of it afterwards is later.
func (c *Collector) lastLife(m *machine, last, next time.Time) time.Time {
	var found []time.Time
	for _, e := range c.events {
		if !e.Time.After(last) || !e.Time.Before(next) || e.Host == m.Name {
			continue
		}
		switch {
		case e.Kind == AddressTaken && m.Member == "" && len(found) == 0:
			found = append(found, e.Time.Add(-c.masterDown()))
		case e.Kind == BackendDown && e.fields["server"] == m.Name &&
			silentReason(e.fields["why"]) && len(found) == 0:
			// HAProxy asked twice without an answer
			found = append(found, e.Time.Add(-3*c.about.CheckInterval))
		case e.Kind == LastTransaction && m.Member != "":
			if at, ok := transactionTime(e); ok &&
				(len(found) == 0 || at.Sub(found[0]).Abs() < detection) {
				return latest(last, at)
			}
		}
	}
	return latest(append(found, last)...)
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// transactionTime reads when the last transaction that was replicated was committed.
func transactionTime(e Event) (time.Time, bool) {
	t, err := time.Parse("2006-01-02 15:04:05.999999-07", e.fields["at"])
	return t, err == nil
}

// silences finds a Patroni that hung: it said nothing for more than two of its loops, and nobody
// had stopped it.
func (c *Collector) silences() []Event {
	var events []Event
	for _, host := range c.about.Machines {
		m := c.byName[host.Name]
		for _, s := range m.silent {
			explained := slices.ContainsFunc(c.events, func(e Event) bool {
				return e.Host == m.Name && (e.Kind == UnitStopping || e.Kind == UnitKilled ||
					e.Kind == UnitFailed || e.Kind == HostShutdown || e.Kind == UnitStarted) &&
					e.Time.After(s.start.Add(-time.Second)) && e.Time.Before(s.end)
			})
			for _, b := range m.boots {
				explained = explained || b.first.After(s.start) && !b.first.After(s.end)
			}
			if !explained {
				e := derive(s.start.Add(c.about.LoopWait), m.Name, PatroniSilent,
					fmt.Sprintf("said nothing for %.0f s: it hung, or its host did",
						s.end.Sub(s.start).Seconds()),
					fmt.Sprintf("no line of Patroni between %s and %s", clockTime(s.start),
						clockTime(s.end)))
				e.Component = Patroni
				events = append(events, e)
			}
		}
	}
	return events
}

// cuts finds hosts that ran on, and could not reach etcd, while all others could not reach them.
func (c *Collector) cuts(found []Event) []Event {
	var events []Event
	// until is how long what balancers say of a host that answers none of them is one cut.
	until := map[*machine]time.Time{}
	for _, e := range c.events {
		m := c.byName[e.fields["server"]]
		if e.Kind == BackendUp {
			delete(until, m)
		}
		if m == nil || e.Kind != BackendDown || e.Time.Before(until[m]) ||
			!silentReason(e.fields["why"]) {
			continue
		}
		window := func(k Kind, host string, before, after time.Duration) bool {
			in := func(x Event) bool {
				return x.Kind == k && x.Host == host && x.Time.After(e.Time.Add(-before)) &&
					x.Time.Before(e.Time.Add(after))
			}
			return slices.ContainsFunc(c.events, in) || slices.ContainsFunc(found, in)
		}
		if m.Unreachable && len(m.boots) == 0 {
			until[m] = e.Time.Add(time.Minute)
			events = append(events, derive(e.Time, m.Name, HostUnreachable,
				"can no longer be reached: without power, or cut off",
				"HAProxy on "+e.Host+": "+e.Evidence))
			continue
		}
		if window(PowerLost, m.Name, time.Minute, time.Minute) ||
			window(UnitStopping, m.Name, 10*time.Second, time.Second) ||
			!window(DCSUnreachable, m.Name, time.Second, time.Minute) &&
				!window(EtcdPeerLost, m.Name, time.Second, 10*time.Second) {
			continue
		}
		until[m] = e.Time.Add(time.Minute)
		events = append(events, derive(c.cutAt(e, m), m.Name, NetworkCut,
			"was cut off from the network", fmt.Sprintf(
				"it ran on and could not reach etcd, while the balancers got no answer from it: "+
					"HAProxy on %s: %s",
				e.Host, e.Evidence)))
	}
	return events
}

// unheard finds balancers that the others took the address from without a word of theirs, and had
// to yield it to again.
func (c *Collector) unheard(found []Event) []Event {
	var events []Event
	for _, yielded := range c.events {
		holder := yielded.fields["address"]
		if yielded.Kind != AddressYielded || c.byName[holder] == nil {
			continue
		}
		var taken Event
		for _, e := range c.events {
			if e.Kind == AddressTaken && e.Host == yielded.Host && e.Time.Before(yielded.Time) &&
				e.Time.After(taken.Time) {
				taken = e
			}
		}
		explains := func(e Event) bool {
			return e.Host == holder && e.Time.After(taken.Time.Add(-settling)) &&
				e.Time.Before(yielded.Time) &&
				(e.Kind == AddressTaken || e.Kind == UnitStarted || e.Kind == HostBooted ||
					leaves(e))
		}
		if taken.Time.IsZero() || slices.ContainsFunc(c.events, explains) ||
			slices.ContainsFunc(found, explains) ||
			slices.ContainsFunc(events,
				func(e Event) bool {
					return e.Host == holder && taken.Time.Sub(e.Time) < settling
				}) {
			continue
		}
		events = append(events, derive(taken.Time.Add(-c.masterDown()), holder, NetworkCut,
			"was not heard by the other balancers: cut off from the network, or hung", fmt.Sprintf(
				"%s took the virtual IP from it at %s, it said nothing of that, and got it "+
					"back at %s",
				taken.Host, clockTime(taken.Time), clockTime(yielded.Time))))
	}
	return events
}

// masterDown is after how long without adverts a balancer takes the address: three of them, and
// some more by its priority.
func (c *Collector) masterDown() time.Duration { return c.about.AdvertInterval * 365 / 100 }

// cutAt is when the others last heard of a host that HAProxy then found silent.
func (c *Collector) cutAt(down Event, m *machine) time.Time {
	for _, e := range c.events {
		if at, ok := transactionTime(e); ok && e.Kind == LastTransaction && e.Host != m.Name &&
			at.Before(down.Time) && down.Time.Sub(at) < detection {
			return at
		}
	}
	return down.Time.Add(-2 * c.about.CheckInterval)
}

// detection is how long HAProxy takes at most, with the checks that pgha sets, to find a silent
// server down.
const detection = 5 * time.Second

// silentReason tells a server that does not answer from one that answers with something else.
func silentReason(why string) bool {
	return strings.Contains(why, "timeout") || strings.Contains(why, "No route") ||
		strings.Contains(why, "unreachable")
}

// quorum finds times at which so many members of etcd were down that the rest could decide nothing.
func (c *Collector) quorum(found []Event) []Event {
	members := 0
	for _, m := range c.about.Machines {
		if m.Etcd != "" {
			members++
		}
	}
	down := map[string]bool{}
	var events []Event
	all := slices.Concat(c.events, found)
	slices.SortStableFunc(all, func(a, b Event) int { return a.Time.Compare(b.Time) })
	for _, e := range all {
		had := len(down)
		isEtcd := e.Component == Etcd && e.fields["unit"] == "etcd"
		switch {
		case isEtcd && (e.Kind == UnitStopping || e.Kind == UnitKilled || e.Kind == UnitFailed):
			down[e.Host] = true
		case isEtcd && e.Kind == UnitStarted, e.Kind == HostBooted:
			delete(down, e.Host)
		case e.Kind == PowerLost && c.byName[e.Host].Etcd != "":
			down[e.Host] = true
		}
		if members > 0 && had <= (members-1)/2 && len(down) > (members-1)/2 {
			names := slices.Sorted(maps.Keys(down))
			q := derive(e.Time, e.Host, QuorumLost,
				"etcd lost its quorum: its members on "+strings.Join(names, " and ")+" are down",
				e.Evidence)
			q.Component = Etcd
			events = append(events, q)
		}
	}
	return events
}

// operations turns pgha's own trail into events.
func (c *Collector) operations() []Event {
	var events []Event
	for _, o := range c.about.Operations {
		e := derive(o.Time, "", Operated, o.Holder+" ran "+o.Verb, "the trail of operations, "+o.ID)
		e.Component, e.Derived = Operator, false
		e.Last = o.Time.Add(time.Duration(o.Seconds * float64(time.Second)))
		e.fields = map[string]string{"verb": o.Verb, "by": o.Holder, "error": o.Error}
		events = append(events, e)
	}
	return events
}

// nameEtcd puts hosts in the place of etcd's numbers.
func (c *Collector) nameEtcd(events []Event) {
	names := map[string]string{}
	for _, m := range c.byName {
		for id := range m.etcdIDs {
			names[id] = m.Name
		}
	}
	for i, e := range events {
		if host := names[e.fields["peer"]]; host != "" {
			events[i].Text = strings.ReplaceAll(e.Text, e.fields["peer"], "on "+host)
			events[i].Subject = host
		}
	}
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05.000 UTC") }
