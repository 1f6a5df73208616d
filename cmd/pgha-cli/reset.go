package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/pgha"
)

func resetCommand(out *terminal) *cli.Command {
	const destroy = "yes-destroy"
	// A plain --yes is no answer to this question.
	flags := operationFlags(&cli.StringFlag{Name: destroy, Usage: "do not ask; `NAME` is the cluster's, to prove that it is the one meant"})
	for i, f := range flags {
		if f.Names()[0] == "yes" {
			flags = append(flags[:i], flags[i+1:]...)
			break
		}
	}
	return &cli.Command{
		Name: "reset", Usage: "delete all databases and form the cluster anew, empty",
		Description: "Stops Patroni and etcd in order, deletes what is in their data directories, and forms the cluster again with the same\n" +
			"certificates, passwords and configuration. Each host first tells what would be deleted; a directory that is not what it\n" +
			"should be is refused. Only a backup brings the data back. The cluster's name has to be typed.",
		Flags: flags,
		Action: func(c *cli.Context) error {
			sp, err := loadSpec(c.Context, c, out, &pgha.ConnectOptions{})
			if err != nil {
				return err
			}
			question := "All databases of " + sp.Cluster + " will be deleted, for good."
			switch {
			case c.Args().Present():
				return usagef("reset takes no arguments, not even %q: it is always the whole cluster", c.Args().First())
			case c.IsSet(destroy) && c.String(destroy) != sp.Cluster:
				return usagef("--%s %q: the cluster is called %s", destroy, c.String(destroy), sp.Cluster)
			case c.IsSet(destroy):
				question = ""
			case !c.Bool("dry-run") && !askable():
				return usagef("reset asks for the cluster's name, and there is no terminal to ask on: add --%s NAME, or --dry-run to only look", destroy)
			}
			return operate(c, out, operation[pgha.ResetResult]{
				question: question, typed: sp.Cluster,
				do: func(ctx context.Context, cl *pgha.Cluster, op pgha.Operation) (pgha.ResetResult, error) {
					return cl.Reset(ctx, pgha.ResetOptions{Operation: op})
				},
				show: func(r pgha.ResetResult) {
					out.printf("%s after %s: system identifier %s, it was %s\n", out.paint(green, "reset"), r.Elapsed, r.NewSystemIdentifier, dash(r.OldSystemIdentifier))
				},
				status: true,
			})
		},
	}
}
