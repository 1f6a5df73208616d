package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

func vipCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "vip", Usage: "move the virtual IP",
		Subcommands: []*cli.Command{vipMoveCommand(out)},
	}
}

func vipMoveCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "move", Usage: "give the virtual IP to a balancer",
		Description: "Ends keepalived on the other balancers until that one has the address, and " +
			"starts it again. The sessions through the former\n" +
			"holder are cut, and their clients connect again: choose a quiet moment. A balancer " +
			"whose HAProxy does not answer is refused.\n\n" +
			"   pgha-cli vip move --to haproxy-01",
		Flags: operationFlags(&cli.StringFlag{Name: "to",
			Usage: "the `HOST` that gets the address"}),
		Action: func(c *cli.Context) error {
			if c.String("to") == "" {
				return usagef("vip move wants --to HOST, the balancer that gets the address")
			}
			return operate(c, out, operation[pgha.MoveAddressResult]{
				question: "Sessions through the present holder will be cut. Go ahead?",
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (pgha.MoveAddressResult, error) {
					return cl.MoveAddress(ctx, pgha.MoveAddressOptions{Operation: op,
						To: c.String("to")})
				},
				show: func(r pgha.MoveAddressResult) {
					out.Printf("%s after %s: %s holds the address, it was %s\n",
						out.Paint(terminal.Green, "moved"), r.Elapsed, r.To, dash(r.From))
				},
			})
		},
	}
}
