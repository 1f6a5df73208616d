package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// SSH is the Executor for a host behind sshd: one connection, on which commands run side by side, each in a session of
// its own. Where sshd allows a single session (MaxSessions 1) and that is taken for longer, as by a lock, the others run
// on further connections, four in all at most. Make it with DialSSH. A lost connection stays lost; NewReconnecting makes a new one. Safe for concurrent use.
//
// The account's login shell must understand POSIX shell syntax. What it prints by itself (banners, messages of the day)
// is not taken for the command's output. As any account but root, commands run through sudo.
type SSH struct {
	name   string
	client *ssh.Client
	conn   net.Conn // beneath client; closing it frees writers that are stuck
	jump   *SSH
	slots  *slots
	second *second
	sudo   *sudo // nil as root
	mark   string

	closeOnce sync.Once
	closed    chan struct{}
	cause     error // why the connection ended; written before closed is closed
}

var (
	_ Executor = (*SSH)(nil)
	_ Dialer   = (*SSH)(nil)
	_ Streamer = (*SSH)(nil)
)

// Run implements Executor. Cancelling ctx kills the command on the host.
func (s *SSH) Run(ctx context.Context, cmd Cmd) (Result, error) {
	return runVia(ctx, s.name, s.Stream, cmd)
}

// runVia implements Executor.Run with a Streamer's method.
func runVia(ctx context.Context, host string, stream streamFunc, cmd Cmd) (Result, error) {
	var stdout, stderr bytes.Buffer
	start := time.Now()
	code, err := stream(ctx, cmd, &stdout, &stderr)
	res := Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), ExitCode: code, Duration: time.Since(start)}
	if err == nil && code != 0 {
		err = NewExitError(host, cmd, res)
	}
	return res, err
}

// Put implements Executor.
func (s *SSH) Put(ctx context.Context, r io.Reader, meta FileMeta) (bool, error) {
	return PutVia(ctx, s.Run, r, meta)
}

// Get implements Executor. The file is read whole into memory.
func (s *SSH) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	return GetVia(ctx, s.Run, path)
}

// String returns the host's name.
func (s *SSH) String() string { return s.name }

// Close ends the connection and whatever still runs or flows over it. Calling it again does nothing.
func (s *SSH) Close() error {
	s.shut(net.ErrClosed)
	return nil
}

// Done is closed when the connection has ended, for whatever reason.
func (s *SSH) Done() <-chan struct{} { return s.closed }

// shut ends the connection; the first cause given is the one that is reported.
func (s *SSH) shut(cause error) {
	s.closeOnce.Do(func() {
		s.cause = cause
		close(s.closed)
		// The connection first: closing the client alone writes to it, which can block on a dead link.
		_ = s.conn.Close()
		_ = s.client.Close()
		if s.jump != nil {
			_ = s.jump.Close()
		}
	})
}

// watch notices the end of the connection, and asks every interval whether the server is still there.
func (s *SSH) watch(interval time.Duration) {
	go func() {
		err := s.client.Wait()
		s.shut(fmt.Errorf("the host closed the connection: %w", err))
	}()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-tick.C:
		}
		answer := make(chan error, 1)
		go func() {
			_, _, err := s.client.SendRequest("keepalive@openssh.com", true, nil)
			answer <- err
		}()
		select {
		case <-answer: // an error is the end of the connection, which Wait reports better
		case <-s.closed:
			return
		case <-time.After(missedKeepAlives * interval):
			s.shut(fmt.Errorf("no answer from sshd for %v", missedKeepAlives*interval))
			return
		}
	}
}

// failed is lost for an error that may be the first sign of the connection's end: it gives the end a moment to show.
func (s *SSH) failed(err error) error {
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		select {
		case <-s.closed:
		case <-time.After(killGrace):
		}
	}
	return s.lost(err)
}

// lost is the error for something that failed because the connection did, or err itself when the connection lives.
func (s *SSH) lost(err error) error {
	select {
	case <-s.closed:
	default:
		return OnHost(s.name, err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return OnHost(s.name, err)
	}
	err = fmt.Errorf("%w: %w", ErrDisconnected, s.cause)
	if errors.Is(s.cause, net.ErrClosed) {
		return OnHost(s.name, err)
	}
	return OnHost(s.name, WithHint(err, "see whether "+s.name+" is up and reachable, then run the same again: what was done stays done"))
}
