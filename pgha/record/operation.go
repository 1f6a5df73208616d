package record

import "time"

// Operation is one operation as the hosts remember it.
type Operation struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	// Verb is what was done, Holder who did it.
	Verb   string `json:"verb"`
	Holder string `json:"holder"`
	// Finished is false for an operation that continues, or whose program was killed.
	Finished bool    `json:"finished"`
	Seconds  float64 `json:"seconds"`
	// Error is why it failed; "" when it did not, or is not finished.
	Error string `json:"error,omitempty"`
	// Changes are those of all hosts that answered when the record was read.
	Changes []Change `json:"changes"`
}

// Change is one change of an operation, without its diff.
type Change struct {
	Host   string `json:"host"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Action string `json:"action"`
}
