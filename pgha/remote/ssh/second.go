package ssh

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// sessionPatience is how long a command waits for the only session of the first connection: long
// enough for most commands to end, short enough not to be noticed. crowdPatience is how long it
// waits where several sessions are taken, or further connections are already in use: those are more
// likely to be given back, and one connection less is to be made.
const (
	sessionPatience = 300 * time.Millisecond
	crowdPatience   = 2 * time.Second
)

// mostConnections bounds the connections to one host: a lock, a listener, an output that is
// followed, and the work.
const mostConnections = 4

// second is one more connection to a host whose sshd allows few sessions in each (MaxSessions). It
// is made when those are taken for longer: by a lock, which is held as long as the work takes that
// needs sessions too, or by an output that is followed. It has a second one of its own.
type second struct {
	dial func(context.Context) (*Conn, error) // nil for the last one
	// for the only session of the connection that this is the second of
	patience time.Duration
	turn     chan struct{} // held while dialing

	mu   sync.Mutex
	live *Conn
}

// spare lets the connection have so many more behind it.
func (s *Conn) spare(cfg Config, more int, patience time.Duration) {
	if more == 0 {
		return
	}
	s.second.patience = patience
	s.second.dial = func(ctx context.Context) (*Conn, error) {
		next, err := connect(ctx, cfg)
		if err == nil {
			next.spare(cfg, more-1, crowdPatience)
			go next.watch(cfg.KeepAlive)
		}
		return next, err
	}
}

// patience is how long a command waits where so many sessions are all that the connection may have:
// for ever where there is nowhere else to go.
func (s *Conn) patience(sessions int) time.Duration {
	switch {
	case s.second.dial == nil:
		return math.MaxInt64
	case s.second.current() != nil:
		return 0
	case sessions == 1:
		return s.second.patience
	}
	return crowdPatience
}

// current returns the second connection, or nil.
func (s *second) current() *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live != nil {
		select {
		case <-s.live.closed:
			s.live = nil
		default:
		}
	}
	return s.live
}

// another returns the second connection, made now if need be. It ends with the first.
func (s *Conn) another(ctx context.Context) (*Conn, error) {
	select {
	case s.second.turn <- struct{}{}:
		defer func() { <-s.second.turn }()
	case <-ctx.Done():
		return nil, remote.OnHost(s.name, ctx.Err())
	}
	if live := s.second.current(); live != nil {
		return live, nil
	}
	live, err := s.second.dial(ctx)
	if err != nil {
		return nil, remote.OnHost(s.name,
			remote.WithHint(
				fmt.Errorf("every session that sshd allows a connection is taken, and there is "+
					"no further connection: %w", err),
				"raise MaxSessions in /etc/ssh/sshd_config on "+s.name+" (its default is 10)"))
	}
	if s.slots.narrowed() {
		live.slots.narrow()
	}
	s.second.mu.Lock()
	s.second.live = live
	s.second.mu.Unlock()
	go func() {
		<-s.closed
		live.shut(s.cause)
	}()
	return live, nil
}
