package lb

import "errors"

// Reasons a caller may want to decide on, found with errors.Is.
var (
	// ErrInvalid: the Options can't describe working load balancers. The message names every flaw.
	ErrInvalid = errors.New("invalid load balancer options")
	// ErrNotReady: a balancer did not get ready in the time given.
	ErrNotReady = errors.New("load balancer not ready")
)
