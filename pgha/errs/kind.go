package errs

import (
	"context"
	"errors"
	"fmt"
)

// Kind is what a caller can decide on. Where several failures are joined, the kind that is declared
// first here is the kind of all of them.
type Kind int

// The kinds of errors. Other is the zero value, and the kind of an error that has none.
const (
	Other  Kind = iota
	Locked      // somebody else is changing the same thing; try again once they have finished
	// nothing was changed, and the same is refused until something else has changed
	Refused
	Timeout     // not finished in time; it may still be going on
	Invalid     // the input is wrong: a specification, an option, a file
	NotFound    // there is nothing of that name
	Unavailable // a host, a service or a secret cannot be had now
	Unhealthy   // something runs, and is not as it must be
)

var kindNames = [...]string{
	"other", "locked", "refused", "timeout", "invalid", "not found", "unavailable", "unhealthy",
}

// String returns the kind in lower case.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

var (
	// ErrRefused means that an operation would do harm, or could not end well, so nothing was
	// changed. The error's text says why.
	ErrRefused = New(Refused, "refused")
	// ErrTimeout is what every [TimeoutError] matches.
	ErrTimeout = New(Timeout, "timed out")
)

// New returns a sentinel: an error with this kind and text, for a package's variables. Compare with
// errors.Is; two calls return two different errors.
func New(kind Kind, text string) error { return &kinded{errors.New(text), kind} }

// WithKind returns err with this kind, whatever kind it had. Text and chain stay.
func WithKind(err error, kind Kind) error {
	if err == nil {
		return nil
	}
	return &kinded{err, kind}
}

type kinded struct {
	error
	kind Kind
}

func (e *kinded) Unwrap() error { return e.error }
func (e *kinded) Kind() Kind    { return e.kind }

// KindOf returns the kind of err. Along a chain the outermost error that has a kind decides. Where
// errors are joined (by [Join], errors.Join or several %w), each is asked, and the kind that is
// declared first wins: one refusal among three failures makes the whole a refusal. A type of error
// has a kind by a method Kind() Kind. What matches context.DeadlineExceeded is a [Timeout].
func KindOf(err error) Kind {
	if err == nil {
		return Other
	}
	if k, ok := err.(interface{ Kind() Kind }); ok && k.Kind() != Other {
		return k.Kind()
	}
	if isDeadline(err) {
		return Timeout
	}
	found := Other
	for _, e := range children(err) {
		if k := KindOf(e); k != Other && (found == Other || k < found) {
			found = k
		}
	}
	return found
}

// isDeadline reports whether err itself, not one that it wraps, is a passed deadline. Package net's
// timeouts are, by a method Is.
func isDeadline(err error) bool {
	is, ok := err.(interface{ Is(error) bool })
	return err == context.DeadlineExceeded || ok && is.Is(context.DeadlineExceeded)
}
