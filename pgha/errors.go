package pgha

import (
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/provision"
)

// Kind is what a caller can decide on about an error; its values are in package errs.
type Kind = errs.Kind

// Next is what to do next: a text that refers to verbs, such as apply, as values.
type Next = errs.Next

var (
	// ErrRefused means that the operation would do harm, or could not end well, and nothing was
	// changed. The reason is in the error's text. It is one of many: ask [Refused].
	ErrRefused = errs.ErrRefused
	// ErrPlanStale means that the hosts or the specification have changed since the plan was made.
	ErrPlanStale = provision.ErrPlanStale
	// ErrLocked means that somebody else is changing the cluster. The error says who, since when
	// and what.
	ErrLocked = job.ErrLocked
	// ErrLockLost means that the lock was lost while the cluster was being changed, so the work was
	// stopped.
	ErrLockLost = job.ErrLockLost
	// ErrReadOnly means that the cluster was connected with ConnectOptions.ReadOnly. Nothing was
	// changed.
	ErrReadOnly = site.ErrReadOnly
)

// KindOf returns the kind of err, also of one that is wrapped or joined with others: see
// errs.KindOf.
func KindOf(err error) Kind { return errs.KindOf(err) }

// NextOf returns what to do next about err, or a zero Next where nobody knows: see errs.NextOf.
func NextOf(err error) Next { return errs.NextOf(err) }

// Refused reports whether an operation was refused before anything was changed: the cluster's
// state, its rules or the arguments forbid it. The same operation is refused again until something
// else has changed.
func Refused(err error) bool { return errs.KindOf(err) == errs.Refused }
