package sudo

import (
	"context"
	"io"

	"github.com/pgha/toolkit/pgha/remote"
)

// Options say how to become root. The zero value expects sudo to want no password.
type Options struct {
	// User is the account that commands run as without sudo, for messages; "" means "this user".
	User string
	// Password is asked at the first command for the password that sudo wants, if it wants one;
	// once more if the answer is refused. nil means that it must want none. A password that sudo
	// refuses is not tried again, so that the account does not get locked.
	Password func(ctx context.Context) (string, error)
}

// Become decorates an Executor that does not work as root, so that every command and file operation
// runs through sudo. Executors made by ssh.Dial do so by themselves. A password travels on standard
// input, never in arguments.
//
// When root cannot be had, errors match remote.ErrSudo and their Hint tells the remedy: sudo
// missing, a password wanted or refused, a terminal wanted, no right to it. Commands run in the
// locale C.UTF-8.
func Become(e remote.Executor, opts Options) remote.Executor {
	return &becomer{e, NewRoot(e.String(), opts)}
}

type becomer struct {
	remote.Executor
	sudo *Root
}

func (b *becomer) Unwrap() remote.Executor { return b.Executor }

func (b *becomer) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	return remote.RunVia(ctx, b.String(), b.Stream, cmd)
}

func (b *becomer) Stream(ctx context.Context, cmd remote.Cmd, stdout,
	stderr io.Writer) (int, error) {
	return b.sudo.Stream(ctx, func(ctx context.Context, cmd remote.Cmd, stdout,
		stderr io.Writer) (int, error) {
		return remote.StreamVia(ctx, b.Executor, cmd, stdout, stderr)
	}, cmd, stdout, stderr)
}

func (b *becomer) Put(ctx context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	return remote.PutVia(ctx, b.Run, r, meta)
}

func (b *becomer) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	return remote.GetVia(ctx, b.Run, path)
}
