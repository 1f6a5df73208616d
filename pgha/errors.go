package pgha

import (
	"github.com/pgha/toolkit/internal/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
)

var (
	// ErrRefused: the operation would do harm, or could not end well, and nothing was changed. The reason is in the error's
	// text. Refused finds it together with the reasons of package patroni.
	ErrRefused = errs.ErrRefused
	// ErrPlanStale: the hosts or the specification have changed since the plan was made.
	ErrPlanStale = errs.ErrPlanStale
	// ErrLocked: somebody else is changing the cluster. The error says who, since when and what.
	ErrLocked = job.ErrLocked
	// ErrLockLost: the lock was lost while the cluster was being changed, so the work was stopped.
	ErrLockLost = job.ErrLockLost
)
