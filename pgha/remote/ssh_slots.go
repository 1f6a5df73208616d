package remote

import (
	"context"
	"errors"
	"sync"
)

// slots counts the sessions of one connection. It learns from refusals how many the server really allows.
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

func (s *slots) release() { s.releaseRefused(false) }

// releaseRefused gives a slot back. If the server refused it, as many as are left in use become the limit, but at least
// one. It reports whether no other slot was in use.
func (s *slots) releaseRefused(refused bool) (alone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	if refused {
		s.max = max(1, min(s.max, s.used))
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return s.used == 0
}
