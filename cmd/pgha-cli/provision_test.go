package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// provision makes the state directory of a specification as an apply does that gets as far as its
// first change.
func provision(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: provision FILE")
	}
	ts.Check(makeState(context.Background(), ts.MkAbs(args[0])))
}

// makeState makes the state directory of a specification's file.
func makeState(ctx context.Context, file string) error {
	sp, err := spec.Load(file)
	if err != nil {
		return err
	}
	cl, err := pgha.Connect(ctx, sp, pgha.ConnectOptions{
		Executor: func(context.Context, spec.Host) (remote.Executor, error) {
			return yielding{}, nil
		},
	})
	if err != nil {
		return err
	}
	_, err = cl.Apply(ctx, pgha.ApplyOptions{Phases: []pgha.Phase{
		{Name: "nothing", Run: func(context.Context, *pgha.Run) error { return nil }},
	}})
	return errors.Join(err, cl.Close())
}

// yielding is a host that does whatever it is told to and answers nothing.
type yielding struct{}

func (yielding) Run(context.Context, remote.Cmd) (remote.Result, error) {
	return remote.Result{}, nil
}
func (yielding) Put(context.Context, io.Reader, remote.FileMeta) (bool, error) {
	return true, nil
}
func (yielding) Get(context.Context, string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }
func (yielding) Close() error                                       { return nil }
func (yielding) String() string                                     { return "a host that yields" }

// Stream is the host's end of a lock that is free.
func (yielding) Stream(_ context.Context, cmd remote.Cmd, stdout, _ io.Writer) (int, error) {
	lines := bufio.NewScanner(cmd.Stdin)
	for answer := "locked"; lines.Scan(); answer = "held" {
		fmt.Fprintln(stdout, answer)
	}
	return 0, lines.Err()
}

func TestYieldingHostHoldsALock(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if code, err := (yielding{}).Stream(t.Context(), remote.Cmd{
		Stdin: bytes.NewBufferString("me\n\n"),
	}, &out, nil); code != 0 || err != nil || out.String() != "locked\nheld\n" {
		t.Errorf("%d, %v, %q", code, err, out.String())
	}
}
