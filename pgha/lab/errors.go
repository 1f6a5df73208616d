package lab

import (
	"github.com/pgha/toolkit/pgha/errs"
)

// Errors that a caller may want to tell apart with errors.Is.
var (
	// ErrNotRunning: there is no lab of that name, or the machine was
	// rebooted since it was started.
	ErrNotRunning = errs.New(errs.NotFound, "lab is not running")

	// ErrHostDown: the host is without power.
	ErrHostDown = errs.New(errs.Unavailable, "host is not running")

	// ErrUnknownHost: the lab has no host or member of that name.
	ErrUnknownHost = errs.New(errs.NotFound, "no such host in the lab")

	// ErrOutside: the address does not belong to the lab's network.
	ErrOutside = errs.New(errs.Invalid, "address is outside the lab's network")

	// ErrInvalid: an option is wrong by itself.
	ErrInvalid = errs.New(errs.Invalid, "invalid option of the lab")

	// ErrConflict: a lab of that name exists and differs from what is asked,
	// or its kernel objects belong to another cache directory.
	ErrConflict = errs.New(errs.Invalid, "conflict with an existing lab")

	// ErrRequirements: the machine lacks a program, root's rights or the
	// right kernel. The message lists everything at once.
	ErrRequirements = errs.New(errs.Unavailable, "machine is not ready for a lab")
)

// withHint adds to an error what an operator can do about it.
func withHint(err error, hint string) error { return errs.WithNext(err, errs.Text("%s", hint)) }
