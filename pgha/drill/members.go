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

// stateSQL asks for everything that a MemberState holds.
const stateSQL = `SELECT pg_is_in_recovery(), pg_postmaster_start_time(),
	CASE WHEN pg_is_in_recovery() THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), 0)
	ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END`

// commitSQL commits something that is in the WAL and nowhere else, so that it waits for replicas as any commit does.
const commitSQL = "SELECT pg_logical_emit_message(true, 'pgha', 'drill')"

// member asks one member again and again.
type member struct {
	name string
	look *session
	// write is the session of the drill's own commits. One that is not answered stays under way and is not repeated: it would
	// wait for a replica on the server for ever, and so would each further one.
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
	var recovering bool
	err := m.look.do(ctx, askWithin, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, stateSQL).Scan(&recovering, &s.Started, &s.Timeline)
	})
	switch {
	case err != nil:
		s.Error = err.Error()
		m.giveUp() // its server is gone, too, or does not answer
	case recovering:
		s.Role = ReadOnly
	default:
		if err = m.commit(ctx); err == nil {
			s.Role = Writable
		} else {
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
			p.answer <- m.write.do(bounded, commitGone, func(ctx context.Context, c *pgx.Conn) error {
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
