package report

import "slices"

// stat is a figure of several runs.
type stat struct {
	Min, Median, Max float64
	N                int
}

func statOf(values []float64) stat {
	if len(values) == 0 {
		return stat{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	s := stat{Min: sorted[0], Median: sorted[n/2], Max: sorted[n-1], N: n}
	if n%2 == 0 {
		s.Median = (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return s
}

// cell is a stat in a table: the median, and below it minimum and maximum where there are several
// runs.
type cell struct {
	Main, Range string
	// Bad marks what breaks a promise.
	Bad bool
}

// cell writes a stat; none is a dash.
func (s stat) cell(write func(float64) string) cell {
	if s.N == 0 {
		return cell{Main: "–"}
	}
	c := cell{Main: write(s.Median)}
	if s.N > 1 && write(s.Min) != write(s.Max) {
		c.Range = write(s.Min) + " – " + write(s.Max)
	}
	return c
}
