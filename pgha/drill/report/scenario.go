package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pgha/toolkit/pgha/drill"
)

// scenario is what all runs of one scenario came to.
type scenario struct {
	ID, Name string
	Status   status
	// Score says how many of how many runs kept the promise, where there are several.
	Score string
	Gap   stat
	// Promise in seconds, zero where writes may stay away until the fault is mended.
	Promise float64
	Writes  drill.Writes
	Plot    plot
	// Cells are the figures of the table, without the verdict.
	Cells []cell
	// Drawn are the runs with a timeline, in the order of their numbers; Undrawn counts the others.
	Drawn   []*runView
	Undrawn int

	runs    []drill.RunResult
	indices []int
}

// scenariosOf groups the runs, in the order in which the scenarios first appear.
func scenariosOf(r drill.Result) []*scenario {
	var all []*scenario
	for i, run := range r.Runs {
		name := run.Outcome.Scenario
		at := slices.IndexFunc(all, func(s *scenario) bool { return s.Name == name })
		if at < 0 {
			at = len(all)
			all = append(all, &scenario{ID: fmt.Sprintf("s%d", at+1), Name: name, Status: kept,
				Promise: promised(r.Promise, run), Writes: run.Recording.Expect.Writes})
		}
		all[at].runs, all[at].indices = append(all[at].runs, run), append(all[at].indices, i)
	}
	for _, s := range all {
		s.judge()
		s.figures(r.Promise)
	}
	for _, s := range all {
		s.Plot = s.plot(scaleOf(all))
	}
	return all
}

func (s *scenario) judge() {
	good := 0
	for _, run := range s.runs {
		st := statusOf(run)
		s.Status = worst(s.Status, st)
		if st == kept {
			good++
		}
	}
	if len(s.runs) > 1 {
		s.Score = fmt.Sprintf("%d of %d", good, len(s.runs))
	}
}

// columns are the heads of the table of figures, after the scenario's name.
func columns() []string {
	heads := []string{"Without writes"}
	for _, name := range drill.PhaseNames() {
		heads = append(heads, string(name))
	}
	return append(heads, "Rows lost", "Unknown fate", "Double writers", "Redundant after")
}

// figures works out the cells of columns.
func (s *scenario) figures(p drill.Promise) {
	s.Gap = s.statOf(func(o drill.Outcome) (float64, bool) { return o.GapSeconds, true })
	gap := s.Gap.cell(number)
	gap.Bad = s.Promise > 0 && s.Gap.Max > s.Promise
	s.Cells = append(s.Cells, gap)
	for _, name := range drill.PhaseNames() {
		st := s.statOf(func(o drill.Outcome) (float64, bool) { return phaseSeconds(o, name) })
		s.Cells = append(s.Cells, st.cell(number))
	}
	rows := func(f float64) string {
		if f != float64(int(f)) {
			return number(f) // the mean of the two in the middle
		}
		return grouped(int(f))
	}
	lost := s.statOf(func(o drill.Outcome) (float64, bool) { return float64(o.Lost), true })
	unknown := s.statOf(func(o drill.Outcome) (float64, bool) { return float64(o.Unknown), true })
	double := s.statOf(func(o drill.Outcome) (float64, bool) {
		return float64(len(o.DoubleWriters)), true
	})
	redundant := s.statOf(func(o drill.Outcome) (float64, bool) {
		return o.RedundantSeconds, o.RedundantSeconds >= 0
	})
	cells := []cell{lost.cell(rows), unknown.cell(rows), double.cell(rows), redundant.cell(number)}
	cells[0].Bad, cells[2].Bad = lost.Max > float64(p.LostRows), double.Max > 0
	if never := len(s.runs) - redundant.N; never > 0 {
		cells[3].Bad, cells[3].Range = true, "never"
		if len(s.runs) > 1 {
			cells[3].Range = fmt.Sprintf("never in %d", never)
		}
	}
	s.Cells = append(s.Cells, cells...)
}

// statOf gathers a figure of every run that has it.
func (s *scenario) statOf(figure func(drill.Outcome) (float64, bool)) stat {
	var values []float64
	for _, run := range s.runs {
		if f, known := figure(run.Outcome); known {
			values = append(values, f)
		}
	}
	return statOf(values)
}

// middle is the run whose gap stands in the middle: its phases stand for the scenario.
func (s *scenario) middle() drill.RunResult {
	sorted := slices.Clone(s.runs)
	slices.SortStableFunc(sorted,
		func(a, b drill.RunResult) int {
			return cmp.Compare(a.Outcome.GapSeconds, b.Outcome.GapSeconds)
		})
	return sorted[(len(sorted)-1)/2]
}
