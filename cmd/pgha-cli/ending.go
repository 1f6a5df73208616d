package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

// destroyFlag answers the question of verbs that delete all databases.
const destroyFlag = "yes-destroy"

// unmanageFlag answers the question of unmanage.
const unmanageFlag = "yes-unmanage"

// byName runs a verb for the whole cluster, once its name was given, typed or with the flag.
// question is what the verb costs; %s in it is the name.
func byName[R any](c *cli.Context, out *terminal.Terminal, flag, question string,
	verb func(*pgha.Spec) operation[R]) error {
	sp, err := loadSpec(c.Context, c, out, &pgha.ConnectOptions{})
	if err != nil {
		return err
	}
	v := verb(sp)
	v.typed = sp.Cluster
	if v.question, err = consent(c, flag, sp.Cluster,
		fmt.Sprintf(question, sp.Cluster)); err != nil {
		return err
	}
	return operate(c, out, v)
}

func resetCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "reset", Usage: "delete all databases and form the cluster again, empty",
		Description: "Stops Patroni and etcd in order, deletes what is in their data " +
			"directories, and forms the cluster again with the same\n" +
			"certificates, passwords and configuration. Each host first tells what would be " +
			"deleted; a directory that is not what it\n" +
			"should be is refused. Only a backup brings the data back. The cluster's name has to " +
			"be typed.",
		Flags: consentFlags(destroyFlag),
		Action: func(c *cli.Context) error {
			const question = "All databases of %s will be deleted, for good."
			return byName(c, out, destroyFlag, question, func(*pgha.Spec) operation[pgha.ResetResult] {
				return operation[pgha.ResetResult]{
					do: func(ctx context.Context, cl *pgha.Cluster,
						op pgha.Operation) (pgha.ResetResult, error) {
						return cl.Reset(ctx, pgha.ResetOptions{Operation: op})
					},
					show: func(r pgha.ResetResult) {
						out.Printf("%s after %s: system identifier %s, it was %s\n",
							out.Paint(terminal.Green, "reset"),
							r.Elapsed, r.NewSystemIdentifier, dash(r.OldSystemIdentifier))
					},
					status: true,
				}
			})
		},
	}
}

func destroyCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "destroy", Usage: "delete all databases and take the cluster off its hosts",
		Description: "Stops everything, deletes what is in the data directories of PostgreSQL and " +
			"etcd, and then what apply has put on the\n" +
			"hosts: configuration, certificates, passwords, units, etcd's programs. Packages and " +
			"accounts stay, and so do copies of\n" +
			"files that others had written. Each host first tells what would be deleted; a " +
			"directory that is not what it should be is\n" +
			"refused. Only a backup brings the data back. When it is interrupted run it again. " +
			"The cluster's name has to be typed.\n\n" +
			"   pgha-cli destroy --dry-run\n" +
			"   pgha-cli destroy",
		Flags: consentFlags(destroyFlag),
		Action: func(c *cli.Context) error {
			const question = "All databases of %s will be deleted, for good, and the cluster " +
				"with them."
			return byName(c, out, destroyFlag, question, func(sp *pgha.Spec) operation[pgha.DestroyResult] {
				return operation[pgha.DestroyResult]{
					do: func(ctx context.Context, cl *pgha.Cluster,
						op pgha.Operation) (pgha.DestroyResult, error) {
						return cl.Destroy(ctx, pgha.DestroyOptions{Operation: op})
					},
					show: func(r pgha.DestroyResult) { showDestroyed(out, r, sp.StateDir) },
				}
			})
		},
	}
}

func showDestroyed(out *terminal.Terminal, r pgha.DestroyResult, stateDir string) {
	out.Printf("%s after %s: system identifier %s\n", out.Paint(terminal.Green, "destroyed"),
		r.Elapsed, dash(r.SystemIdentifier))
	for _, k := range r.Kept {
		out.Printf("kept: %s on %s\n", k.Path, k.Host)
	}
	out.Printf("packages and accounts stay on the hosts, passwords and keys in %s\n", stateDir)
}

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
