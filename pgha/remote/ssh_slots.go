package remote

import (
	"context"
	"errors"
	"sync"
	"time"
)

// slots counts the sessions of one connection.
type slots struct {
	mu      sync.Mutex
	max     int
	used    int
	changed chan struct{} // closed and replaced when used sinks
}

func newSlots(n int) *slots { return &slots{max: n, changed: make(chan struct{})} }

// errTaken: the only session there may be is in use, and has been for a while.
var errTaken = errors.New("the connection's only session is taken")

// acquire waits for a free slot, but for the only one there is no longer than patience: who has it may keep it for long.
func (s *slots) acquire(ctx context.Context, closed <-chan struct{}, patience time.Duration) error {
	var enough <-chan time.Time
	for {
		s.mu.Lock()
		if s.used < s.max {
			s.used++
			s.mu.Unlock()
			return nil
		}
		changed := s.changed
		if s.max == 1 && enough == nil {
			enough = time.After(patience)
		}
		s.mu.Unlock()
		select {
		case <-changed:
		case <-enough:
			return errTaken
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			return errors.New("closed")
		}
	}
}

// release gives a slot back. It returns how many others are in use, and what is closed when the next one is given back.
func (s *slots) release() (others int, next <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	close(s.changed)
	s.changed = make(chan struct{})
	return s.used, s.changed
}

// narrow notes that the server allows one session only.
func (s *slots) narrow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max = 1
}
