package pgha

import "github.com/pgha/toolkit/pgha/advisor"

// Timing says how long a fault, or a planned change, keeps the cluster from its work, by arithmetic.
type Timing = advisor.Timing

// TimingPart is one step of a Timing.
type TimingPart = advisor.TimingPart

// Timings works out what the times in a specification promise, for every fault that its hosts can have; see
// advisor.Timings. Pure computation.
func Timings(sp *Spec) []Timing { return advisor.Timings(sp) }
