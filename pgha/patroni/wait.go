package patroni

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollEvery is the pause between two looks at a condition.
const pollEvery = 150 * time.Millisecond

// TimeoutError says what was waited for in vain. It matches ErrTimeout.
type TimeoutError struct {
	// What was waited for, and for how long.
	What  string
	After time.Duration
	// Seen is what the last look found.
	Seen string
	// Look is where the operator finds out why.
	Look string
}

// Error says it in one line.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("timed out after %s waiting for %s; last seen: %s", e.After.Round(time.Second), e.What, e.Seen)
}

// Hint names the log to read.
func (e *TimeoutError) Hint() string { return e.Look }

// Is makes the error match ErrTimeout.
func (e *TimeoutError) Is(target error) bool { return target == ErrTimeout }

// poll looks again and again until look says it is done, fails, or bound has passed. look says what it saw.
func poll(ctx context.Context, bound time.Duration, what string, look func(context.Context) (done bool, seen string, err error)) error {
	start := time.Now()
	inner, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	last := "nothing"
	for {
		done, seen, err := look(inner)
		switch {
		case err != nil && inner.Err() == nil:
			return err
		case err == nil && done:
			return nil
		case seen != "" && inner.Err() == nil:
			last = seen
		}
		select {
		case <-inner.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return fmt.Errorf("wait for %s: %w", what, ctx.Err())
			}
			return &TimeoutError{What: what, After: time.Since(start), Seen: last}
		case <-time.After(pollEvery):
		}
	}
}

// within runs f within bound. When that has passed, the error matches ErrTimeout, whatever call it cut short.
func within(ctx context.Context, bound time.Duration, verb string, f func(context.Context) error) error {
	inner, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	err := f(inner)
	if err != nil && inner.Err() != nil && ctx.Err() == nil && !errors.Is(err, ErrTimeout) {
		err = &lateError{bound, err}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	return nil
}

// lateError is what a time limit cut short. It matches ErrTimeout.
type lateError struct {
	after time.Duration
	err   error
}

func (e *lateError) Error() string {
	return fmt.Sprintf("timed out after %s: %v", e.after.Round(time.Second), e.err)
}
func (e *lateError) Is(target error) bool { return target == ErrTimeout }
func (e *lateError) Unwrap() error        { return e.err }
