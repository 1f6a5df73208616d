// Package poll waits for conditions by looking again and again.
package poll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
)

// Options say what is awaited and for how long.
type Options struct {
	// What is awaited, as a noun: "a healthy cluster", "m1 to lead". Errors name it.
	What string
	// Bound is the longest wait. 0 waits until the context ends.
	Bound time.Duration
	// Every is the pause between two looks. 0 means 150 ms.
	Every time.Duration
	// Next tells the operator where to find out why the wait timed out. Zero is none.
	Next errs.Next
	// Progress receives what is missing, after the first look and whenever it changes; never for
	// a look that failed. nil receives nothing.
	Progress func(missing string)
}

// defaultEvery is the pause where Options name none.
const defaultEvery = 150 * time.Millisecond

// Until looks at once and then again after each pause, until look returns "" and no error.
//
// A look that returns a text has found something still missing. One that returns an error could
// not find out, and is repeated too; an error made by Stop ends the wait and is returned as it is.
// Looks run one at a time, with a context that ends with the bound. What a look returns after that
// does not count, because its own questions were cut off.
//
// When the bound has passed, or ctx's deadline, the error is an [errs.TimeoutError]. When ctx is
// canceled the error wraps its cause.
func Until(ctx context.Context, o Options, look func(context.Context) (missing string,
	err error)) error {
	w := waiting{Options: o, start: time.Now()}
	w.Every = cmp.Or(w.Every, defaultEvery)
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if o.Bound > 0 {
		bounded, cancel = context.WithTimeout(ctx, o.Bound)
	}
	defer cancel()
	for {
		missing, err := look(bounded)
		var stop *stopError
		switch {
		case bounded.Err() != nil:
			w.last = cmp.Or(w.last, err) // of a first look that took too long
		case errors.As(err, &stop):
			return stop.err
		case missing == "" && err == nil:
			return nil
		default:
			w.saw(missing, err)
		}
		if Pause(bounded, w.Every) != nil {
			return w.ended(ctx)
		}
	}
}

// Pause waits for d. It returns ctx's cause when ctx ends first.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Stop makes an error of a look that ends the wait: Until returns err itself. nil stays nil.
func Stop(err error) error {
	if err == nil {
		return nil
	}
	return &stopError{err}
}

type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }

// waiting is one call of Until.
type waiting struct {
	Options
	start time.Time
	last  error  // what the last look returned
	told  string // what Progress received last
}

// saw keeps what a look returned.
func (w *waiting) saw(missing string, err error) {
	if w.last = err; err != nil {
		return
	}
	w.last = errors.New(missing)
	if w.Progress != nil && missing != w.told {
		w.Progress(missing)
	}
	w.told = missing
}

// ended is the error of a wait that ended before what is awaited came.
func (w *waiting) ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("wait for %s: %w", w.What, context.Cause(ctx))
	}
	timeout := &errs.TimeoutError{What: w.What, After: time.Since(w.start), Last: w.last}
	return errs.WithNext(timeout, w.Next)
}
