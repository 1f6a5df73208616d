package pgha

import (
	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/preflight"
)

// Finding is something that Preflight has to say about a host.
type Finding = preflight.Finding

// Timing is how long one kind of fault lasts, and what it is the sum of.
type Timing = advisor.Timing

// TimingPart is one summand of a Timing.
type TimingPart = advisor.TimingPart

// Timings adds up how long each kind of fault lasts with these settings. It contacts no host.
func Timings(sp *Spec) []Timing { return advisor.Timings(sp) }
