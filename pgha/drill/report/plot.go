package report

import (
	"fmt"
	"strings"

	"github.com/pgha/toolkit/pgha/drill"
)

// plot is a scenario's bar in the overview: the phases of the run in the middle, the range of all
// runs, and the promise.
type plot struct {
	Phases []band
	// Low and Width are the range of all runs; Width is "" when there is nothing to show.
	Low, Width string
	// Promise is where the promise lies, "" when there is none.
	Promise string
	// Beyond tells that the bar continues beyond the scale.
	Beyond  bool
	Summary string
}

// scale is how many seconds the whole width of all plots stands for.
type scale float64

// scaleOf takes in every promise and every gap, but lets no outlier crush the others: the longest
// gap may take twice the longest promise.
func scaleOf(all []*scenario) scale {
	promise, gap := 0.0, 0.0
	for _, s := range all {
		promise, gap = max(promise, s.Promise), max(gap, s.Gap.Max)
	}
	if promise > 0 {
		gap = min(gap, 2*promise)
	}
	return scale(max(promise, gap, 0.1) * 1.03)
}

func (s scale) at(seconds float64) float64 { return clamp(seconds / float64(s)) }

func (s *scenario) plot(sc scale) plot {
	middle := s.middle().Outcome
	p := plot{Beyond: s.Gap.Max > float64(sc)}
	words := []string{fmt.Sprintf("%s s without writes", number(s.Gap.Median))}
	x := 0.0
	add := func(class, title string, seconds float64) {
		from := sc.at(x)
		x += seconds
		p.Phases = append(p.Phases, band{X: percent(from), W: percent(sc.at(x) - from),
			Class: class, Title: title})
	}
	for _, ph := range middle.Phases {
		title := fmt.Sprintf("%s %s s", ph.Name, number(ph.Seconds))
		add(phaseClass(ph.Name), title, ph.Seconds)
		words = append(words, title)
	}
	if len(middle.Phases) == 0 && middle.GapSeconds > 0 {
		add("pace", fmt.Sprintf("%s s between two acknowledged writes", number(middle.GapSeconds)),
			middle.GapSeconds)
	}
	if s.Gap.N > 1 {
		low := sc.at(s.Gap.Min)
		p.Low, p.Width = percent(low), percent(sc.at(s.Gap.Max)-low)
		words = append(words, fmt.Sprintf("between %s and %s s in %d runs", number(s.Gap.Min),
			number(s.Gap.Max), s.Gap.N))
	}
	if s.Promise > 0 {
		p.Promise = percent(sc.at(s.Promise))
		words = append(words, fmt.Sprintf("promised %s s", round(s.Promise)))
	}
	p.Summary = strings.Join(words, ", ")
	return p
}

// phaseKey explains the colours of the phases.
type phaseKey struct {
	Class string
	Name  drill.PhaseName
	Text  string
}

func phaseKeys() []phaseKey {
	text := map[drill.PhaseName]string{
		drill.Detection: "until the leader key was given up or ran out, or PostgreSQL was being " +
			"started again",
		drill.Election:  "until another member held the key",
		drill.Promotion: "until that member took writes",
		drill.Routing:   "until the virtual IP led to it",
		drill.Reconnect: "until the first row was acknowledged",
	}
	var keys []phaseKey
	for _, name := range drill.PhaseNames() {
		keys = append(keys, phaseKey{phaseClass(name), name, text[name]})
	}
	return keys
}

// Bound says in words how long writes may stay away.
func (s *scenario) Bound() string {
	switch {
	case s.Writes == drill.MustStop:
		return "must stop"
	case s.Writes == drill.UntilMended:
		return "until mended"
	case s.Promise > 0:
		return "of " + round(s.Promise) + " s"
	}
	return ""
}
