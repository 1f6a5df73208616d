package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/restore"
)

func backupCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "backup", Usage: "make, list and prove backups",
		Description: "pgBackRest makes it, from a replica where one streams, into the repository that " +
			"the section backup of the\n" +
			"specification names. It goes on when this program ends. Backups are also made by the " +
			"calendar of that section.\n\n" +
			"   pgha-cli backup                  what has changed since the last one\n" +
			"   pgha-cli backup --type full      everything\n" +
			"   pgha-cli backup list             what there is, and from when to when it reaches\n" +
			"   pgha-cli backup drill            restore the newest one beside the database, and read it\n\n" +
			"pgha-cli restore goes back to a moment of the past.",
		Flags: operationFlags(&cli.StringFlag{Name: "type", DefaultText: "incr, or full for the first",
			Usage: "`TYPE`: full, diff (since the last full one) or incr (since the last one)"}),
		Subcommands: []*cli.Command{backupListCommand(out), backupCheckCommand(out),
			backupExpireCommand(out), backupDrillCommand(out)},
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[restore.TakeResult]{
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (restore.TakeResult, error) {
					return cl.Backups().Take(ctx, restore.TakeOptions{Operation: op,
						Type: backup.Type(c.String("type"))})
				},
				show: func(r restore.TakeResult) {
					out.Printf("%s after %s: %s, %s of %s\n", out.Paint(terminal.Green, r.Label),
						r.Elapsed, r.Type, size(r.RepositorySize), size(r.Size))
				},
			})
		},
	}
}

func backupListCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "show the backups, and from when to when each can be restored",
		Description: "UNTIL is the last moment whose log is in the archive without a gap. A backup " +
			"that a restore has left behind leads to\n" +
			"what was before that restore.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			return withCluster(c, out, pgha.ConnectOptions{AllowUnreachable: true, ReadOnly: true},
				func(ctx context.Context, cl *pgha.Cluster) error {
					found, err := cl.Backups().List(ctx)
					switch {
					case err != nil:
						return err
					case wantsJSON(c):
						return out.JSON(found)
					}
					showBackups(out, found)
					return nil
				})
		},
	}
}

func showBackups(out *terminal.Terminal, found restore.Contents) {
	w := out.Table()
	fmt.Fprintln(w, "BACKUP\tTYPE\tSIZE\tSTORED\tFROM\tUNTIL\t")
	for i, s := range found.Sets {
		reach, note := found.Windows[i], ""
		switch {
		case reach.Former:
			note = "from before a reset"
		case reach.Missing != "":
			note = "segment " + reach.Missing + " is missing"
		case reach.Abandoned:
			note = "left behind by a restore"
		case s.Damaged:
			note = "pages had wrong checksums"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Label, s.Type, size(s.Size),
			size(s.RepositorySize), onClock(reach.From), onClock(reach.To), note)
	}
	if len(found.Sets) == 0 {
		out.Printf("there is no backup yet: pgha-cli backup makes the first one\n")
	} else {
		w.Flush()
	}
	if found.Running {
		out.Printf("a backup is being made\n")
	}
	if p := found.Proof; p != nil {
		out.Printf("\n%s\n", proofLine(out, *p))
	}
	if found.Kept != nil {
		out.Printf("\n%s\nnext: pgha-cli restore confirm deletes that, pgha-cli restore undo brings it "+
			"back\n", found.Kept)
	}
}

// size is a number of bytes as people read it.
func size(bytes int64) string {
	if bytes < 10<<30 {
		return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/(1<<30))
}

// onClock is a time in this machine's zone.
func onClock(at time.Time) string { return at.Local().Format("2006-01-02 15:04:05 MST") }

func proofLine(out *terminal.Terminal, p backup.Proof) string {
	if !p.Proven {
		return fmt.Sprintf("%s on %s: %s", out.Paint(terminal.Red, "not proven"), onClock(p.Began),
			strings.Join(p.Problems, "; "))
	}
	return fmt.Sprintf("%s on %s: %s was restored in %.1f s on %s; the newest row that came back was "+
		"%.0f s old", out.Paint(terminal.Green, "proven"), onClock(p.Began), p.Backup,
		p.RecoverySeconds, p.Host, p.RecoveryPointSeconds)
}

func backupCheckCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "send a segment of the log to the archive, and wait until it is there",
		Description: "The way from the leader to the repository works then: configuration, " +
			"certificates, the program on both ends.",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[struct{}]{
				do: func(ctx context.Context, cl *pgha.Cluster, op pgha.Operation) (struct{}, error) {
					return struct{}{}, cl.Backups().Check(ctx, op)
				},
				show: func(struct{}) {
					out.Printf("%s: the log reaches the repository\n", out.Paint(terminal.Green, "ok"))
				},
			})
		},
	}
}

func backupExpireCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "expire", Usage: "delete backups that are older than backup.retention_days",
		Description: "As happens after each full backup. What is needed to restore a backup that " +
			"stays is never deleted.",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[struct{}]{
				question: "Delete what is older than backup.retention_days?",
				do: func(ctx context.Context, cl *pgha.Cluster, op pgha.Operation) (struct{}, error) {
					return struct{}{}, cl.Backups().Expire(ctx, op)
				},
				show: func(struct{}) { out.Printf("done\n") },
			})
		},
	}
}

func backupDrillCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "drill", Usage: "restore the newest backup beside the database, and read all of it",
		Description: "On the host that backup.proof_host names, into a directory next to the data, with " +
			"a server that nobody else reaches.\n" +
			"Every index is compared with its table and every page with its checksum; then the copy " +
			"is deleted. It says how long\n" +
			"the restore took, and how old the newest row was that came back. Exit code 1 if " +
			"anything was wrong.",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[backup.Proof]{
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (backup.Proof, error) {
					return cl.Backups().Prove(ctx, op)
				},
				show: func(p backup.Proof) {
					out.Printf("%s\n", proofLine(out, p))
					out.Printf("%d indexes in %d databases were compared with their tables\n", p.Indexes,
						p.Databases)
				},
			})
		},
	}
}

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
