package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/pgha"
)

func secretsCommand(out *terminal) *cli.Command {
	return &cli.Command{
		Name: "secrets", Usage: "replace the passwords of the cluster's own roles",
		Subcommands: []*cli.Command{secretsRotateCommand(out)},
	}
}

func secretsRotateCommand(out *terminal) *cli.Command {
	return &cli.Command{
		Name: "rotate", Usage: "give roles new passwords while the cluster works", ArgsUsage: "[superuser] [replication] [rewind]",
		Description: "All three unless some are named. New passwords are generated, or are what the file or command of the specification gives\n" +
			"by now. Sessions and replication go on; nothing is restarted or reloaded. Applications that log in as the superuser\n" +
			"need its new password from then on: pgha-cli connection names the file. Interrupted, it is finished by running it again.",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[pgha.RotateResult]{
				question: "Whoever logs in with an old password is refused from then on. Go ahead?",
				do: func(ctx context.Context, cl *pgha.Cluster, op pgha.Operation) (pgha.RotateResult, error) {
					return cl.RotateSecrets(ctx, pgha.RotateOptions{Operation: op, Which: c.Args().Slice()})
				},
				show: func(r pgha.RotateResult) {
					out.printf("new passwords after %s: %s\n", r.Took, strings.Join(r.Rotated, ", "))
				},
			})
		},
	}
}
