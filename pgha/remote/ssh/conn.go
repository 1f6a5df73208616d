package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/sudo"
)

// Conn is the Executor for a host behind sshd: one connection, on which commands run side by side,
// each in a session of its own. Where sshd allows a single session (MaxSessions 1) and that is
// taken for longer, as by a lock, the others run on further connections, four in all at most. Make
// it with Dial. A lost connection stays lost; remote.NewReconnecting makes a new one. Safe for
// concurrent use.
//
// The account's login shell must understand POSIX shell syntax. What it prints by itself (banners,
// messages of the day) is not taken for the command's output. As any account but root, commands run
// through sudo.
type Conn struct {
	name   string
	client *ssh.Client
	conn   net.Conn // beneath client; closing it frees writers that are stuck
	jump   *Conn
	slots  *slots
	second *second
	sudo   *sudo.Root // nil as root
	mark   string

	closeOnce sync.Once
	closed    chan struct{}
	cause     error // why the connection ended; written before closed is closed
}

var (
	_ remote.Executor = (*Conn)(nil)
	_ remote.Dialer   = (*Conn)(nil)
	_ remote.Streamer = (*Conn)(nil)
)

// Run implements Executor. Cancelling ctx kills the command on the host.
func (s *Conn) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	return remote.RunVia(ctx, s.name, s.Stream, cmd)
}

// Put implements Executor.
func (s *Conn) Put(ctx context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	return remote.PutVia(ctx, s.Run, r, meta)
}

// Get implements Executor. The file is read whole into memory.
func (s *Conn) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	return remote.GetVia(ctx, s.Run, path)
}

// String returns the host's name.
func (s *Conn) String() string { return s.name }

// Close ends the connection and whatever still runs or flows over it. Calling it again does
// nothing.
func (s *Conn) Close() error {
	s.shut(net.ErrClosed)
	return nil
}

// Done is closed when the connection has ended, for whatever reason.
func (s *Conn) Done() <-chan struct{} { return s.closed }

// shut ends the connection; the first cause given is the one that is reported.
func (s *Conn) shut(cause error) {
	s.closeOnce.Do(func() {
		s.cause = cause
		close(s.closed)
		// The connection first: closing the client alone writes to it, which can block on a dead
		// link.
		_ = s.conn.Close()
		_ = s.client.Close()
		if s.jump != nil {
			_ = s.jump.Close()
		}
	})
}

// watch notices the end of the connection, and asks every interval whether the server is still
// there.
func (s *Conn) watch(interval time.Duration) {
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

// failed is lost for an error that may be the first sign of the connection's end: it gives the end
// a moment to show.
func (s *Conn) failed(err error) error {
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		select {
		case <-s.closed:
		case <-time.After(killGrace):
		}
	}
	return s.lost(err)
}

// lost is the error for something that failed because the connection did, or err itself when the
// connection lives.
func (s *Conn) lost(err error) error {
	select {
	case <-s.closed:
	default:
		return remote.OnHost(s.name, err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return remote.OnHost(s.name, err)
	}
	err = fmt.Errorf("%w: %w", remote.ErrDisconnected, s.cause)
	if errors.Is(s.cause, net.ErrClosed) {
		return remote.OnHost(s.name, err)
	}
	return remote.OnHost(s.name,
		remote.WithHint(err,
			"see whether "+s.name+" is up and reachable, then run the same again: what was done "+
				"stays done"))
}
