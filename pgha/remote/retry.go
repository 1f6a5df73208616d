package remote

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"
)

// RetryOptions say how often a read is repeated. The zero value repeats it twice.
type RetryOptions struct {
	// Attempts is how often a command is tried in all; 0 means 3.
	Attempts int
	// Wait is the pause before the second attempt; it doubles each time. 0 means 200 ms.
	Wait time.Duration
	// Reconnect, when set, is called before each repetition, for transports that do not reconnect
	// by themselves (see NewReconnecting). An error ends the attempts.
	Reconnect func(ctx context.Context) error
}

// Retry decorates an Executor so that commands which change nothing are repeated when the transport
// failed: the errors that Retryable reports. Mutating commands, Put, streams and commands with a
// Stdin are never repeated, nor is a command that ran and failed.
func Retry(e Executor, opts RetryOptions) Executor {
	opts.Attempts = cmp.Or(opts.Attempts, 3)
	opts.Wait = cmp.Or(opts.Wait, 200*time.Millisecond)
	return &retrier{e, opts}
}

// Retryable reports whether err says that the transport failed, so that trying again can help.
func Retryable(err error) bool {
	return errors.Is(err, ErrDisconnected) || errors.Is(err, ErrUnreachable)
}

type retrier struct {
	Executor
	opts RetryOptions
}

func (r *retrier) Unwrap() Executor { return r.Executor }

func (r *retrier) Run(ctx context.Context, cmd Cmd) (res Result, err error) {
	if cmd.Mutating || cmd.Stdin != nil {
		return r.Executor.Run(ctx, cmd)
	}
	err = r.repeat(ctx, func() error {
		res, err = r.Executor.Run(ctx, cmd)
		return err
	})
	return res, err
}

func (r *retrier) Get(ctx context.Context, path string) (content io.ReadCloser, err error) {
	err = r.repeat(ctx, func() error {
		content, err = r.Executor.Get(ctx, path)
		return err
	})
	return content, err
}

func (r *retrier) repeat(ctx context.Context, try func() error) error {
	wait := r.opts.Wait
	for attempt := 1; ; attempt++ {
		err := try()
		if err == nil || !Retryable(err) || attempt >= r.opts.Attempts || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
		wait *= 2
		if r.opts.Reconnect != nil {
			if again := r.opts.Reconnect(ctx); again != nil {
				return errors.Join(err, again)
			}
		}
	}
}
