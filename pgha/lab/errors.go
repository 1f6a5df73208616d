package lab

import "errors"

// Errors that a caller may want to tell apart with errors.Is.
var (
	// ErrNotRunning: there is no lab of that name, or the machine was
	// rebooted since it was started.
	ErrNotRunning = errors.New("lab is not running")

	// ErrHostDown: the host is without power.
	ErrHostDown = errors.New("host is not running")

	// ErrUnknownHost: the lab has no host or member of that name.
	ErrUnknownHost = errors.New("no such host in the lab")

	// ErrOutside: the address does not belong to the lab's network.
	ErrOutside = errors.New("address is outside the lab's network")

	// ErrConflict: a lab of that name exists and differs from what is asked,
	// or its kernel objects belong to another cache directory.
	ErrConflict = errors.New("conflict with an existing lab")

	// ErrRequirements: the machine lacks a program, root's rights or the
	// right kernel. The message lists everything at once.
	ErrRequirements = errors.New("machine is not ready for a lab")
)

// hintError adds to an error what an operator can do about it.
type hintError struct {
	err  error
	hint string
}

func withHint(err error, hint string) error { return &hintError{err: err, hint: hint} }

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

// Hint tells an operator what to do about the error.
func (e *hintError) Hint() string { return e.hint }
