package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/pgha/toolkit/internal/oneline"
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

// Run runs cmd through sh, like every other Executor does, in a process group of its own that ends
// with ctx.
func (l *Local) Run(ctx context.Context, cmd Cmd) (Result, error) {
	return RunVia(ctx, l.String(), l.Stream, cmd)
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
	c.Stdout, c.Stderr = stdout, stderr
	failed, err := feed(c, stdin)
	if err != nil {
		return -1, OnHost(l.String(), err)
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	err = c.Run()
	if ctx.Err() != nil {
		return -1, OnHost(l.String(), fmt.Errorf("%s: %w", oneline.Shorten(cmd.String(), 160),
			ctx.Err()))
	}
	select {
	case readErr := <-failed:
		return -1, OnHost(l.String(), fmt.Errorf("read standard input: %w", readErr))
	default:
	}
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		if ws, ok := ee.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			return 128 + int(ws.Signal()), nil
		}
		return ee.ExitCode(), nil
	}
	// A process left in the background may hold the output open: the command itself has ended well.
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return -1, OnHost(l.String(), err)
	}
	return 0, nil
}

// feed makes stdin the command's standard input. Unlike exec.Cmd it does not wait for a reader that
// is blocked when the command has ended. What stdin fails with is sent before the command sees its
// input end.
func feed(c *exec.Cmd, stdin io.Reader) (failed <-chan error, err error) {
	if _, file := stdin.(*os.File); stdin == nil || file {
		c.Stdin = stdin
		return nil, nil
	}
	pipe, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	errs := make(chan error, 1)
	go func() {
		defer func() { _ = pipe.Close() }()
		_, err := io.Copy(pipe, stdin)
		// A command may end without reading all of its input.
		if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, os.ErrClosed) {
			errs <- err
		}
	}()
	return errs, nil
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
