package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

func secretsCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "secrets", Usage: "replace the cluster's passwords, or encrypt the secrets kept here",
		Subcommands: []*cli.Command{secretsRotateCommand(out), secretsEncryptCommand(out),
			secretsDecryptCommand(out)},
	}
}

func secretsRotateCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "rotate", Usage: "replace passwords and REST certificates while the cluster works",
		ArgsUsage: "[superuser] [replication] [rewind] [rest] [pooler] [ROLE...]",
		Description: "All of these unless some are named; roles of the specification only by their " +
			"names. New passwords are generated, or are what " +
			"the file or command of the specification gives\n" +
			"by now; nothing is restarted or reloaded for them. Applications that log in as the " +
			"superuser need its new password from\n" +
			"then on: pgha-cli connection names the file.\n\n" +
			"rest is the authority of Patroni's REST API with the certificates of members and " +
			"operator: both authorities are trusted,\n" +
			"then the new certificates are presented, then the old authority is forgotten, and " +
			"with it every old key. Patroni and\n" +
			"HAProxy are reloaded, one host at a time.\n\n" +
			"pooler is the password of the role by which the poolers look passwords up, where there " +
			"are any; clients log in meanwhile.\n\n" +
			"Sessions and replication go on. Interrupted, it is finished by running it again.",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[pgha.RotateResult]{
				question: "Whoever uses an old password or key is refused from then on. Go ahead?",
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (pgha.RotateResult, error) {
					return cl.RotateSecrets(ctx, pgha.RotateOptions{Operation: op,
						Which: c.Args().Slice()})
				},
				show: func(r pgha.RotateResult) {
					out.Printf("new after %s: %s\n", r.Took, strings.Join(r.Rotated, ", "))
				},
			})
		},
	}
}

func secretsEncryptCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "encrypt", Usage: "encrypt the private keys and passwords in the state directory",
		Description: "With age, for secrets.age.recipients of the specification; every apply " +
			"does the same. Run it after the recipients have\n" +
			"changed. No host is needed. What was plain stays in your backups: secrets rotate " +
			"makes it worthless. Interrupted,\n" +
			"it is finished by running it again. age and rage read the files, too: age -d -i " +
			"IDENTITY STATE_DIR/secrets/superuser",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			return convertState(c, out, "encrypted", pgha.EncryptState)
		},
	}
}

func secretsDecryptCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "decrypt", Usage: "make the private keys and passwords in the state directory " +
			"plain again",
		Description: "Delete secrets.age from the specification afterwards, or the next apply " +
			"encrypts them again. No host is needed.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			return convertState(c, out, "decrypted", pgha.DecryptState)
		},
	}
}

func convertState(c *cli.Context, out *terminal.Terminal, done string, convert func(context.Context,
	*pgha.Spec) (int, error)) error {
	if c.Args().Present() {
		return usagef("%s takes no arguments", c.Command.HelpName)
	}
	sp, err := loadSpec(c.Context, c, out, &pgha.ConnectOptions{})
	if err != nil {
		return err
	}
	n, err := convert(c.Context, sp)
	if err != nil {
		return err
	}
	if wantsJSON(c) {
		return out.JSON(filesAnswer{n})
	}
	out.Printf("%d files %s in %s\n", n, done, sp.StateDir)
	return nil
}
