package main

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/pgha"
)

func verifyCommand(out *terminal) *cli.Command {
	return &cli.Command{
		Name: "verify", Usage: "prove that the whole cluster works, layer by layer",
		Description: "Sixteen checks from the hosts up to a row that is written through the address and read on every replica.\n" +
			"Changes nothing but one table of its own, which it drops. Exits with 1 when a check fails.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			opts := pgha.ConnectOptions{AllowUnreachable: true, ReadOnly: true, Timeout: lookTimeout}
			return withCluster(c, out, opts, func(ctx context.Context, cl *pgha.Cluster) error {
				observe := func(ck pgha.Check) { printCheck(out, ck) }
				if wantsJSON(c) {
					observe = nil
				}
				start := time.Now()
				checks, err := cl.Verify(ctx, observe)
				switch {
				case wantsJSON(c):
					if jsonErr := out.json(checks); jsonErr != nil {
						return jsonErr
					}
				case err == nil:
					out.printf("%s %d checks in %s\n", out.paint(green, "verified:"), len(checks), seconds(time.Since(start)))
				default:
					out.notef("%s %v\n", out.paint(red, "error:"), err)
				}
				if errors.Is(err, pgha.ErrVerify) {
					return exitCode(exitFailed)
				}
				return err
			})
		},
	}
}

func printCheck(out *terminal, ck pgha.Check) {
	duration := out.paint(dim, seconds(ck.Duration))
	if ck.OK {
		out.printf("%s %s %s\n  %s\n", out.paint(green, "✓"), ck.Name, duration, out.paint(dim, ck.Detail))
		return
	}
	out.printf("%s %s %s\n  %s\n  %s\n", out.paint(red, "✗"), ck.Name, duration, ck.Problem, out.paint(yellow, ck.Hint))
}
