package advisor

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/spec"
)

// Timing says how long a fault, or a planned change, keeps the cluster from its work. It is
// arithmetic over the times of a specification, not a measurement: see the Parts for what is added
// up.
type Timing struct {
	// Fault is what happens.
	Fault string
	// Typical and Worst are the sums of the parts. They end when the cluster is ready: an
	// application that waits before it connects again, or has no time-out, adds its own time.
	Typical, Worst time.Duration
	// Parts come one after the other. There are none where nothing has to wait.
	Parts []TimingPart
	// Note says what is not in the sums, and when the row applies.
	Note string
}

// TimingPart is one step of a Timing.
type TimingPart struct {
	// What goes on.
	What string
	// Min, Typical and Max are how long it takes at best, usually and at worst.
	Min, Typical, Max time.Duration
	// Source of the three: a rule of the program that waits, or a measurement.
	Source string
}

// Timings works out what the times in a specification promise, for every fault that the hosts of
// the specification can have: faults of members only where there is more than one, faults of
// balancers only where there are balancers and a virtual IP. The specification must be complete, as
// from spec.Parse, spec.Load or Spec.Complete. Pure computation; the same specification gives the
// same rows in the same order.
func Timings(sp *spec.Spec) []Timing {
	c := clockOf(sp)
	var rows []Timing
	if len(sp.Databases()) > 1 {
		rows = append(rows, c.hostLost(), c.hostLostWithEtcd(), c.postgresKilled(),
			c.patroniStopped(),
			c.switchover(), c.cutOffOld(), c.cutOffNew())
	}
	if sp.VIP != nil {
		rows = append(rows, c.balancerLost(), c.locksOfTheDead(), c.haproxyKilled(),
			c.haproxyGone())
	}
	if len(sp.Databases()) > 1 {
		rows = append(rows, c.replicaLost()...)
	}
	return rows
}

// timing adds the parts up.
func timing(fault, note string, parts ...TimingPart) Timing {
	t := Timing{Fault: fault, Parts: parts, Note: note}
	for _, p := range parts {
		t.Typical += p.Typical
		t.Worst += p.Max
	}
	return t
}

// even is a step that is as likely to be short as to be long.
func even(what string, least, most time.Duration, source string) TimingPart {
	return TimingPart{What: what, Min: least, Typical: (least + most) / 2, Max: most,
		Source: source}
}

// String is one line, for logs.
func (t Timing) String() string {
	return fmt.Sprintf("%s: %s, at worst %s", t.Fault, t.Typical, t.Worst)
}

// MarshalJSON writes durations as seconds.
func (t Timing) MarshalJSON() ([]byte, error) {
	parts := t.Parts
	if parts == nil {
		parts = []TimingPart{}
	}
	return json.Marshal(struct {
		Fault   string       `json:"fault"`
		Typical float64      `json:"typical_seconds"`
		Worst   float64      `json:"worst_seconds"`
		Parts   []TimingPart `json:"parts"`
		Note    string       `json:"note,omitempty"`
	}{t.Fault, inSeconds(t.Typical), inSeconds(t.Worst), parts, t.Note})
}

// MarshalJSON writes durations as seconds.
func (p TimingPart) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		What    string  `json:"what"`
		Min     float64 `json:"min_seconds"`
		Typical float64 `json:"typical_seconds"`
		Max     float64 `json:"max_seconds"`
		Source  string  `json:"source"`
	}{p.What, inSeconds(p.Min), inSeconds(p.Typical), inSeconds(p.Max), p.Source})
}

// inSeconds is exact to the millisecond, so that no binary fraction shows.
func inSeconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
