package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
)

func historyCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "history", Usage: "every change of leader: when, who, why, and where in the WAL",
		Description: "Each promotion ends one timeline and begins the next. The reason is " +
			"PostgreSQL's, which does not tell a switchover\n" +
			"from a failover; pgha-cli logs patroni shows what led to it.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "operations", DisableDefaultText: true,
				Usage: "what was done to the cluster with this tool: who, when, which changes, " +
					"with which result"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			return withCluster(c, out, lookOptions(),
				func(ctx context.Context, cl *pgha.Cluster) error {
					if c.Bool("operations") {
						return showOperations(ctx, c, out, cl)
					}
					history, err := cl.History(ctx)
					if err != nil {
						return err
					}
					if wantsJSON(c) {
						return out.JSON(historyAnswer{append([]patroni.HistoryEntry{}, history...)})
					}
					printHistory(out, history)
					return nil
				})
		},
	}
}

func printHistory(out *terminal.Terminal, history []patroni.HistoryEntry) {
	if len(history) == 0 {
		out.Printf("no change of leader since the cluster was made\n")
		return
	}
	w := out.Table()
	fmt.Fprintln(w, "TIME\tNEW LEADER\tENDED TIMELINE\tAT\tREASON")
	for _, h := range history {
		when := "-"
		if !h.At.IsZero() {
			when = stamp(h.At)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", when, dash(h.Leader), h.Timeline, h.LSN,
			dash(h.Reason))
	}
	w.Flush()
}

func showOperations(ctx context.Context, c *cli.Context, out *terminal.Terminal,
	cl *pgha.Cluster) error {
	operations, err := cl.Operations(ctx)
	if err != nil {
		return err
	}
	if wantsJSON(c) {
		return out.JSON(operationsAnswer{append([]pgha.OperationRecord{}, operations...)})
	}
	if len(operations) == 0 {
		out.Printf("the hosts remember no operation\n")
	}
	for _, o := range operations {
		result := out.Paint(terminal.Green, "done")
		switch {
		case o.Error != "":
			result = out.Paint(terminal.Red, "failed: "+o.Error)
		case !o.Finished:
			result = out.Paint(terminal.Yellow, "not finished: it goes on, or was killed")
		}
		out.Printf("%s  %s by %s, %s in %.1fs: %s\n", stamp(o.Time),
			out.Paint(terminal.Bold, o.Verb), o.Holder, counted(len(o.Changes), "change"),
			o.Seconds, result)
		for _, ch := range o.Changes {
			out.Printf("    %-12s %s %s %s\n", ch.Host, ch.Kind, ch.Name, ch.Action)
		}
	}
	return nil
}
