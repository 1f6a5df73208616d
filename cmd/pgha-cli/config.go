package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/pgha"
)

func configCommand(out *terminal) *cli.Command {
	return &cli.Command{
		Name: "config", Usage: "look at the settings of the whole cluster, and change them",
		Subcommands: []*cli.Command{configShowCommand(out), configSetCommand(out), configEditCommand(out)},
	}
}

func configShowCommand(out *terminal) *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "the specification, the DCS, each member's config.yml and what PostgreSQL uses, side by side",
		Description: "Shows the settings that the specification or the DCS names, and every other one in which something differs, with\n" +
			"the reason: ALTER SYSTEM on one member, a value that waits for a restart, a change that the next apply would undo.\n" +
			"Values in different units that mean the same do not differ. A difference is no error unless --check is given.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", DisableDefaultText: true, Usage: "every setting that is not PostgreSQL's default"},
			&cli.BoolFlag{Name: "check", DisableDefaultText: true, Usage: "exit with 1 when something differs or a member does not answer"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			opts := pgha.ConnectOptions{AllowUnreachable: true, ReadOnly: true, Timeout: lookTimeout}
			return withCluster(c, out, opts, func(ctx context.Context, cl *pgha.Cluster) error {
				report, err := cl.Config(ctx)
				if err != nil {
					return err
				}
				different := report.Differences()
				if !c.Bool("all") {
					report.Rows = slices.DeleteFunc(report.Rows, func(r pgha.ConfigRow) bool {
						return !r.Differs && (r.Local || r.Spec == nil && r.DCS == nil)
					})
				}
				if wantsJSON(c) {
					err = out.json(report)
				} else {
					printConfig(out, report, different)
				}
				if err == nil && c.Bool("check") && (different > 0 || len(report.Errors) > 0) {
					return exitCode(exitFailed)
				}
				return err
			})
		},
	}
}

// printConfig prints a line a setting, and why it differs below those that do.
func printConfig(out *terminal, r pgha.ConfigReport, different int) {
	files := slices.ContainsFunc(r.Rows, func(row pgha.ConfigRow) bool { return inFiles(r, row) != "-" })
	head := []string{"SETTING", "SPEC", "DCS"}
	if files {
		head = append(head, "CONFIG.YML")
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(append(head, r.Members...), "\t"))
	for _, row := range r.Rows {
		cells := []string{strings.TrimPrefix(row.Key, "postgresql.parameters."), cell(row.Spec), cell(row.DCS)}
		if files {
			cells = append(cells, inFiles(r, row))
		}
		for _, m := range r.Members {
			cells = append(cells, cell(row.Members[m].Actual))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	w.Flush()
	lines := strings.Split(strings.TrimRight(table.String(), "\n"), "\n")
	out.printf("%s\n", strings.TrimRight(lines[0], " "))
	for i, row := range r.Rows {
		line := strings.TrimRight(lines[i+1], " ")
		if !row.Differs {
			out.printf("%s\n", line)
			continue
		}
		out.printf("%s\n", out.paint(yellow, line))
		for _, why := range row.Why {
			out.printf("  %s %s\n", out.paint(yellow, "≠"), printable(why))
		}
	}
	for _, member := range slices.Sorted(maps.Keys(r.Errors)) {
		out.printf("%s %s: %s\n", out.paint(red, "✗"), member, r.Errors[member])
	}
	if different > 0 {
		out.printf("\n%s\n", out.paint(yellow, fmt.Sprintf("settings that differ: %d", different)))
	} else if len(r.Errors) == 0 {
		out.printf("\n%s\n", out.paint(green, "nothing differs"))
	}
}

// inFiles is the value in the members' config.yml, "-" when it is in none.
func inFiles(r pgha.ConfigReport, row pgha.ConfigRow) string {
	found := "-"
	for i, m := range r.Members {
		text := cell(row.Members[m].File)
		if i > 0 && text != found {
			return "(differs)"
		}
		found = text
	}
	return found
}

// cell is a value that fits into a table.
func cell(value *string) string {
	const most = 24
	switch {
	case value == nil:
		return "-"
	case *value == "":
		return `""`
	}
	text := printable(*value)
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most-1]) + "…"
	}
	return text
}
