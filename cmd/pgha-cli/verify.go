package main

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

func verifyCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "verify",
		Usage: "prove that the whole cluster works, layer by layer, and lets nobody in who " +
			"should stay out",
		Description: "Checks from the hosts up to a row that is written through the address and " +
			"read on every replica; then the security\n" +
			"floor: TLS versions, strangers, certificates, logins, keys. Changes nothing but one " +
			"table of its own, which it drops.\n" +
			"Exits with 1 when a check fails.\n\n" +
			"--deep then moves the leadership to a replica and back, writes meanwhile through " +
			"the address, and compares every\n" +
			"acknowledged row with every member: fails if one is lost, or if writes stop for " +
			"longer than slo.switchover. It asks\n" +
			"first; --dry-run shows what it would do. Sessions to the leader are cut twice.",
		Flags: operationFlags(
			&cli.BoolFlag{Name: "deep", DisableDefaultText: true,
				Usage: "a switchover there and back, too"},
			&cli.BoolFlag{Name: "force", DisableDefaultText: true,
				Usage: "with --deep: even if long transactions or a base backup are cut short, " +
					"or archiving fails"},
		),
		Action: func(c *cli.Context) error {
			if !c.Bool("deep") {
				return verify(c, out, true)
			}
			if !c.Bool("dry-run") && !c.Bool("yes") && !askable() {
				return usagef(
					"%s --deep asks before it acts, and there is no terminal to ask on: add "+
						"--yes, or --dry-run to only look", c.Command.HelpName)
			}
			if err := verify(c, out, false); err != nil {
				return err
			}
			return operate(c, out, operation[pgha.DeepVerifyResult]{
				question: "Sessions to the leader will be cut twice. Go ahead?",
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (pgha.DeepVerifyResult, error) {
					return cl.VerifyDeep(ctx, pgha.DeepVerifyOptions{Operation: op,
						Force: c.Bool("force")})
				},
				show: func(r pgha.DeepVerifyResult) { printDeep(out, r) },
			})
		},
	}
}

// verify makes the checks. JSON is left out when there is more to come and nothing failed: it is
// one document.
func verify(c *cli.Context, out *terminal.Terminal, all bool) error {
	return withCluster(c, out, lookOptions(), func(ctx context.Context, cl *pgha.Cluster) error {
		observe := func(ck pgha.Check) { printCheck(out, ck) }
		if wantsJSON(c) {
			observe = nil
		}
		start := time.Now()
		checks, err := cl.Verify(ctx, observe)
		switch {
		case wantsJSON(c) && (all || err != nil):
			return printAnswer(out, checksAnswer{typedChecks(checks)}, err)
		case wantsJSON(c):
		case err == nil:
			out.Printf("%s %d checks in %s\n", out.Paint(terminal.Green, "verified:"), len(checks),
				seconds(time.Since(start)))
		default:
			out.Notef("%s %v\n", out.Paint(terminal.Red, "error:"), err)
		}
		if errors.Is(err, pgha.ErrVerify) {
			return exitCode(exitFailed)
		}
		return err
	})
}

func printDeep(out *terminal.Terminal, r pgha.DeepVerifyResult) {
	out.Printf("%s %s to %s and back: %.2fs and %.2fs without writes; %d rows acknowledged, %d "+
		"lost, on every member\n", out.Paint(terminal.Green, "verified:"),
		r.From, r.To, r.There.Duration().Seconds(), r.Back.Duration().Seconds(),
		r.Acknowledged, r.Lost)
}

// typedCheck is a check as JSON has it: verbs are commands of this program.
type typedCheck struct {
	Name    string  `json:"name"`
	OK      bool    `json:"ok"`
	Detail  string  `json:"detail,omitempty"`
	Problem string  `json:"problem,omitempty"`
	Hint    string  `json:"hint,omitempty"`
	Seconds float64 `json:"seconds"`
}

func typedChecks(list []pgha.Check) []typedCheck {
	checks := make([]typedCheck, len(list))
	for i, c := range list {
		checks[i] = typedCheck{c.Name, c.OK, c.Detail, c.Problem, c.Hint.Render(typed),
			c.Duration.Seconds()}
	}
	return checks
}

func printCheck(out *terminal.Terminal, ck pgha.Check) {
	duration := out.Paint(terminal.Dim, seconds(ck.Duration))
	if ck.OK {
		out.Printf("%s %s %s\n  %s\n", out.Paint(terminal.Green, "✓"), ck.Name, duration,
			out.Paint(terminal.Dim, ck.Detail))
		return
	}
	out.Printf("%s %s %s\n  %s\n  %s\n", out.Paint(terminal.Red, "✗"), ck.Name, duration,
		ck.Problem,
		out.Paint(terminal.Yellow, ck.Hint.Render(typed)))
}
