package remote

import (
	"context"
	"errors"
	"sync"
)

// slots counts the sessions of one connection.
type slots struct {
	mu      sync.Mutex
	max     int
	used    int
	changed chan struct{} // closed and replaced when used sinks
}

func newSlots(n int) *slots { return &slots{max: n, changed: make(chan struct{})} }

// acquire waits for a free slot.
func (s *slots) acquire(ctx context.Context, closed <-chan struct{}) error {
	for {
		s.mu.Lock()
		if s.used < s.max {
			s.used++
			s.mu.Unlock()
			return nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			return errors.New("closed")
		}
	}
}

// release gives a slot back. It reports whether no other is in use, and returns what is closed when the next one is
// given back.
func (s *slots) release() (alone bool, next <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	close(s.changed)
	s.changed = make(chan struct{})
	return s.used == 0, s.changed
}
