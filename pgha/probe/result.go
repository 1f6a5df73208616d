package probe

import (
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Result is what a writer has measured.
type Result struct {
	// Run and Table find the rows again; see Rows.
	Run   string         `json:"run"`
	Table pgx.Identifier `json:"table"`
	// Rate is how many rows a second were to be written.
	Rate float64 `json:"rate"`
	// Client is what the writer did with connections.
	Client Client `json:"client"`
	// Started is when the first row was acknowledged, Stopped when the writer ended or, of one that
	// still runs, now.
	Started time.Time `json:"started"`
	Stopped time.Time `json:"stopped"`
	// Attempts are in the order in which they were done. With one connection none began before the
	// one before it was done.
	Attempts []Attempt `json:"attempts"`
}

// Resolution is the time from one tick to the next: what happens between them is not seen.
func (r Result) Resolution() time.Duration { return interval(r.Rate) }

// Count returns how many attempts had the outcome.
func (r Result) Count(o Outcome) int {
	n := 0
	for _, a := range r.Attempts {
		if a.Outcome == o {
			n++
		}
	}
	return n
}

// Skipped returns how many ticks were let go because an attempt was still under way.
func (r Result) Skipped() int {
	n := 0
	for _, a := range r.Attempts {
		n += a.Skipped
	}
	return n
}

// LongestCall is how long the attempt took, a connection that it had to open included, that took
// longest: what a caller in an application waits for at most, whether a row came of it or not. Of
// one fault, ask for it Since that.
func (r Result) LongestCall() time.Duration {
	var longest time.Duration
	for _, a := range r.Attempts {
		longest = max(longest, a.Done.Sub(a.Began))
	}
	return longest
}

// Gap is a time without writes: from the moment when a row was acknowledged to the moment when the
// next one was. The package's documentation says by how much that may exceed the outage.
type Gap struct {
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Seconds float64   `json:"seconds"`
	// Open: no row was acknowledged any more. End is then the end of the measurement, not of the
	// outage.
	Open bool `json:"open,omitempty"`
	// Failed and Unknown count the attempts of the gap, Skipped the ticks that passed without one.
	Failed  int `json:"failed"`
	Unknown int `json:"unknown"`
	Skipped int `json:"skipped"`
	// Causes counts the attempts of the gap by why they were not acknowledged.
	Causes map[Cause]int `json:"causes,omitempty"`
}

// Gaps returns, in order, all times without writes that were longer than so much. Twice the
// resolution leaves out what is nothing but the pace.
func (r Result) Gaps(longerThan time.Duration) []Gap {
	var gaps []Gap
	g := Gap{Start: r.Started}
	end := func(at time.Time) {
		if g.End = at; at.Sub(g.Start) > longerThan {
			g.Seconds = at.Sub(g.Start).Seconds()
			gaps = append(gaps, g)
		}
		g = Gap{Start: at}
	}
	for _, a := range r.Attempts {
		g.Skipped += a.Skipped
		if a.Outcome == Acked {
			end(a.Done)
			continue
		}
		if a.Outcome == Failed {
			g.Failed++
		} else {
			g.Unknown++
		}
		if g.Causes == nil {
			g.Causes = map[Cause]int{}
		}
		g.Causes[a.Cause]++
	}
	g.Open = true
	end(r.Stopped)
	return gaps
}

// Since returns the same result without what happened before a moment: it begins with the last row
// that was acknowledged by then, so that a gap which began before is whole.
func (r Result) Since(moment time.Time) Result {
	for i, a := range slices.Backward(r.Attempts) {
		if a.Outcome == Acked && !a.Done.After(moment) {
			r.Started, r.Attempts = a.Done, r.Attempts[i+1:]
			break
		}
	}
	return r
}

// Longest returns the longest gap, the first of them if there are several. Of a measurement with
// one fault this is the number of seconds without writes; of several, ask for it Since each.
func (r Result) Longest() Gap {
	var longest Gap
	for _, g := range r.Gaps(0) {
		if g.Seconds > longest.Seconds {
			longest = g
		}
	}
	return longest
}
