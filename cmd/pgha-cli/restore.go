package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/restore"
)

func restoreCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "bring the cluster back to a moment of the past",
		Description: "All databases, on all members. Applications are kept out meanwhile. What was " +
			"there before is kept on every host until\n" +
			"restore confirm deletes it; restore undo brings it back.\n\n" +
			"   pgha-cli restore --to '2026-11-30 14:05:00' --look        open that moment to be read, beside the cluster\n" +
			"   pgha-cli restore --to 10m --look --sql 'SELECT count(*) FROM orders'\n" +
			"   pgha-cli restore --to '2026-11-30 14:05:00' --dry-run     the steps, and their cost\n" +
			"   pgha-cli restore --to '2026-11-30 14:05:00'\n\n" +
			"--to is a time (of this machine's zone, or with one: 2026-11-30T14:05:00Z), how long ago " +
			"(10m), a place in the log\n" +
			"(0/E017998), a restore point (name:before-release), the label of a backup, or latest. " +
			"Each step is recorded: when a run\n" +
			"is cut off, any operator finishes it with change continue, or takes it back with " +
			"change undo.\n\n" +
			"With --as another cluster begins with the backups of this one; after the loss of all " +
			"hosts the same one, on empty hosts:\n\n" +
			"   pgha-cli restore --as staging.yaml --to 1h\n" +
			"   pgha-cli restore --as pgha.yaml",
		Flags: operationFlags(
			&cli.StringFlag{Name: "to", Usage: "the `MOMENT`"},
			&cli.StringFlag{Name: "set", DefaultText: "the best one",
				Usage: "the `LABEL` of the backup to begin with"},
			&cli.BoolFlag{Name: "look", DisableDefaultText: true,
				Usage: "open the moment to be read beside the cluster, and change nothing"},
			&cli.StringFlag{Name: "sql", Usage: "with --look: run this `STATEMENT` there, and end"},
			&cli.StringFlag{Name: "database", Value: "postgres", Usage: "the `DATABASE` of --sql"},
			&cli.StringFlag{Name: "as", Usage: "make the cluster of this `SPECIFICATION`, which has no " +
				"databases yet, with the data of --spec's backups"}),
		Subcommands: []*cli.Command{restoreConfirmCommand(out), restoreUndoCommand(out)},
		Action: func(c *cli.Context) error {
			switch {
			case c.IsSet("as"):
				return restoreAs(c, out)
			case c.String("to") == "":
				return usagef("restore wants --to MOMENT: a time, how long ago, latest, ...")
			case c.IsSet("sql") && !c.Bool("look"):
				return usagef("--sql reads what --look opens: add --look")
			case c.Bool("look"):
				return lookBack(c, out)
			}
			return operate(c, out, operation[restore.Result]{
				question: "What was written since then will not be in the databases any more, until " +
					"restore undo. Go ahead?",
				connect: &pgha.ConnectOptions{AllowUnreachable: true},
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (restore.Result, error) {
					return cl.Backups().Restore(ctx, restore.Options{Operation: op,
						To: c.String("to"), Set: c.String("set")})
				},
				show: func(r restore.Result) { showRestored(out, r) },
			})
		},
	}
}

// restoreAs makes a cluster that begins with the backups of another one.
func restoreAs(c *cli.Context, out *terminal.Terminal) error {
	for _, name := range []string{"look", "sql", "set"} {
		if c.IsSet(name) {
			return usagef("--%s is for a restore into the same cluster, not for --as", name)
		}
	}
	ctx, end, err := bounded(c)
	if err != nil {
		return err
	}
	defer end()
	var opts pgha.ConnectOptions
	of, err := loadSpec(ctx, c, out, &opts)
	if err != nil {
		return err
	}
	sp, err := loadFile(c.String("as"))
	if err != nil {
		return err
	}
	to := cmp.Or(c.String("to"), "latest")
	from, err := restore.SourceOf(ctx, of, sp, to)
	if err != nil {
		return err
	}
	return connected(ctx, out, sp, opts, func(ctx context.Context, cl *pgha.Cluster) error {
		phases := restore.Phases(from)
		plan, err := cl.Plan(ctx, pgha.PlanOptions{Phases: phases, Observer: warnings(out)})
		switch {
		case err != nil:
			return err
		case c.Bool("dry-run") && wantsJSON(c):
			return out.JSON(typedPlan(plan))
		case c.Bool("dry-run"):
			printPlan(out, plan)
			return nil
		case asksFirst(c):
			if err := confirm(ctx, out, fmt.Sprintf("Make %s of the backups of %s, as of %s?",
				sp.Cluster, of.Cluster, to), ""); err != nil {
				return err
			}
		}
		return runApply(ctx, c, out, cl, pgha.ApplyOptions{Phases: phases}, onceEach())
	})
}

func showRestored(out *terminal.Terminal, r restore.Result) {
	out.Printf("%s after %s: the cluster is as it was at %s\n",
		out.Paint(terminal.Green, "restored"), r.Elapsed, r.Target)
	if r.LastKept != nil {
		out.Printf("the last commit that is there: %s\n",
			r.LastKept.Local().Format("2006-01-02 15:04:05.000 MST"))
	}
	if r.FirstGone != nil {
		out.Printf("the first that is not:          %s\n", *r.FirstGone)
	}
	out.Printf("the data of before is kept on each database host: %s\n", r.Kept)
	out.Printf("next: pgha-cli restore confirm deletes it, pgha-cli restore undo brings it back\n")
}

// lookBack opens a moment to be read: for one statement, or until a person has seen enough.
func lookBack(c *cli.Context, out *terminal.Terminal) error {
	statement := c.String("sql")
	if statement == "" && !askable() && !c.Bool("dry-run") {
		return usagef("restore --look waits until you have read, and there is no terminal: give a " +
			"statement with --sql")
	}
	answer := ""
	return operate(c, out, operation[*restore.Sight]{
		do: func(ctx context.Context, cl *pgha.Cluster, op pgha.Operation) (*restore.Sight, error) {
			var seen *restore.Sight
			err := cl.Backups().Look(ctx, restore.Options{Operation: op, To: c.String("to"),
				Set: c.String("set")}, func(ctx context.Context, s restore.Sight) (err error) {
				seen = &s
				if statement != "" {
					answer, err = s.Query(ctx, c.String("database"), statement)
					return err
				}
				out.Printf("%s on %s, read only: %s\n", out.Paint(terminal.Green, s.Target), s.Host,
					s.Psql)
				out.Printf("press Enter when you have seen enough; the copy is deleted then\n")
				return untilEnter(ctx)
			})
			return seen, err
		},
		report: func(s *restore.Sight) any {
			if s == nil {
				return nil
			}
			return sightAnswer{*s, answer}
		},
		show: func(*restore.Sight) { out.Printf("%s", answer) },
	})
}

// sightAnswer is what restore --look --output json prints as its result.
type sightAnswer struct {
	restore.Sight
	Answer string `json:"answer"`
}

// untilEnter waits for a line, or for the end of ctx.
func untilEnter(ctx context.Context) error {
	read := make(chan struct{})
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // an end of input is an answer, too
		close(read)
	}()
	select {
	case <-read:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func restoreConfirmCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "confirm", Usage: "delete the data that the last restore has kept",
		Description: "On every database host. After that the restore cannot be taken back, but by " +
			"another restore.",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[struct{}]{
				question: "The data of before the restore will be gone. Go ahead?",
				connect:  &pgha.ConnectOptions{AllowUnreachable: true},
				do: func(ctx context.Context, cl *pgha.Cluster, op pgha.Operation) (struct{}, error) {
					return struct{}{}, cl.Backups().Confirm(ctx, op)
				},
				show: func(struct{}) { out.Printf("confirmed\n") },
			})
		},
	}
}

func restoreUndoCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "undo", Usage: "bring back what was there before the last restore",
		Description: "With all that was written until then. What was written since the restore is " +
			"gone for good. Applications are kept out\n" +
			"meanwhile. When a run is cut off, change continue finishes it.",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[restore.Result]{
				question: "What was written since the restore will be gone, for good. Go ahead?",
				connect:  &pgha.ConnectOptions{AllowUnreachable: true},
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (restore.Result, error) {
					return cl.Backups().Undo(ctx, op)
				},
				show: func(r restore.Result) {
					out.Printf("%s after %s: the cluster is as it was before the restore to %s\n",
						out.Paint(terminal.Green, "taken back"), r.Elapsed, r.Target)
				},
			})
		},
	}
}
