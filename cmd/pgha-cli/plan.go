package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

func planCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "plan", Usage: "show what apply would change, and change nothing on the hosts",
		ArgsUsage: "[NAME...]",
		Description: "Host by host and in order, with a diff of every file that holds no secret, " +
			"and with what follows from it: services\n" +
			"that are restarted or reloaded, settings that make PostgreSQL wait for a restart. " +
			"It is apply's own code, with the\n" +
			"changes held back. What somebody changed by hand is marked as drift, with who owns " +
			"it, which operation wrote it last\n" +
			"and when it was changed since.\n\n" +
			"Exits with 0 when there is nothing to do and with 2 when there is. --save keeps the " +
			"plan for apply --plan, which refuses\n" +
			"to work when the hosts have changed since.\n\n" +
			"--accept takes drift into the specification instead: settings that were changed in " +
			"the DCS, or stand only there, and\n" +
			"single values of HAProxy's and keepalived's files. NAME, such as ttl, work_mem or " +
			"'patroni.*', takes that alone. The file\n" +
			"keeps its comments, order and form; the difference is shown, and asked for, before " +
			"it is written. Hosts are not changed.\n\n" +
			"--without is that of apply.",
		Flags: []cli.Flag{
			withoutFlag(),
			&cli.StringFlag{Name: "save", Usage: "keep the plan in this `FILE`, for apply --plan"},
			&cli.BoolFlag{Name: "accept", DisableDefaultText: true,
				Usage: "take what was changed by hand into the specification"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, DisableDefaultText: true,
				Usage: "with --accept: show the difference, and write nothing"},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, DisableDefaultText: true,
				Usage: "with --accept: do not ask"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.Bool("accept") && c.IsSet("without") {
				return usagef("--without does not go with --accept, which asks all hosts")
			}
			if c.Bool("accept") {
				return accept(c, out)
			}
			if c.Args().Present() || c.Bool("dry-run") || c.Bool("yes") {
				return usagef("names, --dry-run and --yes belong to plan --accept")
			}
			return withCluster(c, out, connectWithout(c),
				func(ctx context.Context, cl *pgha.Cluster) error {
					plan, err := shownPlan(ctx, c, out, cl)
					if err == nil && !plan.Empty() {
						return exitCode(exitChanges)
					}
					return err
				})
		},
	}
}

// shownPlan makes a plan, keeps it where --save says so, and shows it.
func shownPlan(ctx context.Context, c *cli.Context, out *terminal.Terminal,
	cl *pgha.Cluster) (pgha.Plan, error) {
	plan, err := cl.Plan(ctx, pgha.PlanOptions{
		Without: c.StringSlice("without"), Observer: warnings(out)})
	if err != nil {
		return plan, err
	}
	if file := c.String("save"); file != "" {
		if err := plan.Save(file); err != nil {
			return plan, err
		}
	}
	if wantsJSON(c) {
		return plan, out.JSON(typedPlan(plan))
	}
	printPlan(out, plan)
	return plan, nil
}

// warnings prints what deserves attention and nothing else.
func warnings(out *terminal.Terminal) pgha.Observer {
	show := applyText(out)
	return func(e pgha.Event) {
		if e.Kind == pgha.Warning {
			show(e)
		}
	}
}

// planReport is a Plan as JSON has it: verbs are commands of this program.
type planReport struct {
	pgha.Plan
	Consequences []string `json:"consequences,omitempty"`
}

func typedPlan(p pgha.Plan) planReport { return planReport{p, typedTexts(p.Consequences)} }

// printPlan shows a plan whole.
func printPlan(out *terminal.Terminal, p pgha.Plan) {
	summary := printChanges(out, p, func(pgha.PlannedChange) bool { return true })
	if p.Empty() {
		out.Printf("%s nothing to change\n", out.Paint(terminal.Green, "✓"))
		return
	}
	out.Printf("%s; pgha-cli apply makes them\n", summary)
}

// outlined is for a plan that is shown before a question: what is in a file that isn't there yet
// fills many screens, and plan shows it.
func outlined(ch pgha.PlannedChange) bool { return ch.Origin.Cause != pgha.CauseNew }

// printChanges shows a plan's changes, with the difference of those that diff chooses, and what
// follows from them. It returns how many there are and why.
func printChanges(out *terminal.Terminal, p pgha.Plan, diff func(pgha.PlannedChange) bool) string {
	phase, host := "", ""
	hosts, causes := map[string]bool{}, map[pgha.Cause]int{}
	for _, ch := range p.Changes {
		if ch.Phase != phase {
			phase, host = ch.Phase, ""
			out.Printf("%s\n", out.Paint(terminal.Bold, phase))
		}
		if ch.Host != host {
			host = ch.Host
			out.Printf("  %s\n", host)
		}
		hosts[host] = true
		out.Printf("    %s %s %s\n", ch.Kind, ch.Name, out.Paint(terminal.Yellow, ch.Action))
		causes[ch.Origin.Cause]++
		switch ch.Origin.Cause {
		case pgha.CauseDrift, pgha.CauseSpec, pgha.CauseUnfinished, pgha.CauseUnknown:
			out.Printf("      %s\n", out.Paint(terminal.Dim, printable(ch.Origin.String())))
		}
		if diff(ch) {
			printDiff(out, "        ", ch.Diff)
		}
	}
	for _, c := range p.Consequences {
		out.Printf("%s %s\n", out.Paint(terminal.Yellow, "then:"), c.Render(typed))
	}
	return fmt.Sprintf("%s on %s%s", counted(len(p.Changes), "change"), counted(len(hosts), "host"),
		causesText(causes))
}

// printDiff shows a unified diff, in colours on a terminal.
func printDiff(out *terminal.Terminal, indent, diff string) {
	for line := range strings.Lines(diff) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "+"):
			line = out.Paint(terminal.Green, line)
		case strings.HasPrefix(line, "-"):
			line = out.Paint(terminal.Red, line)
		}
		out.Printf("%s%s\n", indent, line)
	}
}

// causesText counts the changes by their causes.
func causesText(causes map[pgha.Cause]int) string {
	var words []string
	for _, c := range []struct {
		cause pgha.Cause
		text  string
	}{
		{pgha.CauseNew, "not there yet"}, {pgha.CauseDrift, "changed by hand"},
		{pgha.CauseSpec, "new in the specification"},
		{pgha.CauseUnfinished, "left by an apply that did not finish"},
		{pgha.CauseFollows, "following from these"}, {pgha.CauseUnknown, "of unknown origin"},
	} {
		if n := causes[c.cause]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, c.text))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// counted puts a number before its word.
func counted(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// accept takes drift into the specification's file.
func accept(c *cli.Context, out *terminal.Terminal) error {
	dry, yes := c.Bool("dry-run"), c.Bool("yes")
	switch {
	case c.String("save") != "":
		return usagef("plan --accept saves no plan: leave --save out")
	case fileless(c):
		return wantsFile("plan --accept")
	case !dry && !yes && !askable():
		return usagef(
			"plan --accept asks before it writes, and there is no terminal to ask on: add --yes, " +
				"or --dry-run to only look")
	}
	return withCluster(c, out, pgha.ConnectOptions{},
		func(ctx context.Context, cl *pgha.Cluster) error {
			a, err := cl.Accept(ctx, pgha.AcceptOptions{File: c.String("spec"),
				Only:     c.Args().Slice(),
				Observer: warnings(out)})
			if err != nil {
				return err
			}
			if !wantsJSON(c) {
				printAcceptance(out, a)
			}
			if !dry && !a.Empty() {
				if !yes {
					if err := confirm(ctx, out, "Write "+a.File+"?", ""); err != nil {
						return err
					}
				}
				if err := a.Save(); err != nil {
					return err
				}
			}
			if wantsJSON(c) {
				return out.JSON(a)
			}
			switch {
			case a.Empty():
				out.Printf("nothing to accept\n")
			case !dry:
				out.Printf("%s %s written; %s\n", out.Paint(terminal.Green, "✓"), a.File,
					restText(a.Rest))
			}
			return nil
		})
}

func printAcceptance(out *terminal.Terminal, a pgha.Acceptance) {
	printDiff(out, "", a.Diff)
	for _, f := range a.Accepted {
		value := "null"
		if f.Value != nil {
			value = fmt.Sprint(f.Value)
		}
		out.Printf("accepted: %s: %s\n", f.Field, printable(value))
		if f.Origin.Cause == "" {
			out.Printf("  %s\n", out.Paint(terminal.Dim,
				"only in the DCS: apply would have left it alone"))
		} else {
			out.Printf("  %s\n", out.Paint(terminal.Dim, printable(f.Origin.String())))
		}
	}
	for _, l := range a.Left {
		where := strings.TrimSpace(l.Host + " " + l.Kind + " " + l.Name)
		out.Printf("%s %s: %s\n", out.Paint(terminal.Yellow, "not accepted:"), where,
			printable(l.Reason))
	}
}

// restText says what is left for apply.
func restText(rest []pgha.PlannedChange) string {
	if len(rest) == 0 {
		return "now there is nothing left for apply to change"
	}
	var words []string
	for _, ch := range rest {
		words = append(words, ch.Host+" "+ch.Kind+" "+ch.Name)
	}
	return "apply still changes " + strings.Join(words, ", ")
}
