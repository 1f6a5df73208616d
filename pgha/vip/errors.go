package vip

import (
	"github.com/pgha/toolkit/pgha/errs"
)

// Reasons a caller may want to decide on, found with errors.Is.
var (
	// ErrInvalid: the Options can't describe a working virtual IP. The message names every flaw.
	ErrInvalid = errs.New(errs.Invalid, "invalid virtual IP options")
	// ErrNotHeld: no balancer, or more than one, held the address when the wait was over.
	ErrNotHeld = errs.New(errs.Unhealthy, "virtual IP not held by exactly one balancer")
)
