package remote

import (
	"context"
	"io"
)

// Plan decorates an Executor so that reads go through and nothing is changed: a mutating command
// succeeds without being run, Put reports a change. It is how plan and apply are the same code.
func Plan(e Executor) Executor { return &planner{e} }

type planner struct{ Executor }

func (p *planner) Unwrap() Executor { return p.Executor }

// Planning tells Target.Planning.
func (p *planner) Planning() bool { return true }

func (p *planner) Run(ctx context.Context, cmd Cmd) (Result, error) {
	if cmd.Mutating {
		return Result{}, ctx.Err()
	}
	return p.Executor.Run(ctx, cmd)
}

// Stream implements Streamer, so that As does not find the wrapped one.
func (p *planner) Stream(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (int, error) {
	if cmd.Mutating {
		return 0, ctx.Err()
	}
	return StreamVia(ctx, p.Executor, cmd, stdout, stderr)
}

func (p *planner) Put(ctx context.Context, r io.Reader, meta FileMeta) (bool, error) {
	if _, err := meta.complete(); err != nil {
		return false, err
	}
	return true, ctx.Err()
}
