package remotetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// callBound is the longest that one call of an Executor may take in the suite. None takes more than
// a second or two on an idle machine.
const callBound = 2 * time.Minute

// errHangs is what a call ends with that does not return.
var errHangs = errors.New("the call does not return")

// bounded fails the test where a call of the Executor underneath does not return in time, so that
// the suite ends. The call itself is left behind.
type bounded struct {
	remote.Executor
	t     *testing.T
	bound time.Duration
	// hung is set once a call did not return: those behind it fail at once.
	hung *atomic.Bool
	over *over
}

// over says whether the test has ended. A call that is still left behind then must not fail it.
type over struct {
	mu    sync.Mutex
	ended bool
}

func newBounded(e remote.Executor, t *testing.T, bound time.Duration) bounded {
	b := bounded{e, t, bound, new(atomic.Bool), new(over)}
	t.Cleanup(func() {
		b.over.mu.Lock()
		defer b.over.mu.Unlock()
		b.over.ended = true
	})
	return b
}

// hangs fails the test because of a call that did not return.
func (b bounded) hangs(what string) {
	b.over.mu.Lock()
	defer b.over.mu.Unlock()
	b.hung.Store(true)
	if !b.over.ended {
		b.t.Errorf("%s did not return within %s", what, b.bound)
	}
}

func (b bounded) Unwrap() remote.Executor { return b.Executor }

// result is what a call returns.
type result[R any] struct {
	value R
	err   error
}

// within runs a call, and gives up waiting for it after the bound.
func within[R any](b bounded, what string, call func() (R, error)) (R, error) {
	var none R
	if b.hung.Load() {
		return none, fmt.Errorf("%s: %w", what, errHangs)
	}
	done := make(chan result[R], 1)
	go func() {
		value, err := call()
		done <- result[R]{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-time.After(b.bound):
		b.hangs(what)
		return none, fmt.Errorf("%s: %w", what, errHangs)
	}
}

func (b bounded) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	return within(b, "Run", func() (remote.Result, error) { return b.Executor.Run(ctx, cmd) })
}

func (b bounded) Put(ctx context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	return within(b, "Put", func() (bool, error) { return b.Executor.Put(ctx, r, meta) })
}

func (b bounded) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	r, err := within(b, "Get", func() (io.ReadCloser, error) { return b.Executor.Get(ctx, path) })
	if err != nil {
		return nil, err
	}
	return boundedReader{r, b}, nil
}

func (b bounded) Close() error {
	_, err := within(b, "Close", func() (struct{}, error) { return struct{}{}, b.Executor.Close() })
	return err
}

func (b bounded) String() string {
	name, _ := within(b, "String", func() (string, error) { return b.Executor.String(), nil })
	return name
}

// boundedReader does so for what Get returned.
type boundedReader struct {
	io.ReadCloser
	bounded bounded
}

func (r boundedReader) Read(p []byte) (int, error) {
	own := make([]byte, len(p)) // a Read that is left behind must not write into the caller's
	n, err := within(r.bounded, "Read", func() (int, error) { return r.ReadCloser.Read(own) })
	copy(p, own[:n])
	return n, err
}

func (r boundedReader) Close() error {
	_, err := within(r.bounded, "Close of what Get returned",
		func() (struct{}, error) { return struct{}{}, r.ReadCloser.Close() })
	return err
}
