package main

import (
	"context"
	"fmt"
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
