package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Reasons a caller may want to decide on, found with errors.Is.
var (
	// ErrUnreachable: no SSH connection to the host could be made (refused, no route, silent, time-out).
	ErrUnreachable = errors.New("host unreachable")
	// ErrAuth: the host answered but accepted none of the offered credentials.
	ErrAuth = errors.New("authentication refused")
	// ErrHostKeyUnknown: nothing says which key the host should have. Pin it in the spec or connect once with ssh.
	ErrHostKeyUnknown = errors.New("host key unknown")
	// ErrHostKeyChanged: the host shows another key than the one on record. Always fatal.
	ErrHostKeyChanged = errors.New("host key changed")
	// ErrSudo: root cannot be had on the host (no sudo, a password is wanted and none was given, or a terminal is wanted).
	ErrSudo = errors.New("no root privileges")
	// ErrDisconnected: the connection to the host was there and ended. Whether a command on it was carried out is unknown.
	ErrDisconnected = errors.New("connection lost")
	// ErrNoDialer: the Executor cannot open connections from its host.
	ErrNoDialer = errors.New("executor cannot open connections from the host")
	// ErrForwardingForbidden: sshd opens no connections for the user, or none to this address.
	ErrForwardingForbidden = errors.New("sshd forbids it")
)

// Hinter is implemented by errors that can tell the operator what to do next.
type Hinter interface{ Hint() string }

// Hint returns the first hint found in err's chain, or "".
func Hint(err error) string {
	var h Hinter
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// WithHint attaches what to do next to err. A nil err stays nil.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, hint}
}

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }
func (h *hinted) Hint() string  { return h.hint }

// ExitError is a command that ran and failed.
type ExitError struct {
	Host   string
	Cmd    string // the command line, secrets blotted out
	Code   int    // exit status; 128+n for a signal
	Stderr string // complete, secrets blotted out
}

// Error names host, command and code and ends with the last lines of stderr.
func (e *ExitError) Error() string {
	msg := fmt.Sprintf("%s: %s: exit status %d", e.Host, shorten(e.Cmd, 160), e.Code)
	if tail := lastLines(e.Stderr, 3); tail != "" {
		msg += ": " + tail
	}
	return msg
}

// HostError ties an error to the host it happened on.
type HostError struct {
	Host string
	Err  error
}

func (e *HostError) Error() string { return e.Host + ": " + e.Err.Error() }
func (e *HostError) Unwrap() error { return e.Err }

// OnHost wraps err in a HostError, unless it is nil or names the host already.
func OnHost(host string, err error) error {
	if err == nil {
		return nil
	}
	var he *HostError
	var ee *ExitError
	if (errors.As(err, &he) && he.Host == host) || (errors.As(err, &ee) && ee.Host == host) {
		return err
	}
	return &HostError{host, err}
}

// Canceled reports whether err comes from the caller giving up rather than from the host.
func Canceled(err error) bool { return errors.Is(err, context.Canceled) }

// Redact blots every secret out of s. Secrets shorter than four characters are skipped: blotting them would garble text
// without hiding anything.
func Redact(s string, secrets []string) string {
	for _, sec := range secrets {
		if len(sec) >= 4 {
			s = strings.ReplaceAll(s, sec, "[redacted]")
		}
	}
	return s
}

func shorten(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return shorten(strings.Join(lines, "; "), 400)
}
