package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/pgha"
)

func configSetCommand(out *terminal) *cli.Command {
	return &cli.Command{
		Name: "set", Usage: "change settings of the whole cluster", ArgsUsage: "KEY=VALUE...",
		Description: "KEY is one of Patroni's dynamic settings, such as ttl or postgresql.use_slots, or a parameter of PostgreSQL, such as\n" +
			"work_mem, which may also be written postgresql.parameters.work_mem. KEY= and KEY=null remove a setting; KEY='\"\"' makes\n" +
			"it empty.\n\n" +
			"Before anything is changed names and values are checked against Patroni's rules and by the PostgreSQL that runs. Ends\n" +
			"once every member has the change in effect, or waits for a restart because of it: then see pgha-cli restart --pending.\n\n" +
			"The change lives in the DCS. What the specification names is put back by the next apply: change it there.",
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
func setConfig(c *cli.Context, out *terminal, opts pgha.SetConfigOptions) error {
	return operate(c, out, operation[pgha.SetConfigResult]{
		question: "Change the configuration of all members?",
		do: func(ctx context.Context, cl *pgha.Cluster, op pgha.Operation) (pgha.SetConfigResult, error) {
			opts.Operation = op
			result, err := cl.SetConfig(ctx, opts)
			if op.DryRun && err == nil {
				opts.Expect = result.Config
			}
			return result, err
		},
		show: func(r pgha.SetConfigResult) { printChanged(out, r) },
	})
}

func printChanged(out *terminal, r pgha.SetConfigResult) {
	if len(r.Changes) == 0 {
		out.printf("nothing to change\n")
		return
	}
	for _, ch := range r.Changes {
		out.printf("%s: %s -> %s\n", ch.Key, orNone(ch.Old), orNone(ch.New))
	}
	if len(r.Silent) > 0 {
		out.printf("%s no answer from %s, which takes the change when it is back\n", out.paint(yellow, "!"), strings.Join(r.Silent, ", "))
	}
	if len(r.Pending) == 0 {
		out.printf("in effect on every member that answers\n")
		return
	}
	for _, p := range r.Pending {
		out.printf("%s %s waits for a restart: %s\n", out.paint(yellow, "!"), p.Member, strings.Join(p.Settings, ", "))
	}
	out.printf("pgha-cli restart --pending restarts them one at a time\n")
}

func orNone(value any) string {
	if value == nil {
		return "(none)"
	}
	return printable(fmt.Sprint(value))
}
