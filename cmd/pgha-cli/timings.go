package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/pgha/toolkit/pgha"
)

// explainedStatus is a status with what the times in the specification promise.
type explainedStatus struct {
	pgha.Status
	Timings []pgha.Timing `json:"timings"`
}

// printTimings prints each fault with what its time is made of.
func printTimings(out *terminal, timings []pgha.Timing) {
	out.printf("\n%s\n", out.paint(bold, "What the times in the specification promise, from the fault until the cluster is ready:"))
	w := tabwriter.NewWriter(out.stdout, 0, 0, 2, ' ', 0)
	for _, t := range timings {
		fmt.Fprintf(w, "\n%s\n  \tTYPICAL\tBEST\tWORST\tBECAUSE\n", t.Fault)
		for _, p := range t.Parts {
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", p.What, hundredths(p.Typical), hundredths(p.Min), hundredths(p.Max), p.Source)
		}
		fmt.Fprintf(w, "  in all\t%s\t\t%s\t%s\n", hundredths(t.Typical), hundredths(t.Worst), t.Note)
	}
	w.Flush()
}

// hundredths renders a duration that may be a fraction of a second.
func hundredths(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }
