package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// session is a connection to PostgreSQL that can be dropped at once. pgx takes leave of a server
// politely, also of one that does not answer: for up to 15 s it keeps the connection and opens
// another to ask for the statement's cancellation. A session closes the TCP connection under pgx's
// feet instead, and lets it open no other.
type session struct {
	conn *pgx.Conn

	bounds bounds

	mu  sync.Mutex
	raw []net.Conn // what pgx dialled
	cut bool
}

var (
	errDropped  = errors.New("session was dropped")
	errNoDetour = errors.New("the probe sends no cancel requests")
)

// sessionKey finds the session that a dial is for in its context. A cancel request of pgx has a
// context of its own.
type sessionKey struct{}

// dialConfig prepares a configuration whose connections belong to sessions.
func dialConfig(cfg *pgx.ConnConfig) *pgx.ConnConfig {
	cfg = cfg.Copy()
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		s, ok := ctx.Value(sessionKey{}).(*session)
		if !ok {
			return nil, errNoDetour
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return conn, s.own(conn)
	}
	return cfg
}

// login connects and logs in within its bound, once: no second login is begun beside one that
// hangs. After an error nothing is left open.
func login(ctx context.Context, cfg *pgx.ConnConfig, b bounds) (*session, error) {
	s := &session{bounds: b}
	ctx = context.WithValue(ctx, sessionKey{}, s)
	err := s.within(ctx, b.login, func(ctx context.Context) (err error) {
		s.conn, err = pgx.ConnectConfig(ctx, cfg)
		return err
	})
	if err == nil && !s.whole() {
		err = context.DeadlineExceeded // it was open just when its time was over
	}
	if err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

// exec runs one statement within its bound, on the simple protocol: its answer comes after the
// commit. After an error the session is of no more use and must be dropped.
func (s *session) exec(ctx context.Context, sql string, args ...any) error {
	return s.within(ctx, s.bounds.statement, func(ctx context.Context) error {
		_, err := s.conn.Exec(ctx, sql, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
		return err
	})
}

// within calls f, and cuts the connection if it is not done in time: pgx relies on deadlines, which
// not every net.Conn has.
func (s *session) within(ctx context.Context, bound time.Duration,
	f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	stop := context.AfterFunc(ctx, s.close)
	err := f(ctx)
	if !stop() && err != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// own takes over a connection that was dialled for the session.
func (s *session) own(conn net.Conn) error {
	if err := NoticeSilence(conn); err != nil {
		conn.Close()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut {
		conn.Close()
		return errDropped
	}
	s.raw = append(s.raw, conn)
	return nil
}

// whole tells whether the session was not cut.
func (s *session) whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.cut
}

// close cuts the connections without a word. A statement that the kernel still wants to deliver is
// thrown away with them, so that it is not executed when its host comes back minutes later.
func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = true
	for _, conn := range s.raw {
		if tcp, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
			tcp.SetLinger(0) //nolint:errcheck // it is about to be closed
		}
		conn.Close()
	}
	s.raw = nil
}

// drop cuts the connections and waits until pgx has noticed.
func (s *session) drop() {
	s.close()
	if s.conn == nil {
		return
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	s.conn.Close(over)
	<-s.conn.PgConn().CleanupDone()
}

// leave ends a session that works, politely but within the bound of a statement.
func (s *session) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), s.bounds.statement)
	defer cancel()
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	s.conn.Close(ctx)
}
