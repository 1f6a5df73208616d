package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/doctor/checkup"
)

func doctorCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "what is wrong, what it causes, and the command that mends it",
		Description: "Looks at everything at once: units, journals, certificates, disks, clocks, " +
			"ports, permissions, etcd, Patroni,\n" +
			"PostgreSQL, HAProxy, keepalived, and what has drifted from the specification. It " +
			"names causes; what only follows\n" +
			"from one is folded under it (--all shows that, too). It changes nothing.\n\n" +
			"--fix runs the commands that a finding prints, under the cluster's lock and in the " +
			"trail of its operations, after\n" +
			"it has shown them and asked. A finding is named by its ID, or by ID@HOST where " +
			"several hosts have it.\n\n" +
			"Exits with 1 when there is a finding of severity error, and with 0 when there are " +
			"warnings at most.",
		Flags: []cli.Flag{
			outputFlag(),
			&cli.StringFlag{Name: "fix", Usage: "mend the finding with this `ID`"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, DisableDefaultText: true,
				Usage: "with --fix: say what would be done, and do nothing"},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, DisableDefaultText: true,
				Usage: "with --fix: do not ask"},
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, DisableDefaultText: true,
				Usage: "show symptoms in full, too"},
			&cli.DurationFlag{Name: "long-transaction",
				Usage:       "`AGE` from which an open transaction is reported",
				DefaultText: "1h"},
			&cli.DurationFlag{Name: "timeout", DefaultText: "10s for a look, no limit for --fix",
				Usage: "give up after this `TIME`"},
		},
		Action: func(c *cli.Context) error {
			if c.String("fix") != "" {
				return fixFinding(c, out)
			}
			for _, flag := range []string{"dry-run", "yes"} {
				if c.Bool(flag) {
					return usagef("--%s goes with --fix", flag)
				}
			}
			return withCluster(c, out, lookOptions(),
				func(ctx context.Context, cl *pgha.Cluster) error {
					d, err := checkup.Examine(ctx, cl, examineOptions(c))
					if err != nil {
						return err
					}
					if wantsJSON(c) {
						if err := out.JSON(typedDiagnosis(d)); err != nil {
							return err
						}
					} else {
						printDiagnosis(out, d, c.Bool("all"))
					}
					if !d.Healthy {
						return exitCode(exitFailed)
					}
					return nil
				})
		},
		Subcommands: []*cli.Command{bundleCommand(out)},
	}
}

func examineOptions(c *cli.Context) checkup.Options {
	return checkup.Options{
		LongTransaction: c.Duration("long-transaction"),
		Write:           func(d doctor.Diagnosis) any { return typedDiagnosis(d) },
	}
}

// fixFinding looks, shows what would be done, asks, and does it.
func fixFinding(c *cli.Context, out *terminal.Terminal) error {
	dry, yes := c.Bool("dry-run"), c.Bool("yes")
	if !dry && !yes && !askable() {
		return usagef(
			"doctor --fix asks before it acts, and there is no terminal to ask on: add --yes, or " +
				"--dry-run to only look")
	}
	var found []doctor.Finding
	err := withCluster(c, out, changeOptions(), func(ctx context.Context, cl *pgha.Cluster) error {
		d, err := checkup.Examine(ctx, cl, examineOptions(c))
		if err != nil {
			return err
		}
		if found = matching(d, c.String("fix")); len(found) == 0 {
			return withHint(fmt.Errorf("%w: there is no finding %s", pgha.ErrRefused,
				c.String("fix")),
				"pgha-cli doctor lists what there is; a symptom is mended by mending its cause")
		}
		return runFixes(ctx, c, out, cl, found, true)
	})
	if err != nil || dry {
		return err
	}
	if !yes {
		if err := confirm(c.Context, out, "Mend it?", deletes(found)); err != nil {
			return err
		}
	}
	opts := pgha.ConnectOptions{AllowUnreachable: true, Timeout: lookTimeout}
	return withCluster(c, out, opts, func(ctx context.Context, cl *pgha.Cluster) error {
		if err := runFixes(ctx, c, out, cl, found, false); err != nil {
			return err
		}
		if !wantsJSON(c) {
			out.Printf("%s pgha-cli doctor shows what is left\n",
				out.Paint(terminal.Green, "done:"))
		}
		return nil
	})
}

// matching returns the findings with an ID, ID@HOST or the whole key.
func matching(d doctor.Diagnosis, name string) []doctor.Finding {
	found := d.Find(name)
	for _, f := range d.Findings {
		if len(found) == 0 && f.ID+atHost(f) == name {
			return append(found, f)
		}
	}
	return found
}

// deletes returns what has to be typed before a member's data is deleted: its name.
func deletes(found []doctor.Finding) string {
	for _, f := range found {
		for _, s := range f.Remedy {
			if s.Deletes != "" {
				return s.Deletes
			}
		}
	}
	return ""
}

func runFixes(ctx context.Context, c *cli.Context, out *terminal.Terminal, cl *pgha.Cluster,
	found []doctor.Finding, dry bool) error {
	observe := operationText(out)
	if wantsJSON(c) {
		observe = nil
	}
	for _, f := range found {
		if !wantsJSON(c) && dry {
			out.Printf("%s: %s\n", f.Key(), f.Title)
		}
		err := checkup.Fix(ctx, cl, f, pgha.Operation{DryRun: dry, Observer: observe})
		if errors.Is(err, checkup.ErrNotFixable) {
			return withHint(fmt.Errorf("%w: %w", pgha.ErrRefused, err),
				"mend it by hand as pgha-cli doctor says")
		}
		if err != nil {
			return err
		}
	}
	if wantsJSON(c) && dry == c.Bool("dry-run") {
		return out.JSON(fixAnswer{dry, typedFindings(found)})
	}
	return nil
}

func bundleCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "bundle", Usage: "pack what the doctor sees for somebody else, without secrets",
		ArgsUsage: "[FILE]",
		Description: "Writes a .tar.gz with the facts, the findings, the specification, " +
			"configurations and the ends of the journals.\n" +
			"Passwords, private keys and the texts of queries are not in it. Have a look before " +
			"you send it all the same:\n" +
			"names and addresses of hosts are. Default FILE: pgha-CLUSTER-TIME.tar.gz in the " +
			"current folder.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Len() > 1 {
				return usagef("doctor bundle wants one file at most")
			}
			return withCluster(c, out, lookOptions(),
				func(ctx context.Context, cl *pgha.Cluster) error {
					name := c.Args().First()
					b, err := checkup.Bundle(ctx, cl, examineOptions(c))
					if err != nil {
						return err
					}
					if name == "" {
						name = b.Name
					}
					if err := os.WriteFile(name, b.Archive, 0o600); err != nil {
						return fmt.Errorf("write the bundle: %w", err)
					}
					if wantsJSON(c) {
						return out.JSON(bundleAnswer{name, len(b.Archive), b.Files})
					}
					out.Printf("%s: %d files, %d KiB\n", name, len(b.Files), len(b.Archive)>>10)
					return nil
				})
		},
	}
}
