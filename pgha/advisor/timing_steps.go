package advisor

import "time"

// takeover is what follows the loss of a leader that did not give its lock back.
func (c clock) takeover(lease, race TimingPart) []TimingPart {
	return append([]TimingPart{lease, leaseNoticed(), race, promotion()}, c.routeToNew()...)
}

// leaseLeft is what remains of the lock, or of a member's key, when its holder falls silent.
func (c clock) leaseLeft(what string) TimingPart {
	return even(what+" runs out", c.ttl-c.loop, c.ttl,
		"ttl, of which up to loop_wait has passed since Patroni last renewed it")
}

func leaseNoticed() TimingPart {
	return even("etcd notices", 0, leaseTick, "etcd, lessor.go: it looks every 500 ms; Patroni "+
		"learns of it at once")
}

// race is how replicas find who takes the lock; usually is how long the member that lost it takes
// to answer. One without power takes all of the time that it is given: its own key ends with the
// lock's lease, yet Patroni, woken by the first of the two, still asks it (measured each time).
func (c clock) race(usually time.Duration) TimingPart {
	const lock = 100 * time.Millisecond // measured 0.10 to 0.15 s from the last answer to the lock
	what := "the replicas ask all members, and one takes the lock"
	return TimingPart{what, lock, min(usually+lock, probeTimeout+lock), probeTimeout + lock,
		"Patroni, ha.py, fetch_node_status: a member has 2 s to answer; measured 0.1 s with all " +
			"alive, 1.2 s with one that is stopping, all of it with one that is gone"}
}

func promotion() TimingPart {
	return TimingPart{"PostgreSQL is promoted", 50 * time.Millisecond, 100 * time.Millisecond,
		2700 * time.Millisecond,
		"measured 0.05 to 0.13 s; up to 2.7 s were seen elsewhere"}
}

// stopping is how Patroni stops PostgreSQL before it gives the lock back.
func stopping() TimingPart {
	return TimingPart{"PostgreSQL is stopped", 0, stopLook, 2 * stopLook,
		"Patroni looks once a second (STOP_POLLING_INTERVAL), and gives replicas another if the " +
			"process still lives; measured 1.0 s"}
}

// routeToNew is HAProxy's way to a new primary whose predecessor it has long given up.
func (c clock) routeToNew() []TimingPart {
	if !c.balanced {
		return nil
	}
	return []TimingPart{even("HAProxy finds the new primary", 0,
		checkDown+(checkRise-1)*checkFast+checkTook,
		"downinter 300 ms, rise 1, and a check of at most 0.1 s")}
}

// routeFromLiving is the same while the former primary's host answers: nobody gets a session as
// long as both seem to be up.
func (c clock) routeFromLiving() []TimingPart {
	if !c.balanced {
		return nil
	}
	return []TimingPart{even("HAProxy gives the old primary up and finds the new one", 0,
		max(c.check+(checkFall-1)*checkFast, checkDown)+checkTook,
		"inter, fall 2 with fastinter 200 ms, and a check of at most 0.1 s; the new one is found "+
			"meanwhile")}
}

func fixed(what string, d time.Duration, source string) TimingPart {
	return TimingPart{what, d, d, d, source}
}
