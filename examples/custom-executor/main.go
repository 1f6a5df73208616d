// Command custom-executor puts a decorator of its own under the toolkit: every command is written
// to standard output before it is run. It plans a change on this machine and makes none.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/pgha/toolkit/pgha/remote"
)

// logger writes down every command that passes through it.
type logger struct {
	remote.Executor
	out io.Writer
}

// Unwrap lets the toolkit find abilities of the Executor underneath, such as opening connections
// from its host.
func (l *logger) Unwrap() remote.Executor { return l.Executor }

// Run logs the command, secrets blotted out, and runs it.
func (l *logger) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	kind := "reads  "
	if cmd.Mutating {
		kind = "changes"
	}
	if _, err := fmt.Fprintf(l.out, "%s %s: %s\n", l, kind, cmd); err != nil {
		return remote.Result{ExitCode: -1}, err
	}
	return l.Executor.Run(ctx, cmd)
}

func main() {
	if err := run(context.Background(), os.Stdout, "/etc/pgha-example"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, dir string) error {
	host := &remote.Target{
		Host:     remote.Host{Name: "localhost"},
		Executor: &logger{remote.Plan(&remote.Local{}), out},
	}
	changes, err := host.Ensure(ctx,
		remote.Dir{FileMeta: remote.FileMeta{Path: dir}},
		remote.File{FileMeta: remote.FileMeta{Path: dir + "/greeting"}, Content: []byte("hello\n")},
	)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if _, err := fmt.Fprintln(out, "would be:", c); err != nil {
			return err
		}
	}
	return nil
}
