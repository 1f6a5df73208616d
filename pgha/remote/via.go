package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
)

// StreamFunc has the form of Streamer's method.
type StreamFunc func(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (exitCode int,
	err error)

// RunVia implements Executor.Run for an implementation whose Streamer's method is stream; host
// names it in errors. PutVia and GetVia do the same for the other methods.
func RunVia(ctx context.Context, host string, stream StreamFunc, cmd Cmd) (Result, error) {
	var stdout, stderr bytes.Buffer
	start := time.Now()
	code, err := stream(ctx, cmd, &stdout, &stderr)
	res := Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), ExitCode: code,
		Duration: time.Since(start)}
	if err == nil && code != 0 {
		err = NewExitError(host, cmd, res)
	}
	return res, err
}

// NewExitError makes the error for a command that ran and failed. It is for implementations of
// Executor.
func NewExitError(host string, cmd Cmd, res Result) *ExitError {
	return &ExitError{Host: host, Cmd: cmd.String(), Code: res.ExitCode,
		Stderr: Redact(string(res.Stderr), cmd.Secrets)}
}

// StreamVia runs cmd on e, with its output handed on as it comes if e can do that, else at the end.
func StreamVia(ctx context.Context, e Executor, cmd Cmd, stdout, stderr io.Writer) (int, error) {
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
	return res.ExitCode, errs.Join(err, outErr, errErr)
}
