package remote

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// sessionPatience is how long a command waits for the only session of a connection. Long enough for most commands to end,
// short enough not to be noticed.
const sessionPatience = 300 * time.Millisecond

// second is one more connection to a host whose sshd allows a single session in each (MaxSessions 1). It is made when
// that session is taken for longer: by a lock, which is held as long as the work takes that needs sessions too, or by an
// output that is followed.
type second struct {
	dial func(context.Context) (*SSH, error) // nil for what is a second connection itself
	turn chan struct{}                       // held while dialing

	mu   sync.Mutex
	live *SSH
}

// patience is how long a command waits for the only session: for ever where there is nowhere else to go.
func (s *SSH) patience() time.Duration {
	switch {
	case s.second.dial == nil:
		return math.MaxInt64
	case s.second.current() != nil:
		return 0
	}
	return sessionPatience
}

// current returns the second connection, or nil.
func (s *second) current() *SSH {
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
func (s *SSH) another(ctx context.Context) (*SSH, error) {
	select {
	case s.second.turn <- struct{}{}:
		defer func() { <-s.second.turn }()
	case <-ctx.Done():
		return nil, OnHost(s.name, ctx.Err())
	}
	if live := s.second.current(); live != nil {
		return live, nil
	}
	live, err := s.second.dial(ctx)
	if err != nil {
		return nil, OnHost(s.name, WithHint(fmt.Errorf("sshd allows one session a connection, and there is no second connection: %w", err),
			"raise MaxSessions in /etc/ssh/sshd_config on "+s.name+" (its default is 10)"))
	}
	live.slots.narrow()
	s.second.mu.Lock()
	s.second.live = live
	s.second.mu.Unlock()
	go func() {
		<-s.closed
		live.shut(s.cause)
	}()
	return live, nil
}
