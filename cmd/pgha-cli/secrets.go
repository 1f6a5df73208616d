package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/secrets"
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
			"changed: it encrypts the copies in etcd and on the database hosts anew as well, " +
			"and removes versions that a former recipient\n" +
			"can open. What that one has read it still knows, and it is named: secrets rotate " +
			"makes it worthless, as it does with\n" +
			"what was plain and is in your backups. Before the first apply no host is needed. " +
			"Interrupted, it is finished by running it\n" +
			"again. age and rage read the files, too: age -d -i IDENTITY " +
			"STATE_DIR/secrets/superuser",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			return encryptState(c, out)
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

// encryptState encrypts what is here, and then the copies of a cluster that was applied.
func encryptState(c *cli.Context, out *terminal.Terminal) error {
	if c.Args().Present() {
		return usagef("%s takes no arguments", c.Command.HelpName)
	}
	var opts pgha.ConnectOptions
	sp, err := loadSpec(c.Context, c, out, &opts)
	if err != nil {
		return err
	}
	n, err := pgha.EncryptState(c.Context, sp)
	if err != nil {
		return err
	}
	answer := encryptedAnswer{Files: n}
	if !wantsJSON(c) {
		out.Printf("%d files encrypted in %s\n", n, sp.StateDir)
	}
	if pgha.Applied(sp) {
		opts.AllowUnreachable, opts.Existing, opts.Timeout = true, true, lookTimeout
		err = connected(c.Context, out, sp, opts, func(ctx context.Context, cl *pgha.Cluster) error {
			shared, err := cl.State().Share(ctx, pgha.Operation{})
			answer.Copies = &shared
			return err
		})
		if err != nil {
			err = withHint(err, "the files here are encrypted for the recipients of the "+
				"specification, and the copies in the cluster are not: run it again, or apply")
		}
	}
	if wantsJSON(c) {
		return printAnswer(out, answer, err)
	}
	if err == nil && answer.Copies != nil {
		showShared(out, *answer.Copies)
	}
	return err
}

// encryptedAnswer is what --output json prints.
type encryptedAnswer struct {
	Files  int                  `json:"files"`
	Copies *secrets.ShareResult `json:"copies,omitempty"`
}

func showShared(out *terminal.Terminal, r secrets.ShareResult) {
	where := r.Hosts
	if r.Etcd {
		where = append([]string{"etcd"}, where...)
	}
	out.Printf("generation %d is in %s\n", r.Generation, strings.Join(where, ", "))
	for _, failed := range r.Failed {
		out.Notef("%s not written: %s\n", out.Paint(terminal.Yellow, "!"), failed)
	}
	if len(r.Removed) == 0 {
		return
	}
	out.Printf("%s is no recipient any more, and may have kept what there was until now:\n",
		strings.Join(r.Removed, ", "))
	for _, known := range r.Known {
		out.Printf("  %s\n", known)
	}
	out.Printf("next: pgha-cli secrets rotate, with the names of the roles above that are yours; an " +
		"authority goes on being trusted\n")
}

func stateCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "state", Usage: "the copies of the cluster's keys and passwords: who has which, and fetch one",
		Description: "With secrets.age in the specification the state directory is kept three times: " +
			"here, in the cluster's etcd and as a file\n" +
			"on each database host, encrypted for its recipients. Whoever has the specification, an " +
			"SSH login and an identity goes on from\n" +
			"anywhere: whatever command is run first fetches the state where it is not there, or " +
			"older than the cluster's.",
		Subcommands: []*cli.Command{stateShowCommand(out), statePullCommand(out)},
	}
}

func stateShowCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "where the state is, in which version, and who can open it",
		Description: "Exits with 1 when a copy is not there or not the same as here.",
		Flags:       []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			opts := lookOptions()
			opts.Stale = true
			return withCluster(c, out, opts, func(ctx context.Context, cl *pgha.Cluster) error {
				all, err := cl.State().Copies(ctx)
				if err != nil {
					return err
				}
				bad := 0
				for _, copy := range all.Copies {
					if copy.Problem != "" {
						bad++
					}
				}
				if wantsJSON(c) {
					err = out.JSON(all)
				} else {
					printCopies(out, all)
				}
				if err == nil && bad > 0 {
					return exitCode(exitFailed)
				}
				return err
			})
		},
	}
}

func printCopies(out *terminal.Terminal, all secrets.Copies) {
	out.Printf("%s: generation %d, format %d\n", all.StateDir, all.Generation, all.Format)
	if all.SystemIdentifier != "" {
		out.Printf("databases %s, etcd %s\n", all.SystemIdentifier, dash(all.EtcdCluster))
	}
	if len(all.Recipients) == 0 {
		out.Printf("one copy: the specification has no secrets.age, so nothing leaves this machine\n")
		return
	}
	for _, r := range all.Recipients {
		out.Printf("recipient %s\n", r)
	}
	w := out.Table()
	fmt.Fprintln(w, "\nCOPY\tGENERATION\tBY\tWRITTEN\tSIZE\tPROBLEM")
	for _, c := range all.Copies {
		written := "-"
		if c.Time != nil {
			written = stamp(*c.Time)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d B\t%s\n", c.Where, c.Generation, dash(c.By), written,
			c.Bytes, dash(c.Problem))
	}
	w.Flush()
	if len(all.Versions) > 0 {
		out.Printf("\netcd keeps %s: generations %d to %d\n", counted(len(all.Versions), "version"),
			all.Versions[0], all.Versions[len(all.Versions)-1])
	}
}

func statePullCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "pull", Usage: "fetch the state of the cluster into the state directory here",
		Description: "For a new operator, a new machine, or a lost one: the specification, an SSH " +
			"login and an identity of secrets.age are\n" +
			"enough. The newest copy is taken that a database host or etcd has; one host that " +
			"answers will do. Every other command does\n" +
			"the same by itself. A directory that is as new is left alone; one that was changed " +
			"apart from the cluster's is refused. Without\n" +
			"pgha: ssh HOST cat /var/lib/pgha/state.age | age -d -i IDENTITY | tar xz",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			return withCluster(c, out, lookOptions(), func(ctx context.Context, cl *pgha.Cluster) error {
				all, err := cl.State().Check(ctx)
				if err != nil {
					return err
				}
				answer := pulledAnswer{StateDir: all.StateDir, Generation: all.Generation,
					Pulled: cl.Pulled}
				if wantsJSON(c) {
					return out.JSON(answer)
				}
				if cl.Pulled == nil {
					out.Printf("%s is up to date: generation %d\n", all.StateDir, all.Generation)
				}
				return nil
			})
		},
	}
}

// pulledAnswer is what --output json prints.
type pulledAnswer struct {
	StateDir   string            `json:"state_dir"`
	Generation int               `json:"generation"`
	Pulled     *pgha.PulledState `json:"pulled,omitempty"`
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
