package remote

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/pgha/toolkit/internal/oneline"
	"github.com/pgha/toolkit/pgha/errs"
)

// ErrVetoed is a command or a file that a Gate has not let through. Nothing was done.
var ErrVetoed = errs.New(errs.Refused, "not allowed")

// Gate decorates an Executor with a veto: allow sees every command before it is run, secrets
// blotted out and standard input left off, and the command is run only if it returns nil. A Put is
// shown as the mutating command "put PATH", a Get as "get PATH". What allow returns is wrapped in
// an error that matches ErrVetoed. allow must be safe for concurrent use.
func Gate(e Executor, allow func(Cmd) error) Executor { return &gate{e, allow} }

// ReadOnly is a veto for Gate that lets nothing through that is marked as changing the host.
func ReadOnly(cmd Cmd) error {
	if cmd.Mutating {
		return errors.New("read-only mode")
	}
	return nil
}

type gate struct {
	Executor
	allow func(Cmd) error
}

func (g *gate) Unwrap() Executor { return g.Executor }

func (g *gate) pass(cmd Cmd) error {
	shown := cmd.Redacted()
	if err := g.allow(shown); err != nil {
		return OnHost(g.Executor.String(),
			fmt.Errorf("%w: %s: %w", ErrVetoed, oneline.Shorten(shown.String(), 160), err))
	}
	return nil
}

func (g *gate) Run(ctx context.Context, cmd Cmd) (Result, error) {
	if err := g.pass(cmd); err != nil {
		return Result{ExitCode: -1}, err
	}
	return g.Executor.Run(ctx, cmd)
}

func (g *gate) Stream(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (int, error) {
	if err := g.pass(cmd); err != nil {
		return -1, err
	}
	return StreamVia(ctx, g.Executor, cmd, stdout, stderr)
}

func (g *gate) Put(ctx context.Context, r io.Reader, meta FileMeta) (bool, error) {
	if err := g.pass(putAsCmd(meta)); err != nil {
		return false, err
	}
	return g.Executor.Put(ctx, r, meta)
}

func (g *gate) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	if err := g.pass(getAsCmd(path)); err != nil {
		return nil, err
	}
	return g.Executor.Get(ctx, path)
}

// putAsCmd and getAsCmd are what decorators show in place of a file operation.
func putAsCmd(meta FileMeta) Cmd { return Cmd{Argv: []string{"put", meta.Path}, Mutating: true} }
func getAsCmd(path string) Cmd   { return Cmd{Argv: []string{"get", path}} }
