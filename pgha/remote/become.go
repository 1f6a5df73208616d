package remote

import (
	"context"
	"errors"
	"io"
)

// BecomeOptions say how to become root. The zero value expects sudo to want no password.
type BecomeOptions struct {
	// User is the account that commands run as without sudo, for messages; "" means "this user".
	User string
	// Password is asked at the first command for the password that sudo wants, if it wants one; once more if the answer is
	// refused. nil means that it must want none. A password that sudo refuses is not tried again, so that the account does
	// not get locked.
	Password func(ctx context.Context) (string, error)
}

// Become decorates an Executor that does not work as root, so that every command and file operation runs through sudo.
// Executors made by DialSSH do so by themselves. A password travels on standard input, never in arguments.
//
// When root cannot be had, errors match ErrSudo and their Hint tells the remedy: sudo missing, a password wanted or
// refused, a terminal wanted, no right to it. Commands run in the locale C.UTF-8.
func Become(e Executor, opts BecomeOptions) Executor {
	if opts.User == "" {
		opts.User = "this user"
	}
	return &becomer{e, &sudo{host: e.String(), user: opts.User, password: opts.Password}}
}

type becomer struct {
	Executor
	sudo *sudo
}

func (b *becomer) Unwrap() Executor { return b.Executor }

func (b *becomer) Run(ctx context.Context, cmd Cmd) (Result, error) {
	return runVia(ctx, b.String(), b.Stream, cmd)
}

func (b *becomer) Stream(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (int, error) {
	return b.sudo.stream(ctx, func(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (int, error) {
		return streamVia(ctx, b.Executor, cmd, stdout, stderr)
	}, cmd, stdout, stderr)
}

func (b *becomer) Put(ctx context.Context, r io.Reader, meta FileMeta) (bool, error) {
	return PutVia(ctx, b.Run, r, meta)
}

func (b *becomer) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	return GetVia(ctx, b.Run, path)
}

// streamVia runs cmd on e, with its output handed on as it comes if e can do that, else at the end.
func streamVia(ctx context.Context, e Executor, cmd Cmd, stdout, stderr io.Writer) (int, error) {
	if s, ok := As[Streamer](e); ok {
		return s.Stream(ctx, cmd, stdout, stderr)
	}
	res, err := e.Run(ctx, cmd)
	var exited *ExitError
	if errors.As(err, &exited) {
		err = nil
	}
	_, outErr := stdout.Write(res.Stdout)
	_, errErr := stderr.Write(res.Stderr)
	return res.ExitCode, errors.Join(err, outErr, errErr)
}
