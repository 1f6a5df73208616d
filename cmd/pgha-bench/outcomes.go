package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/pgha/toolkit/pgha/drill"
)

// outcomes collects runs by operation, in the order in which they first came.
type outcomes []*outcome

type outcome struct {
	title, goal          string
	seconds              []float64
	call, wait           float64 // the longest, in seconds
	acked, lost, unknown int
	failed               int // runs that were not brought to their end
}

func (o *outcomes) add(op operation, r drill.RunResult) {
	i := slices.IndexFunc(*o, func(k *outcome) bool { return k.title == op.title })
	if i < 0 {
		i = len(*o)
		*o = append(*o, &outcome{title: op.title, goal: op.goal})
	}
	k := (*o)[i]
	if r.Error != "" {
		k.failed++
		return
	}
	k.seconds = append(k.seconds, r.Outcome.GapSeconds)
	k.call = max(k.call, r.Outcome.LongestCallSeconds)
	k.wait = max(k.wait, r.Outcome.WaitSeconds)
	k.acked += r.Outcome.Acknowledged
	k.lost += r.Outcome.Lost
	k.unknown += r.Outcome.Unknown
}

func (o outcomes) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SECONDS WITHOUT WRITES\tMIN\tMEDIAN\tMAX\tLONGEST CALL\tLONGEST WAIT\tRUNS\t"+
		"FAILED\tGOAL\tROWS LOST\tOF\tUNKNOWN")
	for _, k := range o {
		if len(k.seconds) == 0 {
			fmt.Fprintf(tw, "%s\t-\t-\t-\t-\t-\t0\t%d\t%s\t-\t-\t-\n", k.title, k.failed, k.goal)
			continue
		}
		sorted := slices.Sorted(slices.Values(k.seconds))
		wait := "-"
		if k.wait > 0 {
			wait = fmt.Sprintf("%.2f", k.wait)
		}
		fmt.Fprintf(tw, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%s\t%d\t%d\t%s\t%d\t%d\t%d\n", k.title,
			sorted[0], median(sorted), sorted[len(sorted)-1], k.call, wait, len(sorted), k.failed,
			k.goal, k.lost, k.acked, k.unknown)
	}
	return tw.Flush()
}
