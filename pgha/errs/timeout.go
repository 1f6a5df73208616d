package errs

import (
	"context"
	"fmt"
	"time"
)

// TimeoutError is a condition that did not come true in time. It matches [ErrTimeout],
// context.DeadlineExceeded, and whatever Last matches; its kind is [Timeout] all the same.
type TimeoutError struct {
	// What was waited for, as in "waiting for the leader".
	What string
	// After is how long.
	After time.Duration
	// Last is the error of the last look, or says what it found missing; nil when no look ended.
	Last error
}

// Error says it in one line.
func (e *TimeoutError) Error() string {
	last := "nothing"
	if e.Last != nil {
		last = e.Last.Error()
	}
	after := e.After.Round(time.Second)
	return fmt.Sprintf("timed out after %s waiting for %s; last seen: %s", after, e.What, last)
}

// Is reports whether target is [ErrTimeout] or context.DeadlineExceeded.
func (e *TimeoutError) Is(target error) bool {
	return target == ErrTimeout || target == context.DeadlineExceeded
}

// Unwrap returns Last.
func (e *TimeoutError) Unwrap() error { return e.Last }

// Kind returns [Timeout].
func (e *TimeoutError) Kind() Kind { return Timeout }
