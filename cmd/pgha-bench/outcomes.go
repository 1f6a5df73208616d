package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// outcomes collects measurements by scenario, in the order in which they first came. Losses of a
// host that led etcd as well are kept apart from the others.
type outcomes []*outcome

type outcome struct {
	title, goal   string
	seconds       []float64
	call          float64 // the longest, in seconds
	acked         int
	lost, unknown int
	unexplained   int
}

func (o *outcomes) add(sc scenario, m measurement) {
	title := sc.title
	if m.etcdToo {
		title += " (and led etcd)"
	}
	i := slices.IndexFunc(*o, func(k *outcome) bool { return k.title == title })
	if i < 0 {
		i = len(*o)
		*o = append(*o, &outcome{title: title, goal: sc.goal})
	}
	k := (*o)[i]
	k.seconds = append(k.seconds, m.gap.Seconds)
	k.call = max(k.call, m.call.Seconds())
	k.acked += m.acked
	k.lost += len(m.rows.Lost)
	k.unknown += len(m.rows.Arrived) + len(m.rows.Vanished)
	k.unexplained += len(m.rows.Unexplained)
}

func (o outcomes) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw,
		"SECONDS WITHOUT WRITES\tMIN\tMEDIAN\tMAX\tLONGEST CALL\tRUNS\tGOAL\tROWS LOST\tOF\tUNKNOWN\tUNEXPLAINED")
	for _, k := range o {
		sorted := slices.Sorted(slices.Values(k.seconds))
		fmt.Fprintf(tw, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%d\t%s\t%d\t%d\t%d\t%d\n", k.title, sorted[0],
			median(sorted), sorted[len(sorted)-1],
			k.call, len(sorted), k.goal, k.lost, k.acked, k.unknown, k.unexplained)
	}
	return tw.Flush()
}
