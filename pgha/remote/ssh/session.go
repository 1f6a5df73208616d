package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/pgha/toolkit/internal/oneline"
	"github.com/pgha/toolkit/pgha/remote"
)

// killGrace is how long a killed command may take to end before its session is abandoned.
const killGrace = time.Second

// lonelyRefusals is how many refusals in a row, of the only session there would be, are taken for
// sshd's last word: with the pauses between them about 1.3 s.
const lonelyRefusals = 6

// Stream implements Streamer. The output of a command whose ctx ended is cut at that moment.
func (s *Conn) Stream(ctx context.Context, cmd remote.Cmd, stdout, stderr io.Writer) (int, error) {
	if s.sudo != nil {
		return s.sudo.Stream(ctx, s.session, cmd, stdout, stderr)
	}
	return s.session(ctx, cmd, stdout, stderr)
}

// session runs cmd as the account logged in, in a session of its own. When that account continues
// with sudo, its own signals do not reach the command, so root has to send them.
func (s *Conn) session(ctx context.Context, cmd remote.Cmd, stdout, stderr io.Writer) (int, error) {
	if s.sudo == nil {
		return s.run(ctx, cmd, stdout, stderr, nil)
	}
	return s.run(ctx, cmd, stdout, stderr, func(ctx context.Context, group string) {
		// what is ended is the look at sudo itself, which the question would wait for
		if !s.sudo.Ready() {
			return
		}
		plain := func(ctx context.Context, cmd remote.Cmd, stdout, stderr io.Writer) (int, error) {
			return s.run(ctx, cmd, stdout, stderr, nil)
		}
		kill := remote.Cmd{Argv: []string{"kill", "-KILL", "--", "-" + group}, Mutating: true}
		_, _ = s.sudo.Stream(ctx, plain, kill, io.Discard, io.Discard)
	})
}

// run runs cmd in a session. When ctx ends it is killed; killAsRoot, if set, gets the process group
// for that.
func (s *Conn) run(ctx context.Context, cmd remote.Cmd, stdout, stderr io.Writer,
	killAsRoot func(ctx context.Context, group string)) (int, error) {
	line, stdin, err := remote.CommandLine(cmd)
	if err != nil {
		return -1, remote.OnHost(s.name, err)
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
		return sess.Start("echo " + s.mark + " $$; " + line)
	})
	if errors.Is(err, errTaken) {
		second, err := s.another(ctx)
		if err != nil {
			return -1, err
		}
		return second.run(ctx, cmd, stdout, stderr, killAsRoot)
	}
	if err != nil {
		return -1, err
	}
	ended := make(chan error, 1)
	go func() {
		ended <- sess.Wait()
		_ = sess.Close()
		s.slots.end()
	}()
	select {
	case err := <-ended:
		return s.exit(out, err)
	case <-ctx.Done():
		out.cut()
		errOut.cut()
		if group := out.processGroup(); killAsRoot != nil && group != "" {
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), killGrace)
			defer cancel()
			killAsRoot(bounded, group)
		}
		s.kill(sess, ended)
		return -1, remote.OnHost(s.name, fmt.Errorf("%s: %w", oneline.Shorten(cmd.String(), 160),
			ctx.Err()))
	case <-s.closed:
		return -1, s.lost(nil)
	}
}

// kill ends a command. It returns when the command is gone, or after killGrace.
func (s *Conn) kill(sess *ssh.Session, ended <-chan error) {
	go func() { _ = sess.Signal(ssh.SIGKILL) }() // writes, so it can block on a dead link
	select {
	case <-ended:
	case <-time.After(killGrace):
		go func() { _ = sess.Close() }()
	case <-s.closed:
	}
}

// exit turns what Wait returned into an exit code.
func (s *Conn) exit(out *output, err error) (int, error) {
	var exited *ssh.ExitError
	var missing *ssh.ExitMissingError
	if errors.Is(err, io.EOF) {
		err = nil // it ended well without reading all of its input
	}
	switch {
	case err == nil && !out.started():
		return -1, remote.OnHost(s.name, fmt.Errorf("the account's login shell ran no command: %s",
			out.noise()))
	case err == nil:
		return 0, nil
	case errors.As(err, &exited) && !out.started():
		return -1, remote.OnHost(s.name,
			remote.WithHint(fmt.Errorf("the account's login shell ran no command, exit status "+
				"%d: %s",
				exited.ExitStatus(), out.noise()),
				"the account needs a POSIX shell (see `getent passwd` on the host) and a key "+
					"without a forced command"))
	case errors.As(err, &exited):
		return exited.ExitStatus(), nil
	case errors.As(err, &missing):
		return -1, s.failed(fmt.Errorf("%w: the session ended without an exit status",
			remote.ErrDisconnected))
	}
	return -1, s.failed(err)
}

// open takes a slot, opens a session and starts what start starts. None of these steps outlives ctx
// from the caller's point of view; a server that does not answer in DefaultTimeout after that costs
// the connection.
//
// It gives up with errTaken when all sessions that the server, or the configuration, allows are
// taken for longer than short commands need.
func (s *Conn) open(ctx context.Context, start func(*ssh.Session) error) (*ssh.Session, error) {
	begun, lonely := time.Now(), 0
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		crowd, err := s.slots.acquire(ctx, s.closed, s.patience)
		if errors.Is(err, errTaken) {
			return nil, err
		}
		if err != nil {
			return nil, s.lost(err)
		}
		sess, err := s.try(ctx, start)
		if err == nil {
			s.slots.open()
			return sess, nil
		}
		var refused *ssh.OpenChannelError
		sessions, alone, ended := s.slots.giveUp(crowd)
		if !errors.As(err, &refused) {
			return nil, s.failed(err)
		}
		if sessions > 0 && time.Since(begun) >= s.patience(sessions) {
			if sessions == 1 {
				s.slots.narrow()
			}
			return nil, errTaken
		}
		if lonely++; !alone {
			lonely = 0
		}
		if lonely > lonelyRefusals {
			return nil, remote.OnHost(s.name,
				remote.WithHint(fmt.Errorf("sshd refuses every session: %w", err),
					"raise MaxSessions in /etc/ssh/sshd_config on "+s.name+" (its default is 10)"))
		}
		// sshd allows fewer sessions than MaxSessions here, or has not yet noticed the end of one.
		select {
		case <-ended:
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, remote.OnHost(s.name, ctx.Err())
		}
	}
}

// try opens and starts one session in the background, because neither call knows a context.
func (s *Conn) try(ctx context.Context, start func(*ssh.Session) error) (*ssh.Session, error) {
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
					_ = r.sess.Wait() // ends the goroutine that feeds standard input
				}
			case <-s.closed:
			case <-time.After(DefaultTimeout):
				s.shut(errors.New("sshd does not open sessions any more"))
			}
		}()
		return nil, ctx.Err()
	}
}
