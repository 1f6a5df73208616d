package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

// unmanageFlag answers the question of unmanage.
const unmanageFlag = "yes-unmanage"

func unmanageCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "unmanage", Usage: "take Patroni away and leave plain PostgreSQL",
		Description: "Stops the cluster as stop does, disables Patroni, etcd, HAProxy and " +
			"keepalived, and starts PostgreSQL without them: a primary\n" +
			"and standbys that stream from it, as clusters of Debian's postgresql-common. Data, " +
			"roles and certificates stay. Afterwards\n" +
			"nobody is promoted by itself, and the virtual IP is gone. When it is interrupted run " +
			"it again. The cluster's name has to be\n" +
			"typed. The way back is described in docs/when-patroni-is-unwanted.md.\n\n" +
			"   pgha-cli unmanage --dry-run\n" +
			"   pgha-cli unmanage",
		Flags: append(consentFlags(unmanageFlag), &cli.BoolFlag{Name: "force",
			DisableDefaultText: true,
			Usage:              "cut transactions and base backups short"}),
		Action: func(c *cli.Context) error {
			const question = "Patroni, etcd and the balancers of %s will be stopped and disabled, " +
				"and its address is gone; its data stays."
			return byName(c, out, unmanageFlag, question,
				func(*pgha.Spec) operation[pgha.UnmanageResult] {
					return operation[pgha.UnmanageResult]{
						do: func(ctx context.Context, cl *pgha.Cluster,
							op pgha.Operation) (pgha.UnmanageResult, error) {
							return cl.Unmanage(ctx, pgha.UnmanageOptions{Operation: op,
								Force: c.Bool("force")})
						},
						show: func(r pgha.UnmanageResult) { showUnmanaged(out, r) },
					}
				})
		},
	}
}

func showUnmanaged(out *terminal.Terminal, r pgha.UnmanageResult) {
	out.Printf("%s after %s: %s is the primary, at %s\n",
		out.Paint(terminal.Green, "plain PostgreSQL"), r.Elapsed, r.Primary, r.Address)
	if len(r.Standbys) > 0 {
		out.Printf("%s from it: %s\n", streams(len(r.Standbys)), strings.Join(r.Standbys, ", "))
	}
	out.Printf("its service on each host: %s\n", r.Unit)
}

func streams(n int) string {
	if n == 1 {
		return "streams"
	}
	return "stream"
}
