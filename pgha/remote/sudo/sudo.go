package sudo

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pgha/toolkit/internal/oneline"
	"github.com/pgha/toolkit/pgha/remote"
)

// skipToMark runs its arguments after reading standard input up to a line that is its name. sudo
// reads the password off standard input only when it wants one; what it leaves is thrown away here
// and never reaches the command.
const skipToMark = `while IFS= read -r line; do [ "$line" = "$0" ] && exec "$@"; done; exit 125`

// Root turns commands of one account into commands run as root. It is what Become and package ssh
// share. Safe for concurrent use.
type Root struct {
	host, user string
	password   func(context.Context) (string, error)

	// checked tells that free and secret are known to work; neither changes any more.
	checked atomic.Bool

	mu      sync.Mutex
	free    bool // sudo wants no password
	secret  string
	refused error // a wrong password is not tried twice: accounts get locked for that
}

// NewRoot makes a Root for the account of a host. Nothing is asked before the first command.
func NewRoot(host string, opts Options) *Root {
	return &Root{host: host, user: cmp.Or(opts.User, "this user"), password: opts.Password}
}

// Stream runs cmd as root by way of run.
func (s *Root) Stream(ctx context.Context, run remote.StreamFunc, cmd remote.Cmd, stdout,
	stderr io.Writer) (int,
	error) {
	if s.password != nil {
		if err := s.check(ctx, run); err != nil {
			return -1, err
		}
	}
	wrapped, err := s.wrap(cmd)
	if err != nil {
		return -1, remote.OnHost(s.host, err)
	}
	said := &head{w: stderr}
	code, err := run(ctx, wrapped, stdout, said)
	if err != nil {
		return code, err
	}
	if refusal := s.explain(code, said.String()); refusal != nil {
		return -1, refusal
	}
	return code, nil
}

// wrap puts sudo in front of the command. Its messages are to be in English, so that they can be
// told apart.
func (s *Root) wrap(cmd remote.Cmd) (remote.Cmd, error) {
	argv, stdin, err := cmd.Flatten()
	if err != nil {
		return remote.Cmd{}, err
	}
	prefix := []string{"env", "LC_ALL=C.UTF-8", "sudo", "-n", "--"}
	if s.password != nil && !s.free {
		mark := "pgha-" + rand.Text()
		prefix = []string{"env", "LC_ALL=C.UTF-8", "sudo", "-S", "-p", "", "--", "sh", "-c",
			skipToMark, mark}
		if stdin == nil {
			stdin = strings.NewReader("")
		}
		stdin = io.MultiReader(strings.NewReader(s.secret+"\n"+mark+"\n"), stdin)
	}
	return remote.Cmd{Argv: append(prefix, argv...), Stdin: stdin, Timeout: cmd.Timeout,
		Mutating: cmd.Mutating,
		Secrets:  append([]string{s.secret}, cmd.Secrets...)}, nil
}

// Ready reports whether commands run as root without a question to anybody.
func (s *Root) Ready() bool { return s.password == nil || s.checked.Load() }

// check finds out whether sudo wants a password, asks for it if so, and tries it alone, before any
// command's input could be taken for another attempt. One that is refused is asked for once more;
// the same answer isn't tried twice.
func (s *Root) check(ctx context.Context, run remote.StreamFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.checked.Load() || s.refused != nil {
		return s.refused
	}
	// -k: a password that somebody gave some minutes ago doesn't count, as it is forgotten in the
	// middle of the work.
	refusal, wanted, err := s.try(ctx, run, nil)
	switch {
	case err != nil:
		return err
	case refusal == nil:
		s.free = true
		s.checked.Store(true)
		return nil
	case !wanted:
		s.refused = refusal
		return refusal
	}
	for attempt, last := 0, ""; attempt < 2; attempt++ {
		secret, err := s.password(ctx)
		if err != nil {
			return remote.OnHost(s.host, remote.WithHint(fmt.Errorf("sudo password: %w", err),
				s.freeHint()))
		}
		if strings.ContainsAny(secret, "\n\x00") {
			return remote.OnHost(s.host, fmt.Errorf("%w: the sudo password holds a line break",
				remote.ErrSudo))
		}
		if attempt > 0 && secret == last {
			break
		}
		last = secret
		if refusal, _, err = s.try(ctx, run, &secret); err != nil {
			return err
		}
		if refusal == nil {
			s.secret = secret
			s.checked.Store(true)
			return nil
		}
	}
	s.refused = refusal
	return refusal
}

// try runs a command that does nothing, with a password or none. A refusal is sudo's, and wanted
// tells that a password is missing; err is the connection's.
func (s *Root) try(ctx context.Context, run remote.StreamFunc,
	secret *string) (refusal error, wanted bool, err error) {
	cmd := remote.Cmd{Argv: []string{"env", "LC_ALL=C.UTF-8", "sudo", "-k", "-n", "--", "true"}}
	if secret != nil {
		cmd.Argv = []string{"env", "LC_ALL=C.UTF-8", "sudo", "-S", "-p", "", "--", "true"}
		cmd.Stdin, cmd.Secrets = strings.NewReader(*secret+"\n"), []string{*secret}
	}
	var stderr bytes.Buffer
	code, err := run(ctx, cmd, io.Discard, &stderr)
	if err != nil || code == 0 {
		return nil, false, err
	}
	if refusal = s.explain(code, stderr.String()); refusal == nil {
		refusal = remote.OnHost(s.host, fmt.Errorf("%w: sudo true: exit status %d: %s",
			remote.ErrSudo,
			code, remote.Redact(oneline.Tail(stderr.String(), 3), cmd.Secrets)))
	}
	return refusal, wantsPassword(stderr.String()), nil
}

// wantsPassword recognises that only a password is missing.
func wantsPassword(stderr string) bool {
	for _, part := range []string{"sudo: a password is required",
		"sudo: interactive authentication is required",
		"sudo: a terminal is required"} {
		if strings.Contains(stderr, part) {
			return true
		}
	}
	return false
}

// freeHint is how to do without a password.
func (s *Root) freeHint() string {
	return "allow sudo without a password: `" + s.user +
		" ALL=(ALL) NOPASSWD: ALL` in /etc/sudoers.d/ on " +
		s.host + ", or run this in a terminal"
}

// explain recognises sudo's own refusals by exit status and message; nil means the command itself
// has run.
func (s *Root) explain(code int, stderr string) error {
	says := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(stderr, p) {
				return true
			}
		}
		return false
	}
	var what, hint string
	switch {
	case code == 127 && says("sudo: not found", "sudo: command not found", "'sudo': No such file",
		"‘sudo’: No such file"):
		what, hint = "sudo is not installed", "log in as root, or install sudo on "+s.host
	case code != 1:
		return nil
	case says("sudo: sorry, you must have a tty", "sudo: no tty present"):
		what, hint = "sudo wants a terminal", "remove `requiretty` for "+s.user+
			" in /etc/sudoers on "+s.host
	case says("incorrect password attempt", "Sorry, try again", "sudo: Authentication failed"):
		what, hint = "sudo refuses the password of "+s.user, "check the sudo password"
	case wantsPassword(stderr):
		what = "sudo wants a password of " + s.user
		hint = "give the sudo password, or allow it without one: `" + s.user +
			" ALL=(ALL) NOPASSWD: ALL` in /etc/sudoers.d/ on " + s.host
	case says("is not in the sudoers file", "is not allowed to execute", "may not run sudo"):
		what, hint = "sudo does not let "+s.user+" become root",
			"give "+s.user+" the right to run every command as root in /etc/sudoers.d/ on "+s.host
	default:
		return nil
	}
	return remote.OnHost(s.host, remote.WithHint(fmt.Errorf("%w: %s", remote.ErrSudo, what), hint))
}

// head passes everything on and keeps the beginning.
type head struct {
	w    io.Writer
	kept []byte
}

func (h *head) Write(p []byte) (int, error) {
	const enough = 4096
	h.kept = append(h.kept, p[:min(len(p), enough-len(h.kept))]...)
	return h.w.Write(p)
}

func (h *head) String() string { return string(h.kept) }
