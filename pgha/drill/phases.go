package drill

import (
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/probe"
)

// phases splits a time without writes. Each phase begins where the one before it ends; the first
// begins with the gap and the last ends with it. Of what cannot be told apart the later phase gets
// everything.
func phases(r Recording, gap probe.Gap) []Phase {
	ends := map[PhaseName]time.Time{}
	switch lost, elected, leader := keyChange(r, gap); {
	case !lost.IsZero():
		ends[Detection] = lost
		ends[Election] = elected
		if !elected.IsZero() {
			ends[Promotion] = firstWritable(r, gap, leader, elected)
		}
	default:
		ends[Detection], ends[Promotion] = recovery(r, gap)
		if ends[Detection].IsZero() {
			ends[Detection] = addressMoved(r, gap)
		}
	}
	// Members are asked ten times a second: a session that led to one that took writes may have
	// been opened before the answer that says so.
	if at := connected(r, gap); !at.IsZero() {
		for name, end := range ends {
			if end.After(at) {
				ends[name] = at
			}
		}
		ends[Routing] = at
	}
	return split(gap, ends)
}

// split makes phases of their ends. Those without an end, and those of no length, are left out.
func split(gap probe.Gap, ends map[PhaseName]time.Time) []Phase {
	list := []Phase{}
	at, last := gap.Start, Detection
	for _, name := range PhaseNames() {
		end := ends[name]
		if name == Reconnect {
			end = gap.End
		}
		if end.IsZero() || !end.After(at) {
			continue
		}
		last = name
		if end.After(gap.End) {
			end = gap.End
		}
		if end.After(at) {
			list = append(list, Phase{Name: name, Start: at, End: end,
				Seconds: end.Sub(at).Seconds()})
		}
		at = end
	}
	if gap.Open && last == Reconnect && len(list) > 0 {
		// Nobody has connected again by the end: the cluster was still at the phase after the last
		// one that ended.
		list[len(list)-1].Name = unfinished(list)
	}
	return list
}

// unfinished is the phase that was going on when the recording ended.
func unfinished(list []Phase) PhaseName {
	if len(list) == 1 {
		return Detection
	}
	all := PhaseNames()
	return all[slices.Index(all, list[len(list)-2].Name)+1]
}

// keyChange is when the leader key was first given up since the fault and when somebody held it
// again, both within the gap.
func keyChange(r Recording, gap probe.Gap) (lost, elected time.Time, leader string) {
	before := leaderAt(r, r.Fault.At)
	for _, l := range r.Leadership {
		if !l.At.After(r.Fault.At) || l.At.After(gap.End) {
			continue
		}
		if lost.IsZero() && l.Patroni != before {
			lost = l.At
		}
		if !lost.IsZero() && l.Patroni != "" {
			return lost, l.At, l.Patroni
		}
	}
	return lost, time.Time{}, ""
}

// firstWritable is when a member first took a write after a moment.
func firstWritable(r Recording, gap probe.Gap, member string, after time.Time) time.Time {
	for _, s := range r.States {
		if s.Member == member && s.Role == Writable && s.Asked.After(after) &&
			!s.Asked.After(gap.End) {
			return s.Answered
		}
	}
	return time.Time{}
}

// recovery is when the leader's PostgreSQL gave a first sign of life after it was down, and when it
// took writes again. Where it only waited for its replicas the first is when that ended. Zero where
// it was never away.
func recovery(r Recording, gap probe.Gap) (alive, writable time.Time) {
	leader := leaderAt(r, r.Fault.At)
	down, blocked := false, false
	for _, s := range r.States {
		if s.Member != leader || s.Asked.Before(r.Fault.At) || s.Asked.After(gap.End) {
			continue
		}
		starting := strings.Contains(s.Error, "57P03") // cannot_connect_now
		switch {
		case s.Role == Down && !starting:
			down, alive, writable = true, time.Time{}, time.Time{}
			continue
		case s.Role == Blocked:
			blocked, writable = true, time.Time{}
		case s.Role == Writable && (down || blocked) && writable.IsZero():
			writable = s.Answered
		}
		if down && alive.IsZero() {
			alive = s.Answered
		}
	}
	if (down || blocked) && writable.IsZero() && !gap.Open {
		writable = gap.End // the row that ended the gap came before the next answer
	}
	if blocked && !down {
		return writable, time.Time{}
	}
	return alive, writable
}

// addressMoved is when another balancer than before carried the address.
func addressMoved(r Recording, gap probe.Gap) time.Time {
	var before []string
	for _, l := range r.Leadership {
		if !l.At.After(r.Fault.At) {
			before = l.Address
			continue
		}
		if !l.At.After(gap.End) && len(l.Address) > 0 && !slices.Equal(l.Address, before) {
			return l.At
		}
	}
	return time.Time{}
}

// connected is when the session was opened over which the gap ended; zero if it was open all the
// time.
func connected(r Recording, gap probe.Gap) time.Time {
	var last time.Time
	for _, a := range r.Writes.Attempts {
		if a.Connected.After(gap.Start) && !a.Connected.After(gap.End) {
			last = a.Connected
		}
	}
	return last
}
