package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
)

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
