package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

func stopCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "stop", Usage: "stop the cluster's services in order, everywhere or on some hosts",
		ArgsUsage: "[HOST...]",
		Description: "Everywhere: the balancers, the replicas, the primary, which must shut down " +
			"in order, and etcd. Some hosts: refused unless\n" +
			"the rest can go on; the address and the leaderships of the database and of etcd are " +
			"moved away first.\n" +
			"Services stay enabled: a reboot starts them again, as start does.",
		Flags: operationFlags(&cli.BoolFlag{Name: "force", DisableDefaultText: true,
			Usage: "stop also the last of a kind, more than etcd's quorum bears, and whatever " +
				"cannot be reached aside"}),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[pgha.StopResult]{
				question: "Stop " + these(c.Args().Slice(), "the whole cluster") + "?",
				do: func(ctx context.Context, cl *pgha.Cluster, op pgha.Operation) (pgha.StopResult,
					error) {
					return cl.Stop(ctx, pgha.StopOptions{Operation: op, Hosts: c.Args().Slice(),
						Force: c.Bool("force")})
				},
				show: func(r pgha.StopResult) {
					out.Printf("%s after %s: %s\n", out.Paint(terminal.Green, "stopped"), r.Elapsed,
						strings.Join(r.Hosts, ", "))
					if r.LastPrimary != "" {
						out.Printf("%s was the last primary, and start starts it first\n",
							r.LastPrimary)
					}
					if r.NewLeader != "" {
						out.Printf("%s leads now\n", r.NewLeader)
					}
				},
			})
		},
	}
}

func startCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "start", Usage: "start the cluster's services in order, everywhere or on some hosts",
		ArgsUsage: "[HOST...]",
		Description: "etcd, then the member with the newest data, then its replicas, then the " +
			"balancers. Ends once members stream, balancers\n" +
			"send sessions to them, and an application could write through the address. What " +
			"runs already is left alone.",
		Flags: operationFlags(
			&cli.BoolFlag{Name: "force", DisableDefaultText: true,
				Usage: "start although the host with the newest data is missing, or one cannot " +
					"be reached"},
			&cli.DurationFlag{Name: "wait", DefaultText: "5m0s",
				Usage: "how long members may take to stream: a `TIME` such as 30m"}),
		Action: func(c *cli.Context) error {
			return operate(c, out, operation[pgha.StartResult]{
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (pgha.StartResult, error) {
					return cl.Start(ctx, pgha.StartOptions{Operation: op, Hosts: c.Args().Slice(),
						Force: c.Bool("force"), Wait: c.Duration("wait")})
				},
				show: func(r pgha.StartResult) {
					out.Printf("%s after %s: %s\n", out.Paint(terminal.Green, "running"), r.Elapsed,
						strings.Join(r.Hosts, ", "))
				},
				status: true,
			})
		},
	}
}

func rollingRebootCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "rolling-reboot", Usage: "reboot the hosts one by one, around one switchover",
		ArgsUsage: "[HOST...]",
		Description: "Balancers first, the one with the address last of them; then replicas; " +
			"then the leader's host, after a switchover to a\n" +
			"member that was rebooted. Before and after each reboot the whole cluster must be " +
			"healthy; stops at the first that is not.\n\n" +
			"   pgha-cli rolling-reboot --upgrade            patch the operating system of all hosts\n" +
			"   pgha-cli rolling-reboot --upgrade --dry-run  which packages that would be",
		Flags: operationFlags(
			&cli.BoolFlag{Name: "only-if-required", DisableDefaultText: true,
				Usage: "leave out hosts without /run/reboot-required"},
			&cli.BoolFlag{Name: "upgrade", DisableDefaultText: true,
				Usage: "upgrade all packages of each host before its reboot, as apt-get upgrade does"},
			&cli.BoolFlag{Name: "force", DisableDefaultText: true,
				Usage: "switch over although transactions or a base backup are cut short, and " +
					"reboot what the rest cannot do without"},
			&cli.DurationFlag{Name: "wait", DefaultText: "15m0s",
				Usage: "how long one host may take to come back: a `TIME` such as 30m"}),
		Action: func(c *cli.Context) error {
			if c.Bool("upgrade") && c.Bool("only-if-required") {
				return usagef("rolling-reboot --upgrade --only-if-required: whether an upgrade " +
					"needs a reboot is known after it; name the hosts that are to be upgraded")
			}
			return operate(c, out, operation[pgha.RollingRebootResult]{
				question: "Reboot " + these(c.Args().Slice(), "all hosts") + ", one by one?",
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (pgha.RollingRebootResult, error) {
					return cl.RollingReboot(ctx, pgha.RollingRebootOptions{Operation: op,
						Hosts:          c.Args().Slice(),
						OnlyIfRequired: c.Bool("only-if-required"), Force: c.Bool("force"),
						Upgrade: c.Bool("upgrade"), Wait: c.Duration("wait")})
				},
				show: func(r pgha.RollingRebootResult) {
					for _, h := range r.Rebooted {
						upgraded := ""
						if c.Bool("upgrade") {
							upgraded = fmt.Sprintf("%d packages upgraded, ", h.Upgraded)
						}
						out.Printf("%s %s: %sback after %s, the cluster healthy after %s\n",
							out.Paint(terminal.Green, "rebooted"), h.Host, upgraded, h.Back,
							h.Healthy)
					}
					if len(r.NotRequired) > 0 {
						out.Printf("no reboot required: %s\n", strings.Join(r.NotRequired, ", "))
					}
					if r.NewLeader != "" {
						out.Printf("%s leads now\n", r.NewLeader)
					}
				},
				status: true,
			})
		},
	}
}

// these names hosts, or what no names stand for.
func these(hosts []string, all string) string {
	if len(hosts) == 0 {
		return all
	}
	return strings.Join(hosts, ", ")
}
