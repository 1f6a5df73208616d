package model

// next calls yield with each state that one step leads to, and the step's name; of is the member
// that takes it, -1 for none of them.
func (r Rules) next(c Cluster, s state, yield func(name string, of int, to state)) {
	if !s.primary {
		return // nothing can be completed any more: what may come of an election is known
	}
	r.leader(c, s, yield)
	r.election(s, yield)
	if to, ok := r.delete(s); ok {
		yield("Delete", -1, to)
	}
	if s.mayStop {
		to := s
		to.mayStop, to.paused = false, true
		yield("Pause", -1, to)
	}
	for i := range s.members[:s.n] {
		if s.members[i].idle() {
			continue
		}
		r.agent(s, i, func(name string, to state) { yield(name, i, to) })
		r.postgres(s, i, func(name string, to state) { yield(name, i, to) })
	}
}

// leader is what L does: PostgreSQL, and Patroni.
func (r Rules) leader(c Cluster, s state, yield func(string, int, state)) {
	to := s
	to.stops()
	yield("Stops", -1, to)
	if !s.written {
		to := s
		to.written = true
		yield("Write", -1, to)
	}
	if s.written && !s.done && s.count(awaited|sent) >= s.sync {
		to := s
		to.done = true
		yield("Complete", -1, to)
	}
	if s.lower {
		to := s
		to.lower = false
		to.sync--
		yield("Lowered", -1, to)
	}
	if c.Apart || s.count(route) < s.n {
		r.leaderInEtcd(s, yield)
	}
}

// leaderInEtcd is what L's Patroni does in etcd. It looks, and acts on what it saw, which may not
// be so any more.
func (r Rules) leaderInEtcd(s state, yield func(string, int, state)) {
	to := s
	if to.leads = s.key == leader; to.leads {
		to.fresh, to.taken = true, false
		to.each(func(m *member) {
			*m &^= counted
			if m.phase() == held {
				*m |= expired
			}
		})
	}
	if to != s {
		yield("Load", -1, to)
	}
	if !s.leads && s.key == nobody && s.regains > 0 {
		to := s
		to.key, to.leads, to.taken, to.fresh = leader, true, false, true
		to.regains--
		to.elect(none)
		to.each(func(m *member) { *m &^= counted })
		to.stale()
		yield("Regain", -1, to)
	}
	if s.leads && !s.lower {
		r.changes(s, yield)
	}
}

// changes are those of how many, and which, members a commit waits for. Each takes two steps, in
// PostgreSQL and in /sync, in such an order that every set of acknowledging members has one in
// common with every set that may elect.
func (r Rules) changes(s state, yield func(string, int, state)) {
	may := s.fresh && s.writes > 0
	// Fewer replicas stream: a commit waits for fewer, /sync first. For none means alone.
	if may && s.sync > 0 && s.quorum < s.count(voter) {
		to := s
		to.lower = true
		if to.quorum++; s.sync == 1 {
			to.quorum = 0
			to.each(func(m *member) { *m &^= voter })
		}
		r.wrote(&to)
		yield("Lower", -1, to)
	}
	// One replica has come: /sync first, then PostgreSQL.
	for i, m := range s.members[:s.n] {
		switch {
		case m.idle() && may && s.count(voter) > 0 && s.count(voter) == s.count(awaited):
			to := s
			to.members[i] |= voter | unseen
			to.quorum++
			r.wrote(&to)
			yield("Add", i, to)
		case m.has(voter|unseen) && !m.has(awaited):
			to := s
			if to.members[i] |= awaited; !r.IgnoreSync {
				to.members[i] &^= unseen
			}
			yield("Added", i, to)
		}
	}
	// One replica has gone: PostgreSQL first. /sync follows when those that stay have what was
	// acknowledged, which is Patroni's numsync_confirmed.
	for i, m := range s.members[:s.n] {
		switch {
		case s.writes > 0 && m.has(voter|awaited) && s.count(awaited) > s.sync && s.count(voter) == s.count(awaited):
			to := s
			to.members[i] &^= awaited
			yield("Drop", i, to)
		case m.has(voter) && !m.has(awaited) && !m.has(unseen) && may &&
			(!s.done || s.count(awaited|flushed) >= s.sync):
			to := s
			to.members[i] &^= voter
			to.quorum--
			r.wrote(&to)
			yield("Dropped", i, to)
		}
	}
}

// wrote is what another revision of /sync means.
func (r Rules) wrote(s *state) {
	s.writes--
	if !r.IgnoreSync {
		s.stale()
	}
}

// elect begins a stage without what the one before has left.
func (s *state) elect(stage uint8) {
	s.stage, s.asks = stage, 0
	s.each(func(m *member) { *m &^= candidate | voted | elector })
}

// election is what the other members' Patroni do, by their own rules.
func (r Rules) election(s state, yield func(string, int, state)) {
	c := s.candidate()
	switch {
	case s.stage == none && s.key == nobody:
		for i, m := range s.members[:s.n] {
			if m.has(flushed) {
				continue // who has the commit does no harm
			}
			to := s
			to.elect(gathering)
			to.asks = s.quorum
			to.each(func(m *member) {
				if m.has(voter) {
					*m |= elector
				}
			})
			to.members[i] |= candidate
			yield("Stand", i, to)
		}
	case s.stage == gathering && s.key == nobody && !s.members[c].has(flushed):
		votes := s.count(voted)
		if s.members[c].has(elector) {
			votes++
		}
		if votes > s.asks {
			to := s
			to.key, to.stage, to.asks = other, elected, 0
			to.each(func(m *member) { *m &^= voted | elector })
			to.stale()
			yield("Elected", c, to)
		}
		for i, m := range s.members[:s.n] {
			if i != c && m.has(elector) && m&(voted|flushed) == 0 {
				to := s
				to.members[i] |= voted
				yield("Vote", i, to)
			}
		}
	case s.stage == elected:
		to := s
		to.stage = promoted
		to.members[c] = to.members[c]&^receives | newer
		yield("Promote", c, to)
		to = s
		to.key = nobody
		to.elect(none)
		yield("Lost", c, to)
	case s.stage == promoted:
		for i, m := range s.members[:s.n] {
			if i != c && !m.has(newer) {
				to := s
				to.members[i] = m&^(receives|flushed) | newer | s.members[c]&flushed
				yield("Follow", i, to)
			}
		}
	}
}

// postgres is what a member's PostgreSQL and its host do.
func (r Rules) postgres(s state, i int, yield func(string, state)) {
	m := s.members[i]
	put := func(name string, m member) {
		to := s
		to.members[i] = m
		yield(name, to)
	}
	if s.written && s.primary && m.has(receives) && !m.has(flushed) {
		if m.has(route) {
			put("Flush", m|flushed|queued)
		} else {
			put("Flush", m|flushed|sent)
		}
	}
	if !m.has(receives) && !m.has(route) && !m.has(newer) && s.primary {
		put("Connect", m|receives)
	}
	if m.has(receives|route) || m.has(route) && r.ForgetAtBoot {
		// The host boots. What puts the fence back comes before Patroni.
		if r.ForgetAtBoot {
			put("Boot", m.to(calm)&^(receives|route))
		} else {
			put("Boot", m&^receives)
		}
	}
}

// agent is what a member's agent does, and what etcd and the host do with what it left.
func (r Rules) agent(s state, i int, yield func(string, state)) {
	m := s.members[i]
	put := func(name string, m member) {
		to := s
		to.members[i] = m
		yield(name, to)
	}
	claims := m.has(current) && s.key == leader
	switch m.phase() {
	case calm:
		if s.key == leader && !m.has(route) {
			put("Suspect", m.to(suspected)|current)
		}
	case suspected:
		switch {
		case m.has(voter) && r.TellFirst && !m.has(fenced) && claims:
			put("Tell", m|fenced)
		case m.has(voter):
			put("Fence", m.to(routed)|route)
		}
	case routed:
		if r.KeepReceiver {
			put("Sever", m.to(severed))
		} else {
			put("Sever", m.to(severed)&^receives)
		}
	case severed:
		if claims && !m.has(fenced) {
			put("Tell", m|fenced)
		}
	case withdrawn:
		put("Lift", m.lift())
	}
	if m.has(late) && s.key == leader {
		put("TellLate", m&^late|fenced|current)
	}
	if m.has(route) {
		r.ends(s, m, put)
	}
	if p := m.phase(); p != calm && p != withdrawn && p != held {
		// The lease of its entries ends.
		to := m.to(calm) &^ (fenced | current)
		if m.has(route) {
			to = to.to(held)
			if !s.primary {
				to |= expired
			}
		}
		put("EntryEnds", to)
	}
}

// ends are the ways in which a fence ends.
func (r Rules) ends(s state, m member, put func(string, member)) {
	if s.key == leader && m.phase() != withdrawn {
		to := m.to(withdrawn) &^ (fenced | current)
		if r.TellUnguarded && m.phase() == severed && m.has(current) && !m.has(fenced) {
			to |= late
		}
		put("Withdraw", to)
	}
	if r.LiftUnasked && m.phase() != withdrawn || r.LiftStopped && !m.has(receives) {
		put("Lift", m.lift())
	}
	if m.has(newer) {
		put("Lift", m.lift())
	}
	if m.phase() == held && (m.has(expired) || r.TimerShort) {
		put("Timer", m.lift())
	}
}

// delete is the transaction that takes L's key away.
func (r Rules) delete(s state) (state, bool) {
	voters, fences := s.count(voter), s.count(voter|fenced|current)
	need := voters
	if r.FenceFewer {
		need = s.quorum + 1
	}
	if r.IgnoreSync {
		need -= s.count(voter | unseen)
		fences -= s.count(voter | unseen | fenced | current)
	}
	if r.DeleteUnchecked {
		// whoever tells of a fence has been seen to do so, and that is believed for ever
		fences = 0
		for _, m := range s.members[:s.n] {
			if m.has(voter|current) || m.has(voter) && m.phase() == withdrawn {
				fences++
			}
		}
	}
	if s.key != leader || voters == 0 || fences < need || s.paused && !r.IgnorePause {
		return s, false
	}
	s.key = nobody
	s.taken = s.primary
	s.each(func(m *member) {
		if m.has(voter|fenced|current) && s.primary {
			*m |= counted
		}
	})
	s.stale()
	if !r.LeaveSync {
		s.fresh = false
	}
	return s, true
}
