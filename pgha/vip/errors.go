package vip

import "errors"

// Reasons a caller may want to decide on, found with errors.Is.
var (
	// ErrInvalid: the Options can't describe a working virtual IP. The message names every flaw.
	ErrInvalid = errors.New("invalid virtual IP options")
	// ErrNotHeld: no balancer, or more than one, held the address when the wait was over.
	ErrNotHeld = errors.New("virtual IP not held by exactly one balancer")
)
