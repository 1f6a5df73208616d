package remote

import (
	"context"
	"io"
)

// Limit decorates an Executor so that at most n of its operations run at once; more wait in the
// order of the runtime's choice, within their context. n below 1 counts as 1. Connections opened
// with DialContext are not counted.
func Limit(e Executor, n int) Executor { return &limiter{e, make(chan struct{}, max(n, 1))} }

type limiter struct {
	Executor
	slots chan struct{}
}

func (l *limiter) Unwrap() Executor { return l.Executor }

func (l *limiter) acquire(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return OnHost(l.String(), ctx.Err())
	}
}

func (l *limiter) release() { <-l.slots }

func (l *limiter) Run(ctx context.Context, cmd Cmd) (Result, error) {
	if err := l.acquire(ctx); err != nil {
		return Result{ExitCode: -1}, err
	}
	defer l.release()
	return l.Executor.Run(ctx, cmd)
}

func (l *limiter) Stream(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (int, error) {
	if err := l.acquire(ctx); err != nil {
		return -1, err
	}
	defer l.release()
	return StreamVia(ctx, l.Executor, cmd, stdout, stderr)
}

func (l *limiter) Put(ctx context.Context, r io.Reader, meta FileMeta) (bool, error) {
	if err := l.acquire(ctx); err != nil {
		return false, err
	}
	defer l.release()
	return l.Executor.Put(ctx, r, meta)
}

func (l *limiter) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	if err := l.acquire(ctx); err != nil {
		return nil, err
	}
	defer l.release()
	return l.Executor.Get(ctx, path)
}
