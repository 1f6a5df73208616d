package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
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

func syncCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "sync", Usage: "say which commits wait for replicas: off, on, strict or quorum",
		ArgsUsage: "MODE",
		Description: syncModes() +
			"\n\nWaits until the mode holds, and commits a transaction through the address to " +
			"prove it. A mode for which there are\n" +
			"too few healthy replicas is refused. The next apply puts back what the " +
			"specification says.",
		Flags: operationFlags(
			numberFlag("nodes", 0, "1", "a commit waits for this `NUMBER` of replicas"),
		),
		Action: func(c *cli.Context) error {
			mode, err := oneArgument(c, "mode: off, on, strict or quorum")
			if err != nil {
				return err
			}
			if c.IsSet("nodes") && c.Int("nodes") < 1 {
				return usagef("--nodes %d: at least 1; sync off waits for none", c.Int("nodes"))
			}
			return operate(c, out, operation[pgha.SynchronousResult]{
				question: "Change what every commit waits for?",
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (pgha.SynchronousResult, error) {
					return cl.SetSynchronous(ctx, pgha.SynchronousOptions{Operation: op,
						Mode: patroni.SynchronousMode(mode), Nodes: c.Int("nodes")})
				},
				show:   func(r pgha.SynchronousResult) { printSynchronous(out, r) },
				report: typedSynchronous,
			})
		},
	}
}

// synchronousResult is a result as JSON has it: verbs are commands of this program.
type synchronousResult struct {
	pgha.SynchronousResult
	Notes []string `json:"notes,omitempty"`
}

func typedSynchronous(r pgha.SynchronousResult) any {
	return synchronousResult{r, typedTexts(r.Notes)}
}

// syncModes explains every mode, for --help.
func syncModes() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, mode := range []patroni.SynchronousMode{patroni.SynchronousOff, patroni.SynchronousOn,
		patroni.SynchronousStrict, patroni.SynchronousQuorum} {
		promise, cost := pgha.DescribeSynchronous(mode)
		for i, line := range append(wrap(promise, 100), wrap("Cost: "+cost, 100)...) {
			name := ""
			if i == 0 {
				name = string(mode)
			}
			fmt.Fprintf(w, "%s\t%s\n", name, line)
		}
	}
	w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// wrap breaks text into lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

func printSynchronous(out *terminal.Terminal, r pgha.SynchronousResult) {
	if len(r.Changes) == 0 {
		out.Printf("synchronous mode was %s already\n", r.Mode)
	} else {
		out.Printf("synchronous mode is %s, after %s: %s\n", r.Mode, r.Took, r.Promise)
	}
	for _, replica := range r.Replicas {
		out.Printf("  %s  %s\n", replica.Member, replica.SyncState)
	}
	out.Printf("a commit through the address took %.1f ms\n", r.Commit.Duration().Seconds()*1000)
}
