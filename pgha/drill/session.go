package drill

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/probe"
)

// dialer opens connections into the cluster's network.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// session is a connection for looking, which is opened when it is needed and thrown away at its
// first error. What it asks is bounded, also where the other end is silent: the TCP connection is
// then closed under pgx's feet, which would wait longer.
type session struct {
	config *pgx.ConnConfig
	conn   *pgx.Conn

	mu  sync.Mutex
	raw net.Conn
}

// drillName is the application_name of a drill's sessions.
const drillName = "pgha drill"

// errDetour keeps pgx from dialling a host that fell silent once more, to cancel what it was asked.
var errDetour = errors.New("no further connection for this session")

// errNotAcknowledged is a commit that waits.
var errNotAcknowledged = errors.New("a commit was not acknowledged within " + commitWithin.String())

// newSession is for one address, whose certificate has to be that host's.
func newSession(like *pgx.ConnConfig, host string, port uint16, dial dialer) *session {
	cfg := like.Copy()
	cfg.Host, cfg.Port, cfg.Fallbacks = host, port, nil
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) {
		return []string{host}, nil
	}
	if cfg.TLSConfig != nil {
		cfg.TLSConfig = cfg.TLSConfig.Clone()
		cfg.TLSConfig.ServerName = host
	}
	cfg.RuntimeParams["application_name"] = drillName // of the copy
	s := &session{config: cfg}
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if ctx.Value(s) == nil {
			return nil, errDetour
		}
		conn, err := dial(ctx, network, address)
		if err == nil {
			if err := probe.NoticeSilence(conn); err != nil {
				conn.Close()
				return nil, err
			}
			s.mu.Lock()
			s.raw = conn
			s.mu.Unlock()
		}
		return conn, err
	}
	return s
}

// do calls f with an open connection, all within a bound. After an error the connection is thrown
// away.
func (s *session) do(ctx context.Context, bound time.Duration,
	f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, s, true), bound)
	defer cancel()
	stop := context.AfterFunc(ctx, s.cut)
	defer stop()
	var err error
	if s.conn == nil {
		s.conn, err = pgx.ConnectConfig(ctx, s.config)
	}
	if err == nil {
		err = f(ctx, s.conn)
	}
	if err != nil {
		s.drop()
	}
	return err
}

// cut closes the TCP connection.
func (s *session) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raw != nil {
		s.raw.Close()
		s.raw = nil
	}
}

// drop throws the connection away.
func (s *session) drop() {
	s.cut()
	if s.conn == nil {
		return
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	s.conn.Close(over)
	s.conn = nil
}
