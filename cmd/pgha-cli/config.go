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

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

func configCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "config", Usage: "look at the settings of the whole cluster, and change them",
		Subcommands: []*cli.Command{configShowCommand(out), configSetCommand(out),
			configEditCommand(out)},
	}
}

func configShowCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "show",
		Usage: "the specification, the DCS, each member's config.yml and what PostgreSQL uses, " +
			"side by side",
		Description: "Shows the settings that the specification or the DCS names, and every " +
			"other one in which something differs, with\n" +
			"the reason: ALTER SYSTEM on one member, a value that waits for a restart, a change " +
			"that the next apply would undo.\n" +
			"Values in different units that mean the same do not differ. A difference is no " +
			"error unless --check is given.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", DisableDefaultText: true,
				Usage: "every setting that is not PostgreSQL's default"},
			&cli.BoolFlag{Name: "check", DisableDefaultText: true,
				Usage: "exit with 1 when something differs or a member does not answer"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			return withCluster(c, out, lookOptions(),
				func(ctx context.Context, cl *pgha.Cluster) error {
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
						err = out.JSON(report)
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
func printConfig(out *terminal.Terminal, r pgha.ConfigReport, different int) {
	files := slices.ContainsFunc(r.Rows, func(row pgha.ConfigRow) bool {
		return inFiles(r, row) != "-"
	})
	head := []string{"SETTING", "SPEC", "DCS"}
	if files {
		head = append(head, "CONFIG.YML")
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(append(head, r.Members...), "\t"))
	for _, row := range r.Rows {
		cells := []string{strings.TrimPrefix(row.Key, "postgresql.parameters."), cell(row.Spec),
			cell(row.DCS)}
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
	out.Printf("%s\n", strings.TrimRight(lines[0], " "))
	for i, row := range r.Rows {
		line := strings.TrimRight(lines[i+1], " ")
		if !row.Differs {
			out.Printf("%s\n", line)
			continue
		}
		out.Printf("%s\n", out.Paint(terminal.Yellow, line))
		for _, why := range row.Why {
			out.Printf("  %s %s\n", out.Paint(terminal.Yellow, "≠"), printable(why))
		}
	}
	for _, member := range slices.Sorted(maps.Keys(r.Errors)) {
		out.Printf("%s %s: %s\n", out.Paint(terminal.Red, "✗"), member, r.Errors[member])
	}
	if different > 0 {
		out.Printf("\n%s\n", out.Paint(terminal.Yellow,
			fmt.Sprintf("settings that differ: %d", different)))
	} else if len(r.Errors) == 0 {
		out.Printf("\n%s\n", out.Paint(terminal.Green, "nothing differs"))
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

func configSetCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "set", Usage: "change settings of the whole cluster", ArgsUsage: "KEY=VALUE...",
		Description: "KEY is one of Patroni's dynamic settings, such as ttl or " +
			"postgresql.use_slots, or a parameter of PostgreSQL, such as\n" +
			"work_mem, which may also be written postgresql.parameters.work_mem. KEY= and " +
			"KEY=null remove a setting; KEY='\"\"' makes\n" +
			"it empty.\n\n" +
			"Before anything is changed names and values are checked against Patroni's rules and " +
			"by the PostgreSQL that runs. Ends\n" +
			"once every member has the change in effect, or waits for a restart because of it: " +
			"then see pgha-cli restart --pending.\n\n" +
			"The change lives in the DCS. What the specification names is put back by the next " +
			"apply: change it there.",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return usagef("%s wants KEY=VALUE, at least one", c.Command.HelpName)
			}
			settings, err := pgha.ParseSettings(c.Args().Slice())
			if err != nil {
				return err
			}
			return setConfig(c, out, pgha.SetConfigOptions{Set: settings})
		},
	}
}

// setConfig makes the change, to the very configuration that the plan was shown for.
func setConfig(c *cli.Context, out *terminal.Terminal, opts pgha.SetConfigOptions) error {
	return operate(c, out, operation[pgha.SetConfigResult]{
		question: "Change the configuration of all members?",
		do: func(ctx context.Context, cl *pgha.Cluster, op pgha.Operation) (pgha.SetConfigResult,
			error) {
			opts.Operation = op
			result, err := cl.SetConfig(ctx, opts)
			if op.DryRun && err == nil {
				opts.Expect = result.Config
			}
			return result, err
		},
		show:   func(r pgha.SetConfigResult) { printChanged(out, r) },
		report: typedConfig,
	})
}

// configResult is a result as JSON has it: verbs are commands of this program.
type configResult struct {
	pgha.SetConfigResult
	Notes []string `json:"notes,omitempty"`
}

func typedConfig(r pgha.SetConfigResult) any { return configResult{r, typedTexts(r.Notes)} }

func printChanged(out *terminal.Terminal, r pgha.SetConfigResult) {
	if len(r.Changes) == 0 {
		out.Printf("nothing to change\n")
		return
	}
	for _, ch := range r.Changes {
		out.Printf("%s: %s -> %s\n", ch.Key, orNone(ch.Old), orNone(ch.New))
	}
	if len(r.Silent) > 0 {
		out.Printf("%s no answer from %s, which takes the change when it is back\n",
			out.Paint(terminal.Yellow, "!"), strings.Join(r.Silent, ", "))
	}
	if len(r.Pending) == 0 {
		out.Printf("in effect on every member that answers\n")
		return
	}
	for _, p := range r.Pending {
		out.Printf("%s %s waits for a restart: %s\n", out.Paint(terminal.Yellow, "!"), p.Member,
			strings.Join(p.Settings, ", "))
	}
	out.Printf("pgha-cli restart --pending restarts them one at a time\n")
}

func orNone(value any) string {
	if value == nil {
		return "(none)"
	}
	return printable(fmt.Sprint(value))
}
