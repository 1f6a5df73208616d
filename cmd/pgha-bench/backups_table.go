package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// goal is what a figure is held to.
type goal struct {
	figure float64
	least  bool
}

func atLeast(figure float64) goal { return goal{figure, true} }
func atMost(figure float64) goal  { return goal{figure, false} }

func (g goal) String() string {
	if g.least {
		return fmt.Sprintf(">= %.3g", g.figure)
	}
	return fmt.Sprintf("<= %.3g", g.figure)
}

func (g goal) met(figure float64) string {
	if figure >= g.figure == g.least || figure == g.figure {
		return "met"
	}
	return "missed"
}

// backupFigure is what pgha needs, or gives, and what the same takes by hand.
type backupFigure struct {
	title       string
	ours, plain float64 // plain is 0 where there is nothing to compare with
	// faster: the ratio tells how many times as fast pgha is, and is not that of the seconds.
	faster bool
	goal   goal
}

// judged is what the goal is for.
func (f backupFigure) judged() float64 {
	switch {
	case f.plain == 0:
		return f.ours
	case f.faster:
		return f.plain / f.ours
	}
	return f.ours / f.plain
}

func (f backupFigure) cells() []string {
	plain, ratio := "-", "-"
	if f.plain != 0 {
		plain, ratio = fmt.Sprintf("%.1f", f.plain), fmt.Sprintf("%.2f", f.judged())
	}
	return []string{f.title, fmt.Sprintf("%.1f", f.ours), plain, ratio, f.goal.String(),
		f.goal.met(f.judged())}
}

type backupFigures []backupFigure

func (all backupFigures) print(w io.Writer, sizeMB int, began, ended string) error {
	fmt.Fprintf(w, "a database of %d MB; load %s at the beginning, %s at the end\n", sizeMB, began,
		ended)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "BACKUPS\tPGHA\tBY HAND\tRATIO\tGOAL\t")
	for _, f := range all {
		fmt.Fprintln(tw, strings.Join(f.cells(), "\t"))
	}
	return tw.Flush()
}
