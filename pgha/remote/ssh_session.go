package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// killGrace is how long a killed command may take to end before its session is abandoned.
const killGrace = time.Second

// Stream implements Streamer. The output of a command whose ctx ended is cut at that moment.
func (s *SSH) Stream(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (int, error) {
	if s.sudo != nil {
		return s.sudo.stream(ctx, s.session, cmd, stdout, stderr)
	}
	return s.session(ctx, cmd, stdout, stderr)
}

// session runs cmd as the account logged in, in a session of its own.
func (s *SSH) session(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (int, error) {
	line, stdin, err := CommandLine(cmd)
	if err != nil {
		return -1, OnHost(s.name, err)
	}
	if cmd.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmd.Timeout)
		defer cancel()
	}
	out, errOut := &output{w: stdout, mark: s.mark}, &output{w: stderr}
	defer out.cut()
	defer errOut.cut()
	sess, err := s.open(ctx, func(sess *ssh.Session) error {
		sess.Stdin, sess.Stdout, sess.Stderr = stdin, out, errOut
		return sess.Start("echo " + s.mark + "; " + line)
	})
	if err != nil {
		return -1, err
	}
	ended := make(chan error, 1)
	go func() {
		ended <- sess.Wait()
		_ = sess.Close()
		s.slots.release()
	}()
	select {
	case err := <-ended:
		return s.exit(out, err)
	case <-ctx.Done():
		s.kill(sess, ended)
		return -1, OnHost(s.name, fmt.Errorf("%s: %w", shorten(cmd.String(), 160), ctx.Err()))
	case <-s.closed:
		return -1, s.lost(nil)
	}
}

// kill ends a command. It returns when the command is gone, or after killGrace.
func (s *SSH) kill(sess *ssh.Session, ended <-chan error) {
	go func() { _ = sess.Signal(ssh.SIGKILL) }() // writes, so it can block on a dead link
	select {
	case <-ended:
	case <-time.After(killGrace):
		go func() { _ = sess.Close() }()
	case <-s.closed:
	}
}

// exit turns what Wait returned into an exit code.
func (s *SSH) exit(out *output, err error) (int, error) {
	var exited *ssh.ExitError
	var missing *ssh.ExitMissingError
	switch {
	case err == nil && !out.started():
		return -1, OnHost(s.name, fmt.Errorf("the account's login shell ran no command: %s", out.noise()))
	case err == nil:
		return 0, nil
	case errors.As(err, &exited) && !out.started():
		return -1, OnHost(s.name, WithHint(fmt.Errorf("the account's login shell ran no command, exit status %d: %s", exited.ExitStatus(), out.noise()),
			"the account needs a POSIX shell (see `getent passwd` on the host) and a key without a forced command"))
	case errors.As(err, &exited):
		return exited.ExitStatus(), nil
	case errors.As(err, &missing):
		// A session that ends without a status is nearly always the connection ending: give that a moment to show.
		select {
		case <-s.closed:
			return -1, s.lost(err)
		case <-time.After(killGrace):
			return -1, OnHost(s.name, fmt.Errorf("%w: the session ended without an exit status", ErrDisconnected))
		}
	}
	return -1, s.lost(err)
}

// open takes a slot, opens a session and starts what start starts. None of these steps outlives ctx from the caller's
// point of view; a server that does not answer in DefaultSSHTimeout after that costs the connection.
func (s *SSH) open(ctx context.Context, start func(*ssh.Session) error) (*ssh.Session, error) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if err := s.slots.acquire(ctx, s.closed); err != nil {
			return nil, s.lost(err)
		}
		sess, err := s.try(ctx, start)
		if err == nil {
			return sess, nil
		}
		var refused *ssh.OpenChannelError
		alone := s.slots.releaseRefused(errors.As(err, &refused))
		if refused == nil {
			return nil, s.lost(err)
		}
		if alone && wait >= time.Second {
			return nil, OnHost(s.name, WithHint(fmt.Errorf("sshd refuses every session: %w", err),
				"raise MaxSessions in /etc/ssh/sshd_config on "+s.name+" (its default is 10)"))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, OnHost(s.name, ctx.Err())
		}
	}
}

// try opens and starts one session in the background, because neither call knows a context.
func (s *SSH) try(ctx context.Context, start func(*ssh.Session) error) (*ssh.Session, error) {
	type opened struct {
		sess *ssh.Session
		err  error
	}
	result := make(chan opened, 1)
	go func() {
		sess, err := s.client.NewSession()
		if err == nil {
			if err = start(sess); err != nil {
				_ = sess.Close()
			}
		}
		result <- opened{sess, err}
	}()
	select {
	case r := <-result:
		return r.sess, r.err
	case <-s.closed:
		return nil, s.cause
	case <-ctx.Done():
		go func() {
			select {
			case r := <-result:
				if r.err == nil {
					_ = r.sess.Signal(ssh.SIGKILL)
					_ = r.sess.Close()
				}
			case <-s.closed:
			case <-time.After(DefaultSSHTimeout):
				s.shut(errors.New("sshd does not open sessions any more"))
			}
		}()
		return nil, ctx.Err()
	}
}

// output passes on what a command prints, from the mark on if there is one, until it is cut.
type output struct {
	mu      sync.Mutex
	w       io.Writer
	mark    string // "" once it was seen
	before  []byte // what came before it
	stopped bool
}

// maxNoise is how much a login shell may print before the command's own output.
const maxNoise = 1 << 20

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped {
		return len(p), nil
	}
	if o.mark == "" {
		return o.w.Write(p)
	}
	o.before = append(o.before, p...)
	noise, rest, found := bytes.Cut(o.before, []byte(o.mark+"\n"))
	switch {
	case found:
		o.before, o.mark = noise, ""
		if len(rest) > 0 {
			if _, err := o.w.Write(rest); err != nil {
				return 0, err
			}
		}
	case len(o.before) > maxNoise:
		return 0, errors.New("the login shell prints without end")
	}
	return len(p), nil
}

// cut makes sure that nothing is written to w any more.
func (o *output) cut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopped = true
}

func (o *output) started() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mark == ""
}

func (o *output) noise() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return lastLines(string(o.before), 3)
}
