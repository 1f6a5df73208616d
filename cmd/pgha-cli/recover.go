package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

func recoverCommand(out *terminal.Terminal) *cli.Command {
	const accept = "yes-recover"
	flags := consentFlags(accept, &cli.StringFlag{Name: "from",
		Usage: "`MEMBER`, or its host, whose database goes on"})
	return &cli.Command{
		Name:  "recover",
		Usage: "go on from one member after most database hosts were lost for good",
		Description: "For the case that nothing else leads out of: most hosts of etcd and their " +
			"databases are gone and will not come\n" +
			"back. etcd goes on from the data that the named member has, and its database " +
			"becomes the primary. What the lost leader\n" +
			"had and this member lacks is lost; the dry run says how much is known of that. A " +
			"copy of etcd's data is kept.\n\n" +
			"   pgha-cli recover --from postgresql-02 --dry-run\n" +
			"   pgha-cli recover --from postgresql-02\n" +
			"   pgha-cli apply                 once the lost hosts have been replaced by empty ones\n\n" +
			"It is refused while a majority lives. The hosts that are given up must never start " +
			"again with their old disks. When it is\n" +
			"interrupted run it again. The cluster's name has to be typed.",
		Flags:       flags,
		Subcommands: []*cli.Command{recoverStateCommand(out)},
		Action: func(c *cli.Context) error {
			if c.String("from") == "" {
				return usagef("recover wants --from MEMBER: the member whose database goes on; or " +
					"state, for a lost state directory")
			}
			sp, err := loadSpec(c.Context, c, out, &pgha.ConnectOptions{})
			if err != nil {
				return err
			}
			if _, err := sp.Host(c.String("from")); err != nil {
				return err
			}
			question, err := consent(c, accept, sp.Cluster,
				"The cluster goes on from "+c.String("from")+
					" alone. What only the others had is lost, for good.")
			if err != nil {
				return err
			}
			return operate(c, out, operation[pgha.RecoverResult]{
				question: question, typed: sp.Cluster,
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (pgha.RecoverResult, error) {
					return cl.Recover(ctx, pgha.RecoverOptions{Operation: op,
						From: c.String("from")})
				},
				show: func(r pgha.RecoverResult) { showRecovery(out, r) },
			})
		},
	}
}

func recoverStateCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name:  "state",
		Usage: "make a new state directory for a cluster whose own is lost",
		Description: "For the case that the state directory is gone and no backup has it. The " +
			"cluster goes on as it is; hosts get new\n" +
			"authorities and certificates in four steps, each finished on every host before the " +
			"next. No PostgreSQL is restarted and\n" +
			"no session is cut; etcd is restarted one member at a time. Passwords are taken from " +
			"the hosts. None has the superuser's:\n" +
			"it gets a new one, unless the specification says where it comes from.\n\n" +
			"   pgha-cli recover state --dry-run\n" +
			"   pgha-cli recover state\n\n" +
			"With secrets.age the cluster has copies, and state pull fetches one: this is for when " +
			"no identity opens them.\n" +
			"Applications that verify the server's certificate need the new postgres-ca.crt of " +
			"the state directory. When it is\n" +
			"interrupted run it again.",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[pgha.TakeOverResult]{
				question: "Make a new state directory, and give all hosts new authorities?",
				connect:  &pgha.ConnectOptions{AllowUnreachable: true, Stale: true},
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (pgha.TakeOverResult, error) {
					return cl.TakeOver(ctx, pgha.TakeOverOptions{Operation: op})
				},
				show: func(r pgha.TakeOverResult) { showTakeOver(out, r) },
			})
		},
	}
}

func showTakeOver(out *terminal.Terminal, r pgha.TakeOverResult) {
	out.Printf("the cluster is taken over after %s, with %s\n", r.Elapsed,
		out.Paint(terminal.Green, r.StateDir))
	for _, role := range r.NewPasswords {
		out.Printf("%s has a new password\n", role)
	}
	out.Printf("next: back the directory up, and give applications that verify the server its " +
		"postgres-ca.crt\n")
}

func showRecovery(out *terminal.Terminal, r pgha.RecoverResult) {
	out.Printf("%s leads, and takes writes after %s; %s\n", out.Paint(terminal.Green, r.Member),
		r.Elapsed, r.Loss)
	for _, k := range r.Kept {
		out.Printf("kept: %s on %s\n", k.Path, k.Host)
	}
	if len(r.GivenUp) > 0 {
		out.Printf("next: replace the hosts of %s by empty ones, then pgha-cli apply\n",
			strings.Join(r.GivenUp, " and "))
	}
}
