package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Outcome is what became of a row, as far as the writer knows.
type Outcome string

// The outcomes.
const (
	// Acked: PostgreSQL answered that the row is committed.
	Acked Outcome = "acked"
	// Failed: the row was surely not written.
	Failed Outcome = "failed"
	// Unknown: the statement was sent and not answered, so the row may be there or not.
	Unknown Outcome = "unknown"
)

// Cause says why a row was not acknowledged.
type Cause string

// The causes.
const (
	CauseRefused     Cause = "refused"     // nobody listens at the address
	CauseUnreachable Cause = "unreachable" // no route to the address
	CauseClosed      Cause = "closed"      // the other end reset or closed the connection
	CauseTimeout     Cause = "timeout"     // no answer within one of Options' bounds
	CauseReadOnly    Cause = "read_only"   // the session leads to a replica
	CauseUnavailable Cause = "unavailable" // PostgreSQL is starting, stopping or full
	CauseRejected    Cause = "rejected"    // any other error that PostgreSQL answered with
	CauseOther       Cause = "other"
)

// Attempt is one row that the writer tried to write.
type Attempt struct {
	// Seq identifies the row within its run. It begins with 1; each attempt has a number of its
	// own.
	Seq int64 `json:"seq"`
	// Began is when the attempt began, the opening of a session included.
	Began time.Time `json:"began"`
	// Connected is when the session was open that this attempt had to open; zero when there was
	// one, or it could not.
	Connected time.Time `json:"connected,omitzero"`
	// Done is when the answer came, or when it was clear that none would.
	Done    time.Time `json:"done"`
	Outcome Outcome   `json:"outcome"`
	// Cause and Error say why a row was not acknowledged; empty when it was.
	Cause Cause  `json:"cause,omitempty"`
	Error string `json:"error,omitempty"`
	// Skipped counts the ticks that were let go because this attempt was still under way.
	Skipped int `json:"skipped,omitempty"`
}

// settle notes the end of the attempt. sent tells whether the statement was handed to a session.
func (a *Attempt) settle(err error, sent bool) {
	a.Done = time.Now()
	if err == nil {
		a.Outcome = Acked
		return
	}
	a.Outcome, a.Cause, a.Error = Unknown, causeOf(err), err.Error()
	if !sent || notCommitted(err) {
		a.Outcome = Failed
	}
}

// notCommitted tells whether an INSERT that ended with this error was surely rolled back.
func notCommitted(err error) bool {
	// pgconn.SafeToRetry is no help: it also says yes when the connection broke while pgx waited
	// for the answer.
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return false
	}
	// An error answers the statement. What is worse ends the session, at whatever moment: perhaps
	// after the commit.
	if answer.SeverityUnlocalized != "ERROR" {
		return false
	}
	// Connection exceptions and statement_completion_unknown, which proxies answer with.
	return !strings.HasPrefix(answer.Code, "08") && answer.Code != "40003"
}

// causeOf sorts errors by what an operator would look at.
func causeOf(err error) Cause {
	var answer *pgconn.PgError
	var network net.Error
	switch {
	case errors.As(err, &answer):
		return causeOfAnswer(answer.Code)
	case errors.Is(err, syscall.ECONNREFUSED):
		return CauseRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return CauseUnreachable
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return CauseTimeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed),
		errors.Is(err, pgconn.ErrConnClosed), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF):
		return CauseClosed
	}
	return CauseOther
}

func causeOfAnswer(sqlState string) Cause {
	switch {
	case sqlState == "25006": // read_only_sql_transaction
		return CauseReadOnly
	// operator intervention, too_many_connections
	case strings.HasPrefix(sqlState, "57P"), sqlState == "53300":
		return CauseUnavailable
	}
	return CauseRejected
}
