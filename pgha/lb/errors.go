package lb

import (
	"github.com/pgha/toolkit/pgha/errs"
)

// Reasons a caller may want to decide on, found with errors.Is.
var (
	// ErrInvalid: the Options can't describe working load balancers. The message names every flaw.
	ErrInvalid = errs.New(errs.Invalid, "invalid load balancer options")
	// ErrNotReady: a balancer did not get ready in the time given.
	ErrNotReady = errs.New(errs.Unhealthy, "load balancer not ready")
)
