// Package health says when a member of a cluster is as it should be: in one place, for all who
// judge members. A cluster is no star of equal replicas: what is right for a member is what its
// tags promise. Pure computation.
package health

import (
	"fmt"
	"strings"
)

// Promise is what a member's tags say of it.
type Promise struct {
	// From is the member whose WAL this one streams while it is a replica; "" means the leader.
	// While that member is away Patroni lets this one stream from the leader.
	From string
	// Streams is false for a member tagged nostream: it replays what is in the archive and connects
	// to nobody.
	Streams bool
	// Reads is false for a member tagged noloadbalance: balancers hold it down on the read port,
	// and are right.
	Reads bool
	// Candidate is false for a member that never leads: nofailover, or failover_priority 0.
	Candidate bool
	// Synchronous is false for a member that no commit waits for: nosync, sync_priority 0, or one
	// that doesn't stream.
	Synchronous bool
}

// PromiseOf reads Patroni's tags, from the specification or from the member itself.
func PromiseOf(tags map[string]any) Promise {
	p := Promise{Streams: !truth(tags["nostream"]), Reads: !truth(tags["noloadbalance"]),
		Candidate: !truth(tags["nofailover"]) && !zero(tags["failover_priority"])}
	p.Synchronous = p.Streams && !truth(tags["nosync"]) && !zero(tags["sync_priority"])
	if from := tags["replicatefrom"]; from != nil && p.Streams {
		p.From = fmt.Sprint(from)
	}
	return p
}

// truth and zero read a tag as Patroni does: from YAML or JSON, or as text that somebody put in
// quotes.
func truth(value any) bool {
	switch strings.ToLower(fmt.Sprint(value)) {
	case "true", "on", "yes", "1":
		return true
	}
	return false
}

func zero(value any) bool { return value != nil && fmt.Sprint(value) == "0" }

// Seen is what is known of a member: Patroni's words, and timelines, 0 where they are unknown.
type Seen struct {
	Leads          bool
	State          string
	Timeline       int64
	LeaderTimeline int64
}

// Patroni's words for a PostgreSQL that runs.
const (
	running   = "running"
	streaming = "streaming"
	replaying = "in archive recovery"
)

// Fault says what keeps a member from what it promises, or "". A leader runs. A replica streams, or
// replays the archive where it is tagged nostream, on the leader's timeline: one that merely runs
// may have been left behind on an old one.
func (p Promise) Fault(seen Seen) string {
	state := strings.TrimSpace(seen.State)
	switch {
	case seen.Leads && (state == running || state == streaming):
		return ""
	case seen.Leads:
		return fmt.Sprintf("leads and is %q", state)
	case seen.LeaderTimeline == 0 && seen.Timeline == 0:
	case seen.Timeline != seen.LeaderTimeline:
		return fmt.Sprintf("is %q on timeline %d, the leader's is %d", state, seen.Timeline,
			seen.LeaderTimeline)
	}
	switch {
	case p.Streams && state == streaming:
		return ""
	case !p.Streams && (state == running || state == replaying || state == streaming):
		return ""
	case p.Streams && (state == running || state == replaying):
		return fmt.Sprintf("is %q and doesn't stream from %s", state, p.source())
	}
	return fmt.Sprintf("is %q", state)
}

func (p Promise) source() string {
	if p.From != "" {
		return p.From
	}
	return "the leader"
}

// Upstreams says which member feeds each: the leader's name for those that stream from it, ""
// for those that don't stream and for the leader. A member whose own upstream isn't alive, or that
// would be its own by a circle, streams from the leader.
func Upstreams(leader string, promises map[string]Promise,
	alive func(member string) bool) map[string]string {
	fed := make(map[string]string, len(promises))
	for member, p := range promises {
		switch {
		case member == leader || !p.Streams:
			fed[member] = ""
		case p.From != "" && p.From != member && alive(p.From):
			fed[member] = p.From
		default:
			fed[member] = leader
		}
	}
	return fed
}
