package doctor

import (
	"slices"

	"github.com/pgha/toolkit/pgha/errs"
)

// notHealthy is the finding for what status calls a problem and no rule explains.
const notHealthy = "not-healthy"

// unexplained takes over status's verdict. Diagnose drops it where another error stands: that is
// what status sees the effects of.
func unexplained(f Facts) []Finding {
	if len(f.Problems) == 0 {
		return nil
	}
	return []Finding{{ID: notHealthy, Severity: Error, Title: "the cluster is not healthy",
		Consequence: "applications, or the next failover, may not find what they need",
		Evidence:    f.Problems,
		Advice: errs.Text("what has changed a moment ago may need some seconds: look again "+
			"with %s; otherwise %s tells which layer is at fault", errs.Verb("status"),
			errs.Verb("verify"))}}
}

// explained drops the general finding where an error says more.
func explained(found []Finding) []Finding {
	if !slices.ContainsFunc(found, func(f Finding) bool {
		return f.Severity == Error && f.ID != notHealthy
	}) {
		return found
	}
	return slices.DeleteFunc(found, func(f Finding) bool { return f.ID == notHealthy })
}
