package pooler

import "github.com/pgha/toolkit/pgha/errs"

// Errors of this package, to be compared with errors.Is.
var (
	// ErrInvalid: the options contradict themselves, or lack something.
	ErrInvalid = errs.New(errs.Invalid, "invalid options")
	// ErrNotReady: a pooler does not answer.
	ErrNotReady = errs.New(errs.Timeout, "the pooler is not ready")
	// ErrVersion: the PgBouncer that is installed has known faults.
	ErrVersion = errs.New(errs.Refused, "PgBouncer is too old")
	// ErrBusy: a transaction did not end in the time that a pause may wait for it.
	ErrBusy = errs.New(errs.Refused, "a transaction through the pooler does not end")
	// ErrStillPaused: nobody could be told to go on. The timers of the hosts do it.
	ErrStillPaused = errs.New(errs.Unavailable, "the pooler does not say that it goes on")
)
