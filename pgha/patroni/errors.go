package patroni

import "errors"

// Reasons a caller may want to decide on, found with errors.Is.
var (
	// ErrUnavailable: no member's REST API answered.
	ErrUnavailable = errors.New("no member of the cluster answers")
	// ErrNoLeader: nobody holds the leader lock.
	ErrNoLeader = errors.New("the cluster has no leader")
	// ErrNoCandidate: no replica may take over, or the named one may not.
	ErrNoCandidate = errors.New("no suitable candidate")
	// ErrPaused: the cluster is paused, and the operation needs Patroni to act.
	ErrPaused = errors.New("the cluster is paused")
	// ErrLeaderHealthy: a failover was asked for while the leader runs. A switchover loses nothing.
	ErrLeaderHealthy = errors.New("the leader is healthy")
	// ErrLossNotAccepted: a failover would or could lose transactions, and nobody has said that this is accepted. The error
	// is a *LossError.
	ErrLossNotAccepted = errors.New("loss of transactions not accepted")
	// ErrUnhealthy: other members are not well enough for what was asked.
	ErrUnhealthy = errors.New("the cluster is not healthy enough")
	// ErrScheduled: something is scheduled already.
	ErrScheduled = errors.New("already scheduled")
	// ErrNothingScheduled: there is nothing to cancel.
	ErrNothingScheduled = errors.New("nothing is scheduled")
	// ErrConflict: the configuration is not what the operator saw any more.
	ErrConflict = errors.New("changed by somebody else in the meantime")
	// ErrTimeout: what was waited for did not happen in time.
	ErrTimeout = errors.New("timed out")
	// ErrInvalid: the options contradict themselves or what Patroni can do.
	ErrInvalid = errors.New("invalid options")
	// ErrPutBack: with its new configuration a member let nobody in, so it was given its old one again.
	ErrPutBack = errors.New("put back as it was")
	// ErrVersion: the Patroni on a host is too old or is not understood.
	ErrVersion = errors.New("unsupported version of Patroni")
)
