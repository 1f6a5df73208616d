package patroni

import (
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/patroni/rest"
)

// TimeoutError says what was awaited and did not come in time.
type TimeoutError = errs.TimeoutError

// Reasons a caller may want to decide on, found with errors.Is.
var (
	// ErrUnavailable: no member's REST API answered.
	ErrUnavailable = rest.ErrUnavailable
	// ErrNoLeader: nobody holds the leader lock.
	ErrNoLeader = errs.New(errs.Refused, "the cluster has no leader")
	// ErrNoCandidate: no replica may take over, or the named one may not.
	ErrNoCandidate = errs.New(errs.Refused, "no suitable candidate")
	// ErrPaused: the cluster is paused, and the operation needs Patroni to act.
	ErrPaused = errs.New(errs.Refused, "the cluster is paused")
	// ErrLeaderHealthy: a failover was asked for while the leader runs. A switchover loses nothing.
	ErrLeaderHealthy = errs.New(errs.Refused, "the leader is healthy")
	// ErrLossNotAccepted: a failover would or could lose transactions, and nobody has said that
	// this is accepted. The error is a *LossError.
	ErrLossNotAccepted = errs.New(errs.Refused, "loss of transactions not accepted")
	// ErrUnhealthy: other members are not well enough for what was asked.
	ErrUnhealthy = errs.New(errs.Refused, "the cluster is not healthy enough")
	// ErrScheduled: something is scheduled already.
	ErrScheduled = errs.New(errs.Refused, "already scheduled")
	// ErrNothingScheduled: there is nothing to cancel.
	ErrNothingScheduled = errs.New(errs.Refused, "nothing is scheduled")
	// ErrConflict: the configuration is not what the operator saw any more.
	ErrConflict = errs.New(errs.Refused, "changed by somebody else in the meantime")
	// ErrTimeout: what was waited for did not happen in time.
	ErrTimeout = errs.ErrTimeout
	// ErrInvalid: the options contradict themselves or what Patroni can do.
	ErrInvalid = rest.ErrInvalid
	// ErrPutBack: with its new configuration a member let nobody in, so it was given its old one
	// again.
	ErrPutBack = errs.New(errs.Refused, "put back as it was")
	// ErrVersion: the Patroni on a host is too old or is not understood.
	ErrVersion = errs.New(errs.Refused, "unsupported version of Patroni")
)
