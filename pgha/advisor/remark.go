package advisor

import (
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/spec"
)

// Severity is how much a remark matters.
type Severity string

// The severities.
const (
	// Critical: the cluster cannot do what it is for, or will not when it matters.
	Critical Severity = "critical"
	// Warning: settings contradict each other, or the hosts.
	Warning Severity = "warning"
	// Note: worth knowing; a cluster with nothing but defaults may have some.
	Note Severity = "note"
)

// Remark is something that does not go together.
type Remark struct {
	// ID names the rule and does not change between versions.
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// What is wrong, Why with the figures of both sides and where they come from, and what to Set.
	What string    `json:"what"`
	Why  string    `json:"why"`
	Set  errs.Next `json:"set"`
}

// Remarks returns what does not go together in a specification and between it and what was
// measured: critical ones first, each rule in a fixed order. With the zero Facts only the
// specification is looked at. A healthy cluster with default settings has no warning. Pure
// computation.
func Remarks(sp *spec.Spec, facts Facts) []Remark {
	in := input{sp, clockOf(sp), facts}
	var found []Remark
	for _, rule := range []func(input) []Remark{
		// what follows from the specification alone
		input.failoverPromise, input.crashPromise, input.switchoverPromise, input.lossPromise,
		input.doublePrimary, input.balancerSlow,
		input.electionSlow, input.synchronous, input.failsafe, input.connections, input.deadClients,
		input.walKept,
		input.archiving, input.singles, input.etcdFaults,
		// what the hosts and the leader have to say
		input.syncSlow, input.roundTrips, input.watchdog, input.memory, input.walOnDisk,
		input.idleSlots,
		input.lag, input.strangers,
	} {
		found = append(found, rule(in)...)
	}
	order := []Severity{Critical, Warning, Note}
	slices.SortStableFunc(found,
		func(a, b Remark) int {
			return slices.Index(order, a.Severity) - slices.Index(order, b.Severity)
		})
	return found
}

// input is what the rules look at.
type input struct {
	*spec.Spec
	clock clock
	facts Facts
}

// remark is a list of one, for rules to return.
func remark(id string, s Severity, what, why, set string) []Remark {
	return []Remark{{ID: id, Severity: s, What: what, Why: why, Set: errs.Text("%s", set)}}
}

// several tells whether there is anybody to fail over to.
func (in input) several() bool { return len(in.Databases()) > 1 }

// sec renders a duration as seconds for people.
func sec(d time.Duration) string { return fmt.Sprintf("%.3gs", d.Seconds()) }

// ms renders a short duration for people.
func ms(d time.Duration) string {
	if d >= time.Second {
		return sec(d)
	}
	return fmt.Sprintf("%.3g ms", float64(d)/1e6)
}
