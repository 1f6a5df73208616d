package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// table collects figures by name, in the order in which the names first came.
type table struct {
	names   []string
	figures map[string][]float64
}

func (t *table) add(name string, figure float64) {
	if t.figures == nil {
		t.figures = map[string][]float64{}
	}
	if _, known := t.figures[name]; !known {
		t.names = append(t.names, name)
	}
	t.figures[name] = append(t.figures[name], figure)
}

// goals are what the project holds itself to on two cores; a careful shell script took 54 s for a
// fresh cluster.
var goals = [...]struct{ name, goal string }{
	{"fresh apply", "<= 54, aim 40"},
	{"second apply", "<= 5, aim 2"},
	{"second apply: changes", "0"},
	{"second apply: commands and files in a row", "<= 8"},
	{"status", "< 1"},
}

func (t *table) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SECONDS\tMIN\tMEDIAN\tMAX\tRUNS\tGOAL")
	for _, name := range t.names {
		sorted := slices.Sorted(slices.Values(t.figures[name]))
		goal := ""
		for _, g := range goals {
			if g.name == name {
				goal = g.goal
			}
		}
		last := len(sorted) - 1
		fmt.Fprintf(tw, "%s\t%.2f\t%.2f\t%.2f\t%d\t%s\n", name, sorted[0], median(sorted),
			sorted[last],
			len(sorted), goal)
	}
	return tw.Flush()
}

// median of a sorted list that is not empty.
func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
