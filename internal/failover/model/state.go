package model

import (
	"fmt"
	"slices"
	"strings"
)

// most is how many members there are beside L, at most.
const most = 4

// A member is what is true of one member, in the bits below.
type member uint32

const (
	route     member = 1 << (iota + 3) // its host has a route that lets nothing out to L
	receives                           // its PostgreSQL gets WAL from L
	flushed                            // it has the commit on its disk
	sent                               // its acknowledgement of the commit has left the host
	queued                             // its acknowledgement waits in the kernel, because of the route
	fenced                             // its entry fenced is in etcd
	current                            // what it claims in etcd is still so: L's key, and /sync
	expired                            // since its entries ended, L's lease has ended or was renewed
	newer                              // its PostgreSQL is on a newer timeline than L's
	voter                              // /sync names it
	awaited                            // synchronous_standby_names names it
	voted                              // the candidate has its answer
	candidate                          // it wants the leader key
	elector                            // /sync named it when the candidate looked
	counted                            // L's key was taken away because of its fence
	late                               // a message with its entry is still under way
	unseen                             // /sync names it since a moment ago
)

// The phases of an agent are the lowest three bits.
const (
	calm member = iota
	suspected
	routed
	severed
	withdrawn
	held
	phases member = 7
)

func (m member) has(bits member) bool   { return m&bits == bits }
func (m member) phase() member          { return m & phases }
func (m member) to(phase member) member { return m&^phases | phase }

// lift takes the route away: what waited for it leaves.
func (m member) lift() member {
	if m.has(queued) {
		m = m&^queued | sent
	}
	return m.to(calm) &^ (route | expired)
}

// Holders of the leader key.
const (
	nobody = iota
	leader
	other
)

// Stages of an election.
const (
	none = iota
	gathering
	elected
	promoted
)

// A state is everything at one moment.
type state struct {
	members [most]member
	n       uint8 // how many of them there are
	key     uint8 // who holds the leader key
	stage   uint8
	sync    uint8 // how many acknowledgements a commit of L waits for
	quorum  uint8 // how many votes /sync wants beside the candidate's
	asks    uint8 // the same, when the candidate looked
	writes  uint8 // how often L may still change /sync
	regains uint8 // how often L may still get its key back
	lower   bool  // L has changed /sync, and not yet how many it waits for
	primary bool  // L's PostgreSQL takes writes
	leads   bool  // L's Patroni takes itself for the leader
	fresh   bool  // it knows /sync at its present revision
	written bool
	done    bool // the client was told that the commit is safe
	taken   bool // L's key was taken away, and L has neither stopped nor got it back
	paused  bool
	mayStop bool // somebody may still pause the cluster
}

// canonical sorts the members: which is which makes no difference.
func (s state) canonical() state {
	s = s.forget()
	slices.Sort(s.members[:s.n])
	return s
}

// forget drops what makes no difference: acknowledgements once the commit is done, and what is true
// of a member that has no say.
func (s state) forget() state {
	s.each(func(m *member) {
		if s.done {
			*m &^= sent | queued
		}
		if m.idle() {
			*m = 0
		}
	})
	return s
}

// idle says that nobody waits for the member, nor for its vote. It may still be elected.
func (m member) idle() bool { return m&(voter|awaited|elector|candidate|counted) == 0 }

// packed is a state in as few words as it fits in.
type packed [2]uint64

func (s state) packed() packed {
	m := s.members
	counts := s.key | s.stage<<2 | s.writes<<4 | s.regains<<6
	votes := uint64(s.sync) | uint64(s.quorum)<<3 | uint64(s.asks)<<6 | uint64(s.n)<<9
	var flags uint64
	for i, set := range s.flags() {
		if set {
			flags |= 1 << i
		}
	}
	return packed{uint64(m[0]) | uint64(m[1])<<20 | uint64(counts)<<40 | votes<<48,
		uint64(m[2]) | uint64(m[3])<<20 | flags<<40}
}

func (s state) flags() [9]bool {
	return [9]bool{s.lower, s.primary, s.leads, s.fresh, s.written, s.done, s.taken, s.paused, s.mayStop}
}

func (p packed) state() state {
	bits := func(word int, at, width int) uint8 { return uint8(p[word] >> at & (1<<width - 1)) }
	flag := func(at int) bool { return p[1]>>(40+at)&1 == 1 }
	whole := func(word, at int) member { return member(p[word] >> at & (1<<20 - 1)) }
	return state{
		members: [most]member{whole(0, 0), whole(0, 20), whole(1, 0), whole(1, 20)},
		key:     bits(0, 40, 2), stage: bits(0, 42, 2), writes: bits(0, 44, 2), regains: bits(0, 46, 2),
		sync: bits(0, 48, 3), quorum: bits(0, 51, 3), asks: bits(0, 54, 3), n: bits(0, 57, 3),
		lower: flag(0), primary: flag(1), leads: flag(2), fresh: flag(3), written: flag(4),
		done: flag(5), taken: flag(6), paused: flag(7), mayStop: flag(8),
	}
}

func (s *state) each(f func(*member)) {
	for i := range s.members[:s.n] {
		f(&s.members[i])
	}
}

// stale makes all claims in etcd ones that are no longer so.
func (s *state) stale() { s.each(func(m *member) { *m &^= fenced | current | late }) }

// stops is L's PostgreSQL taking no more writes.
func (s *state) stops() {
	s.primary, s.leads, s.taken, s.lower = false, false, false, false
	s.each(func(m *member) {
		*m &^= counted
		if m.phase() == held {
			*m |= expired
		}
	})
}

func (s *state) candidate() int {
	return slices.IndexFunc(s.members[:s.n], func(m member) bool { return m.has(candidate) })
}

func (s *state) count(bits member) (n uint8) {
	for _, m := range s.members[:s.n] {
		if m.has(bits) {
			n++
		}
	}
	return n
}

// wrong says which promise the state breaks, "" if none.
func (s state) wrong() string {
	if s.done && (s.stage == promoted && !s.members[s.candidate()].has(flushed) ||
		!s.primary && s.electable()) {
		return "a commit was acknowledged that the new leader does not have"
	}
	if s.taken {
		for _, m := range s.members[:s.n] {
			if m.has(counted) && !m.has(newer) && (!m.has(route) || m.has(receives)) {
				return "a fence that was counted is gone while the old leader may still complete commits"
			}
		}
	}
	return ""
}

// electable says whether a member that does not have the commit may be elected now that L has
// stopped, by an election that is under way or by one that begins.
func (s state) electable() bool {
	wins := func(c int, elects member, asks uint8) bool {
		var votes uint8
		for i, m := range s.members[:s.n] {
			if m.has(elects) && (i == c || m.has(voted) || !m.has(flushed)) {
				votes++
			}
		}
		return !s.members[c].has(flushed) && votes > asks
	}
	if c := s.candidate(); s.stage == elected && !s.members[c].has(flushed) ||
		s.stage == gathering && wins(c, elector, s.asks) {
		return true
	}
	s.each(func(m *member) { *m &^= voted })
	for c := range s.members[:s.n] {
		if wins(c, voter, s.quorum) {
			return true
		}
	}
	return false
}

func (s state) String() string {
	names := strings.Fields("calm suspected routed severed withdrawn held ? ?")
	bits := strings.Fields("route receives flushed sent queued fenced current expired newer voter " +
		"awaited voted candidate elector counted late unseen")
	var b strings.Builder
	fmt.Fprintf(&b, "key of %s; L primary %v, leads %v, waits for %d; commit written %v, done %v",
		[]string{"nobody", "L", "the candidate"}[s.key], s.primary, s.leads, s.sync, s.written, s.done)
	for i, m := range s.members[:s.n] {
		fmt.Fprintf(&b, "\n      %d: %s", i+2, names[m.phase()])
		for j, name := range bits {
			if m.has(1 << (j + 3)) {
				b.WriteString(" " + name)
			}
		}
	}
	return b.String()
}
