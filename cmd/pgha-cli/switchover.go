package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
)

func switchoverCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "switchover", Usage: "move the leadership to a replica, without losing a transaction",
		Description: "Refuses, before it changes anything, a replica that does not stream, lags, " +
			"is tagged nofailover or is on another\n" +
			"timeline, and a moment at which long transactions or a base backup would be cut " +
			"short, archiving fails, a member\n" +
			"is down already, so that nobody could take over while the former leader restarts, " +
			"or a consumer would lose its\n" +
			"replication slot.\n" +
			"Writes a checkpoint first, and keeps etcd's leadership out of the way. Ends once " +
			"the new leader takes writes\n" +
			"through the address and the former one streams from it.\n\n" +
			"With --at Patroni does it alone at that time: 2026-11-30T02:00, 02:00 (the next " +
			"one) or +90m. --cancel takes it back.",
		Flags: operationFlags(
			&cli.StringFlag{Name: "to",
				Usage: "the `MEMBER` that is to lead (default: the one that Patroni picks, which " +
					"is the quicker way under synchronous replication)"},
			&cli.StringFlag{Name: "at", Usage: "schedule it for this `TIME`"},
			&cli.BoolFlag{Name: "cancel", DisableDefaultText: true,
				Usage: "take the scheduled switchover back"},
			&cli.BoolFlag{Name: "force", DisableDefaultText: true,
				Usage: "even if long transactions or a base backup are cut short, archiving " +
					"fails, a member is down already, or consumers lose their slots"},
		),
		Action: func(c *cli.Context) error {
			if c.Bool("cancel") {
				return cancelSwitchover(c, out)
			}
			when, err := at(c.String("at"), time.Now())
			if err != nil {
				return err
			}
			return operate(c, out, operation[pgha.SwitchoverResult]{
				question: "Sessions to the present leader will be cut. Go ahead?",
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (pgha.SwitchoverResult, error) {
					return cl.Switchover(ctx, pgha.SwitchoverOptions{Operation: op,
						To: c.String("to"),
						At: when, Force: c.Bool("force")})
				},
				show:   func(r pgha.SwitchoverResult) { printSwitchover(out, r) },
				status: when.IsZero(),
			})
		},
	}
}

func printSwitchover(out *terminal.Terminal, r pgha.SwitchoverResult) {
	if r.Scheduled != nil {
		out.Printf("scheduled: %s; pgha-cli switchover --cancel takes it back\n", r.Scheduled)
		return
	}
	gap := "the time without writes was not measured"
	if r.WithoutWrites > 0 {
		gap = fmt.Sprintf("%.2fs without writes", r.WithoutWrites.Duration().Seconds())
	}
	if r.Held > 0 {
		gap += fmt.Sprintf(", clients of the poolers held for %.2fs", r.Held.Duration().Seconds())
	}
	following := fmt.Sprintf("all members streaming after %s", r.Complete)
	if r.Complete == 0 {
		following = "not all members stream from it yet"
	}
	out.Printf("%s leads now instead of %s, on timeline %d: %s, promoted after %s, %s\n",
		r.NewLeader, r.OldLeader, r.Timeline, gap, r.Promoted, following)
}

func cancelSwitchover(c *cli.Context, out *terminal.Terminal) error {
	return operate(c, out, operation[patroni.ScheduledSwitchover]{
		do: func(ctx context.Context, cl *pgha.Cluster,
			op pgha.Operation) (patroni.ScheduledSwitchover, error) {
			return cl.CancelSwitchover(ctx, op)
		},
		show: func(was patroni.ScheduledSwitchover) { out.Printf("cancelled: %s\n", was) },
	})
}

func failoverCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "failover",
		Usage: "make a replica the leader when the leader is gone and Patroni does not do it by " +
			"itself",
		Description: "For a paused cluster, or one in which no replica is good enough by " +
			"Patroni's rules. Refused while the leader is\n" +
			"healthy: that is what switchover is for. Says how much may be lost, and wants that " +
			"accepted.",
		Flags: operationFlags(
			&cli.StringFlag{Name: "to", Usage: "the `MEMBER` that is to lead (default: the most " +
				"advanced)"},
			&cli.BoolFlag{Name: "accept-loss", DisableDefaultText: true,
				Usage: "accept the loss of transactions, an unknown number of them included"},
			numberFlag("max-loss", 0, "", "accept the loss of so many `BYTES` of WAL"),
		),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[patroni.FailoverResult]{
				question: "Transactions may be lost, as said above. Go ahead?",
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (patroni.FailoverResult, error) {
					return cl.Failover(ctx, pgha.FailoverOptions{Operation: op, To: c.String("to"),
						AcceptLoss: c.Bool("accept-loss"), MaxLossBytes: c.Int64("max-loss")})
				},
				show: func(r patroni.FailoverResult) {
					by := ""
					if r.Automatic {
						by = ", by Patroni itself"
					}
					out.Printf("%s leads now, on timeline %d%s: promoted after %s\n", r.NewLeader,
						r.Timeline, by, r.Promoted)
				},
				status: true,
			})
		},
	}
}
