package drill

// Expect is what must hold in a scenario besides the promise that no row is lost.
type Expect struct {
	// Writes says how long they may stay away.
	Writes Writes `json:"writes"`
	// SameLeader: nobody must be promoted.
	SameLeader bool `json:"same_leader,omitempty"`
	// NoErrors: no write and no read of the clients may fail, they wait.
	NoErrors bool `json:"no_errors,omitempty"`
	// WaitSeconds is how long somebody may wait for a host that is gone; 0: nobody does.
	WaitSeconds float64 `json:"wait_seconds,omitempty"`
}

// Writes says how long writes may stay away in a scenario.
type Writes string

// The bounds.
const (
	// WithinFailover is the specification's slo.failover.
	WithinFailover Writes = "failover"
	// WithinSwitchover is the specification's slo.switchover.
	WithinSwitchover Writes = "switchover"
	// UntilMended: for as long as the fault lasts, and slo.failover after it at most.
	UntilMended Writes = "until_mended"
	// MustStop: no row may be acknowledged until the fault is mended; then slo.failover at most.
	MustStop Writes = "must_stop"
)
