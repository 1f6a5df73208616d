package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/pgha"
)

func switchoverCommand(out *terminal) *cli.Command {
	return &cli.Command{
		Name: "switchover", Usage: "move the leadership to a replica, without losing a transaction",
		Description: "Refuses, before it changes anything, a replica that does not stream, lags, is tagged nofailover or is on another\n" +
			"timeline. Ends once the new leader takes writes through the address and the former one streams from it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "the `MEMBER` that shall lead (default: the replica that is behind the least)"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			return withCluster(c, out, pgha.ConnectOptions{}, func(ctx context.Context, cl *pgha.Cluster) error {
				result, err := cl.Switchover(ctx, pgha.SwitchoverOptions{To: c.String("to"), Operation: pgha.Operation{Observer: applyText(out)}})
				if err != nil {
					return err
				}
				if wantsJSON(c) {
					return out.json(result)
				}
				if result.OldLeader == result.NewLeader {
					out.printf("%s leads already\n", result.NewLeader)
					return nil
				}
				out.printf("%s leads now, on timeline %d: promoted after %s, all members streaming after %s\n",
					result.NewLeader, result.Timeline, seconds(result.Promoted), seconds(result.Complete))
				return showAfter(ctx, out, cl)
			})
		},
	}
}

// showAfter prints the status at the end of a change.
func showAfter(ctx context.Context, out *terminal, cl *pgha.Cluster) error {
	status, err := cl.Status(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(out.stdout)
	printStatus(out, status)
	return nil
}
