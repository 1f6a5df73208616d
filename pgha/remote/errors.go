package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pgha/toolkit/internal/oneline"
	"github.com/pgha/toolkit/pgha/errs"
)

// Reasons a caller may want to decide on, found with errors.Is.
var (
	// ErrUnreachable: no SSH connection to the host could be made (refused, no route, silent,
	// time-out).
	ErrUnreachable = errs.New(errs.Unavailable, "host unreachable")
	// ErrLeftOut: the present work leaves the host out, so that no connection to it is used.
	ErrLeftOut = errs.New(errs.Unavailable, "the host is left out")
	// ErrSudo: root cannot be had on the host (no sudo, a password is wanted and none was given, or
	// a terminal is wanted).
	ErrSudo = errs.New(errs.Unavailable, "no root privileges")
	// ErrDisconnected: the connection to the host was there and ended. Whether a command on it was
	// carried out is unknown.
	ErrDisconnected = errs.New(errs.Unavailable, "connection lost")
	// ErrNoDialer: the Executor cannot open connections from its host.
	ErrNoDialer = errs.New(errs.Invalid, "executor cannot open connections from the host")
	// ErrForwardingForbidden: sshd opens no connections for the user, or none to this address.
	ErrForwardingForbidden = errs.New(errs.Unavailable, "sshd forbids it")
)

// Hint returns what to do next about err as text: see errs.NextOf.
func Hint(err error) string { return errs.NextOf(err).String() }

// WithHint returns err with a text that says what to do next: see errs.WithNext, which can refer to
// verbs, too.
func WithHint(err error, hint string) error { return errs.WithNext(err, errs.Text("%s", hint)) }

// ExitError is a command that ran and failed.
type ExitError struct {
	Host   string
	Cmd    string // the command line, secrets blotted out
	Code   int    // exit status; 128+n for a signal
	Stderr string // complete, secrets blotted out
}

// Error names host, command and code and ends with the last lines of stderr.
func (e *ExitError) Error() string {
	msg := fmt.Sprintf("%s: %s: exit status %d", e.Host, oneline.Shorten(e.Cmd, 160), e.Code)
	if tail := oneline.Tail(e.Stderr, 3); tail != "" {
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

// Redact blots every secret out of s. Secrets shorter than four characters are skipped: blotting
// them would garble text without hiding anything.
func Redact(s string, secrets []string) string {
	for _, sec := range secrets {
		if len(sec) >= 4 {
			s = strings.ReplaceAll(s, sec, "[redacted]")
		}
	}
	return s
}
