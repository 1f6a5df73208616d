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
	// ErrTimeout: what was waited for did not happen in time.
	ErrTimeout = errors.New("timed out")
	// ErrInvalid: the options contradict themselves or what Patroni can do.
	ErrInvalid = errors.New("invalid options")
	// ErrVersion: the Patroni on a host is too old or is not understood.
	ErrVersion = errors.New("unsupported version of Patroni")
)
