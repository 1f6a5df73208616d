package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
)

func restartCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "restart", Usage: "restart PostgreSQL, one member at a time",
		ArgsUsage: "[MEMBER...]",
		Description: "Waits after each until it streams again, and stops at the first that does " +
			"not come back. The leader comes last, in\n" +
			"place after a checkpoint, or after a switchover. Refused while another member is " +
			"not healthy.",
		Flags: operationFlags(
			&cli.BoolFlag{Name: "pending", DisableDefaultText: true,
				Usage: "only members with a setting that waits for a restart"},
			&cli.StringFlag{Name: "role", Usage: "only the `ROLE`: leader, or replica for all " +
				"others"},
			&cli.BoolFlag{Name: "by-switchover", DisableDefaultText: true,
				Usage: "move the leadership away before the leader is restarted"},
			&cli.StringFlag{Name: "at",
				Usage: "schedule the restart of one member for this `TIME`: 2026-11-30T02:00, " +
					"02:00 or +90m"},
			&cli.BoolFlag{Name: "cancel", DisableDefaultText: true,
				Usage: "take the scheduled restart of one member back"},
			&cli.BoolFlag{Name: "force", DisableDefaultText: true,
				Usage: "even if another member is not healthy or transactions are cut short"},
		),
		Action: func(c *cli.Context) error {
			if role := c.String("role"); role != "" && role != "leader" && role != "replica" {
				return usagef("--role %q: there is leader and replica", role)
			}
			if c.Bool("cancel") {
				return cancelRestart(c, out)
			}
			when, err := at(c.String("at"), time.Now())
			if err != nil {
				return err
			}
			return operate(c, out, operation[patroni.RestartResult]{
				question: "Sessions to these members will be cut. Go ahead?",
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (patroni.RestartResult, error) {
					return cl.Restart(ctx, pgha.RestartOptions{Operation: op,
						Members:     c.Args().Slice(),
						Role:        patroni.Role(c.String("role")),
						PendingOnly: c.Bool("pending"), BySwitchover: c.Bool("by-switchover"),
						At:    when,
						Force: c.Bool("force")})
				},
				show: func(r patroni.RestartResult) { printRestart(out, r) }, status: when.IsZero(),
			})
		},
	}
}

func printRestart(out *terminal.Terminal, r patroni.RestartResult) {
	if s := r.Scheduled; s != nil {
		out.Printf("scheduled: restart of %s at %s; pgha-cli restart %s --cancel takes it back\n",
			s.Member, stamp(s.At), s.Member)
		return
	}
	for _, m := range r.Restarted {
		pending := ""
		if len(m.Pending) > 0 {
			pending = ", still waiting for another restart: " + strings.Join(m.Pending, ", ")
		}
		out.Printf("%s (%s) was down for %s and healthy after %s%s\n", m.Member, m.Role, m.Down,
			m.Took, pending)
	}
	if len(r.Restarted) == 0 {
		out.Printf("nothing to restart\n")
	}
}

func cancelRestart(c *cli.Context, out *terminal.Terminal) error {
	member, err := oneArgument(c, "member")
	if err != nil {
		return err
	}
	return operate(c, out, operation[patroni.ScheduledRestart]{
		do: func(ctx context.Context, cl *pgha.Cluster,
			op pgha.Operation) (patroni.ScheduledRestart, error) {
			return cl.CancelRestart(ctx, op, member)
		},
		show: func(was patroni.ScheduledRestart) {
			out.Printf("cancelled: restart of %s at %s\n", was.Member,
				stamp(was.At))
		},
	})
}

func reloadCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "reload", Usage: "make members read their configuration files again",
		ArgsUsage: "[MEMBER...]",
		Description: "PostgreSQL is not restarted and no session notices. Settings that need a " +
			"restart become pending.",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[patroni.ReloadResult]{
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (patroni.ReloadResult, error) {
					return cl.Reload(ctx, pgha.ReloadOptions{Operation: op,
						Members: c.Args().Slice()})
				},
				show: func(r patroni.ReloadResult) {
					out.Printf("reloaded: %s\n", strings.Join(r.Reloaded, ", "))
				},
			})
		},
	}
}

func reinitCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "reinit", Usage: "delete a replica's data and copy it again", ArgsUsage: "MEMBER",
		Description: "For a replica that cannot come back otherwise. Refuses the leader, and the " +
			"last healthy replica unless forced.\n" +
			"Asks for the member's name to be typed, and follows the copy.",
		Flags: operationFlags(
			&cli.BoolFlag{Name: "force", DisableDefaultText: true,
				Usage: "even if it is the only healthy replica, or is being copied already"},
			&cli.BoolFlag{Name: "from-leader", DisableDefaultText: true,
				Usage: "copy from the leader, not from a replica tagged clonefrom"},
			&cli.StringFlag{Name: "from", DefaultText: "member",
				Usage: "copy a `SOURCE`: member, or backup (the newest, with the log in the archive)"},
		),
		Action: func(c *cli.Context) error {
			member, err := oneArgument(c, "member")
			if err != nil {
				return err
			}
			from := c.String("from")
			if from != "" && from != "member" && from != "backup" {
				return usageError{fmt.Sprintf("--from is member or backup, not %q", from)}
			}
			return operate(c, out, operation[pgha.ReinitializeResult]{
				question: "All data of " + member + " will be deleted and copied again.",
				typed:    member,
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (pgha.ReinitializeResult, error) {
					return cl.Reinitialize(ctx, pgha.ReinitializeOptions{Operation: op,
						Member: member,
						Force:  c.Bool("force"), FromLeader: c.Bool("from-leader"),
						FromBackup: from == "backup"})
				},
				show: func(r pgha.ReinitializeResult) {
					of := ""
					if b := r.Backup; b != nil {
						of = fmt.Sprintf(" of backup %s and %d segments of the archive", b.Backup,
							b.Segments)
					}
					out.Printf("%s streams again: copied%s in %s, %s in all\n", r.Member, of,
						r.Copied, r.Took)
				},
				status: true,
			})
		},
	}
}

func pauseCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "pause", Usage: "take the cluster out of Patroni's hands: nobody is promoted if " +
			"the leader fails",
		Description: "For work on PostgreSQL or etcd that Patroni must not react to. Do not " +
			"forget to resume.",
		Flags: operationFlags(waitFlag()),
		Action: func(c *cli.Context) error {
			return setPause(c, out, "Until it is resumed nobody is promoted if the leader fails. "+
				"Go ahead?",
				(*pgha.Cluster).Pause)
		},
	}
}

func resumeCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "resume", Usage: "put a paused cluster back into Patroni's hands",
		Flags:  operationFlags(waitFlag()),
		Action: func(c *cli.Context) error { return setPause(c, out, "", (*pgha.Cluster).Resume) },
	}
}

func waitFlag() cli.Flag {
	return &cli.BoolFlag{Name: "wait", DisableDefaultText: true,
		Usage: "until every member has noticed"}
}

func setPause(c *cli.Context, out *terminal.Terminal, question string, set func(*pgha.Cluster,
	context.Context, pgha.PauseOptions) (patroni.PauseResult, error)) error {
	return operate(c, out, operation[patroni.PauseResult]{
		question: question,
		do: func(ctx context.Context, cl *pgha.Cluster, op pgha.Operation) (patroni.PauseResult,
			error) {
			return set(cl, ctx, pgha.PauseOptions{Operation: op, Wait: c.Bool("wait")})
		},
		show: func(r patroni.PauseResult) {
			state, already := "resumed", ""
			if r.Paused {
				state = "PAUSED"
			}
			if !r.Changed {
				already = " already"
			}
			out.Printf("the cluster is %s%s\n", state, already)
			if len(r.Silent) > 0 {
				out.Printf("%s did not answer and will notice when they come back\n",
					strings.Join(r.Silent, ", "))
			}
		},
	})
}
