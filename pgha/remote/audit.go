package remote

import (
	"context"
	"io"
	"time"
)

// Audit decorates an Executor so that record receives everything that was done, when it is done:
// the command with its secrets blotted out and without its standard input, the result likewise, and
// the error. A Put is recorded as the mutating command "put PATH" with "changed" or "unchanged" as
// its output, a Get as "get PATH" without output; the output of a streamed command is not kept.
// record must be safe for concurrent use.
func Audit(e Executor, record func(Cmd, Result, error)) Executor { return &auditor{e, record} }

type auditor struct {
	Executor
	record func(Cmd, Result, error)
}

func (a *auditor) Unwrap() Executor { return a.Executor }

func (a *auditor) tell(cmd Cmd, res Result, err error) {
	res.Stdout = []byte(Redact(string(res.Stdout), cmd.Secrets))
	res.Stderr = []byte(Redact(string(res.Stderr), cmd.Secrets))
	a.record(cmd.Redacted(), res, err)
}

func (a *auditor) Run(ctx context.Context, cmd Cmd) (Result, error) {
	res, err := a.Executor.Run(ctx, cmd)
	a.tell(cmd, res, err)
	return res, err
}

func (a *auditor) Stream(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (int, error) {
	start := time.Now()
	code, err := StreamVia(ctx, a.Executor, cmd, stdout, stderr)
	a.tell(cmd, Result{ExitCode: code, Duration: time.Since(start)}, err)
	return code, err
}

func (a *auditor) Put(ctx context.Context, r io.Reader, meta FileMeta) (bool, error) {
	start := time.Now()
	changed, err := a.Executor.Put(ctx, r, meta)
	word := "unchanged"
	if changed {
		word = "changed"
	}
	a.tell(putAsCmd(meta), Result{Stdout: []byte(word), Duration: time.Since(start)}, err)
	return changed, err
}

func (a *auditor) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	start := time.Now()
	r, err := a.Executor.Get(ctx, path)
	a.tell(getAsCmd(path), Result{Duration: time.Since(start)}, err)
	return r, err
}
