package ssh

import (
	"context"
	"errors"
	"sync"
	"time"
)

// slots counts the sessions of one connection, and those that are about to be opened.
type slots struct {
	mu     sync.Mutex
	max    int
	used   int
	opened int           // of them, those that the server has let in
	crowd  uint64        // how many were taken while another was
	freed  chan struct{} // closed and replaced when used sinks
	ended  chan struct{} // closed and replaced when opened sinks
}

func newSlots(n int) *slots {
	return &slots{max: n, freed: make(chan struct{}), ended: make(chan struct{})}
}

// errTaken: every session there may be is in use, and has been for a while.
var errTaken = errors.New("the connection's sessions are all taken")

// acquire waits for a free slot no longer than patience says for that many: who has them may keep
// them for long. What it returns is for giveUp.
func (s *slots) acquire(ctx context.Context, closed <-chan struct{},
	patience func(sessions int) time.Duration) (crowd uint64, err error) {
	var enough <-chan time.Time
	for {
		s.mu.Lock()
		if s.used < s.max {
			crowd = s.crowd
			if s.used++; s.used > 1 {
				s.crowd++
			}
			s.mu.Unlock()
			return crowd, nil
		}
		freed := s.freed
		if enough == nil {
			enough = time.After(patience(s.max))
		}
		s.mu.Unlock()
		select {
		case <-freed:
		case <-enough:
			return 0, errTaken
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-closed:
			return 0, errors.New("closed")
		}
	}
}

// open notes that the server has let a session in.
func (s *slots) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
}

// end gives the slot of a session back.
func (s *slots) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened--
	close(s.ended)
	s.ended = make(chan struct{})
	s.free()
}

// giveUp gives the slot back of what has not become a session. It returns how many sessions there
// are, whether there was none, nor an attempt at one, since the slot was acquired, and what is
// closed when the next one ends.
func (s *slots) giveUp(crowd uint64) (sessions int, alone bool, ended <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free()
	return s.opened, s.used == 0 && s.crowd == crowd, s.ended
}

func (s *slots) free() {
	s.used--
	close(s.freed)
	s.freed = make(chan struct{})
}

// narrow notes that the server allows one session only.
func (s *slots) narrow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max = 1
}

// narrowed tells whether there is one session only.
func (s *slots) narrowed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.max == 1
}
