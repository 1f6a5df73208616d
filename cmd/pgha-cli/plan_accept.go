package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

// accept takes drift into the specification's file.
func accept(c *cli.Context, out *terminal.Terminal) error {
	dry, yes := c.Bool("dry-run"), c.Bool("yes")
	switch {
	case c.String("save") != "":
		return usagef("plan --accept saves no plan: leave --save out")
	case c.Bool("lab") && !c.IsSet("spec"):
		return usagef(
			"plan --accept writes a specification's file: name one with --spec; pgha-cli --lab " +
				"spec show prints the lab's")
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
