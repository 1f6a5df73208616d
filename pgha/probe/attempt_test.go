package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestSettle(t *testing.T) {
	t.Parallel()
	answer := func(severity, code string) error {
		return &pgconn.PgError{Severity: "FEHLER", SeverityUnlocalized: severity, Code: code}
	}
	dial := func(errno syscall.Errno) error {
		return fmt.Errorf("connect: %w", &net.OpError{Op: "dial",
			Err: os.NewSyscallError("connect", errno)})
	}
	for _, tc := range []struct {
		name    string
		err     error
		sent    bool
		outcome Outcome
		cause   Cause
	}{
		{"committed", nil, true, Acked, ""},
		{"refused", dial(syscall.ECONNREFUSED), false, Failed, CauseRefused},
		{"no route", dial(syscall.EHOSTUNREACH), false, Failed, CauseUnreachable},
		{"dial timed out", dial(syscall.ETIMEDOUT), false, Failed, CauseTimeout},
		{"login timed out", context.DeadlineExceeded, false, Failed, CauseTimeout},
		{"starting up", answer("FATAL", "57P03"), false, Failed, CauseUnavailable},
		{"too many connections", answer("FATAL", "53300"), false, Failed, CauseUnavailable},
		{"proxy without a server", io.ErrUnexpectedEOF, false, Failed, CauseClosed},
		{"replica", answer("ERROR", "25006"), true, Failed, CauseReadOnly},
		{"rejected", answer("ERROR", "42501"), true, Failed, CauseRejected},
		{"proxy does not know", answer("ERROR", "08007"), true, Unknown, CauseRejected},
		{"completion unknown", answer("ERROR", "40003"), true, Unknown, CauseRejected},
		{"session ended by the administrator", answer("FATAL", "57P01"), true, Unknown,
			CauseUnavailable},
		{"crash in the commit", answer("PANIC", "53100"), true, Unknown, CauseRejected},
		{"reset", dial(syscall.ECONNRESET), true, Unknown, CauseClosed},
		{"end of file", io.ErrUnexpectedEOF, true, Unknown, CauseClosed},
		{"broken while waiting, as pgx has it", fmt.Errorf("x: %w", pgconn.ErrConnClosed), true,
			Unknown, CauseClosed},
		{"no answer", fmt.Errorf("%w: %w", context.DeadlineExceeded, net.ErrClosed), true, Unknown,
			CauseTimeout},
		{"something else", errors.New("?"), true, Unknown, CauseOther},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var a Attempt
			a.settle(tc.err, tc.sent)
			if a.Outcome != tc.outcome || a.Cause != tc.cause || a.Done.IsZero() {
				t.Errorf("got %s %q done %s, want %s %q", a.Outcome, a.Cause, a.Done, tc.outcome,
					tc.cause)
			}
			if (a.Error == "") != (tc.err == nil) {
				t.Errorf("error text %q", a.Error)
			}
		})
	}
}
