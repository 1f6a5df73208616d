package drill

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// askEvery is the time between two questions to a member.
	askEvery = 100 * time.Millisecond
	// askWithin bounds one of them; what takes longer is as good as no answer to an application.
	askWithin = 500 * time.Millisecond
	// commitWithin is how long a write may take that counts.
	commitWithin = 300 * time.Millisecond
	// commitGone is when a write without an answer is given up, together with its connection.
	commitGone = 10 * time.Minute
)

// stateSQL asks for everything that a MemberState holds, and whether a commit would wait for
// replicas that are not there.
const stateSQL = `SELECT pg_is_in_recovery(), pg_postmaster_start_time(),
	CASE WHEN pg_is_in_recovery() THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), 0)
	ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END,
	current_setting('synchronous_standby_names') <> '' AND
	(SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')) <
	coalesce((regexp_match(current_setting('synchronous_standby_names'), '^(?:ANY |FIRST )?([0-9]+) ?\('))[1]::int, 1)`

// commitSQL is the proof where two members are out of recovery at once. It is not asked for
// otherwise: WAL that goes on while a leader is missed makes each replica take the other one for
// the better candidate, and delays the election.
//
// It commits something that is in the WAL and nowhere else, so that it waits for replicas as any
// commit does.
const commitSQL = "SELECT pg_logical_emit_message(true, 'pgha', 'drill')"

// member asks one member again and again.
type member struct {
	name string
	look *session
	// rivals knows which members are out of recovery.
	rivals *rivals
	// write is the session of the drill's own commits. One that is not answered stays under way and
	// is not repeated: it would wait for a replica on the server for ever, and so would each
	// further one.
	write   *session
	pending *commit
}

// commit is a write that is under way.
type commit struct {
	answer chan error
	cancel context.CancelFunc
}

// run asks until ctx ends.
func (m *member) run(ctx context.Context, seen func(MemberState)) {
	defer m.look.drop()
	defer m.giveUp()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		if s := m.ask(ctx); ctx.Err() == nil {
			seen(s)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ask is one question.
func (m *member) ask(ctx context.Context) MemberState {
	s := MemberState{Member: m.name, Asked: time.Now(), Role: Down}
	var recovering, waits bool
	err := m.look.do(ctx, askWithin, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, stateSQL).Scan(&recovering, &s.Started, &s.Timeline, &waits)
	})
	alone := m.rivals.alone(m.name, err == nil && !recovering)
	switch {
	case err != nil:
		s.Error = err.Error()
		m.giveUp() // its server is gone, too, or does not answer
	case recovering:
		s.Role = ReadOnly
	case alone && waits:
		s.Role, s.Error = Blocked, "commits wait for replicas that are not there"
	case alone:
		s.Role = Writable
	default:
		s.Role = Writable
		if err := m.commit(ctx); err != nil {
			s.Role, s.Error = Blocked, err.Error()
		}
	}
	s.Answered = time.Now()
	return s
}

// commit writes, unless a write is under way already, and waits for the answer for a while.
func (m *member) commit(ctx context.Context) error {
	if m.pending == nil {
		bounded, cancel := context.WithCancel(ctx)
		p := &commit{make(chan error, 1), cancel}
		go func() {
			p.answer <- m.write.do(bounded, commitGone,
				func(ctx context.Context, c *pgx.Conn) error {
					_, err := c.Exec(ctx, commitSQL)
					return err
				})
		}()
		m.pending = p
	}
	late := time.NewTimer(commitWithin)
	defer late.Stop()
	select {
	case err := <-m.pending.answer:
		m.pending.cancel()
		m.pending = nil
		return err
	case <-late.C:
		return errNotAcknowledged
	}
}

// giveUp ends the write that is under way, and its connection.
func (m *member) giveUp() {
	if p := m.pending; p != nil {
		p.cancel()
		<-p.answer
		m.pending = nil
	}
	m.write.drop()
}

// rivals are the members that are out of recovery.
type rivals struct {
	mu      sync.Mutex
	primary map[string]bool
}

// alone notes whether a member is out of recovery, and tells whether none but it is.
func (r *rivals) alone(name string, primary bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.primary, name)
	others := len(r.primary)
	if primary {
		r.primary[name] = true
	}
	return others == 0
}

// recorder collects what is seen, from several goroutines.
type recorder struct {
	mu  sync.Mutex
	rec *Recording
}

func (r *recorder) add(f func(*Recording)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.rec)
}
