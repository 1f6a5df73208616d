package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Local is the Executor for the machine the program itself runs on. The zero value is ready to use.
type Local struct {
	// Name is what String returns; "" means "localhost".
	Name string
}

var (
	_ Executor = (*Local)(nil)
	_ Dialer   = (*Local)(nil)
	_ Streamer = (*Local)(nil)
)

// Run runs cmd through sh, like every other Executor does, in a process group of its own that ends with ctx.
func (l *Local) Run(ctx context.Context, cmd Cmd) (Result, error) {
	var stdout, stderr bytes.Buffer
	start := time.Now()
	code, err := l.Stream(ctx, cmd, &stdout, &stderr)
	res := Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), ExitCode: code, Duration: time.Since(start)}
	if err == nil && code != 0 {
		err = NewExitError(l.String(), cmd, res)
	}
	return res, err
}

// Stream implements Streamer.
func (l *Local) Stream(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (int, error) {
	line, stdin, err := CommandLine(cmd)
	if err != nil {
		return -1, OnHost(l.String(), err)
	}
	if cmd.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmd.Timeout)
		defer cancel()
	}
	c := exec.CommandContext(ctx, "sh", "-c", line)
	c.Stdin, c.Stdout, c.Stderr = stdin, stdout, stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	err = c.Run()
	if ctx.Err() != nil {
		return -1, OnHost(l.String(), ctx.Err())
	}
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		if ws, ok := ee.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			return 128 + int(ws.Signal()), nil
		}
		return ee.ExitCode(), nil
	}
	if err != nil {
		return -1, OnHost(l.String(), err)
	}
	return 0, nil
}

// NewExitError makes the error for a command that ran and failed. It is for implementations of Executor.
func NewExitError(host string, cmd Cmd, res Result) *ExitError {
	return &ExitError{Host: host, Cmd: cmd.String(), Code: res.ExitCode, Stderr: Redact(string(res.Stderr), cmd.Secrets)}
}

// Put implements Executor.
func (l *Local) Put(ctx context.Context, r io.Reader, meta FileMeta) (bool, error) {
	return PutVia(ctx, l.Run, r, meta)
}

// Get implements Executor.
func (l *Local) Get(_ context.Context, path string) (io.ReadCloser, error) { return os.Open(path) }

// DialContext implements Dialer with the machine's own network.
func (l *Local) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// Close does nothing.
func (l *Local) Close() error { return nil }

// String returns the name.
func (l *Local) String() string {
	if l.Name == "" {
		return "localhost"
	}
	return l.Name
}
