package patroni

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
)

// wakeEvery is how often a wait asks Patroni not to sleep out its loop_wait.
const wakeEvery = time.Second

// waker returns a function that wakes the members' Patroni, at most once per wakeEvery.
func (c *operator) waker() func(context.Context) {
	var woken time.Time
	return func(ctx context.Context) {
		if time.Since(woken) >= wakeEvery {
			c.Wake(ctx)
			woken = time.Now()
		}
	}
}

// within runs f within bound. When that has passed, the error matches ErrTimeout, whatever call it
// cut short.
func within(ctx context.Context, bound time.Duration, verb string,
	f func(context.Context) error) error {
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
func (e *lateError) Kind() errs.Kind      { return errs.Timeout }
