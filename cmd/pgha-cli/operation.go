package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// operation is a verb that changes a running cluster: what it asks before it acts, the library
// call, and how its result is shown.
type operation[R any] struct {
	// question is asked after the plan has been shown; "" asks nothing. typed, when set, has to be
	// typed instead of yes.
	question, typed string
	do              func(context.Context, *pgha.Cluster, pgha.Operation) (R, error)
	show            func(R)
	// report makes of the result what --output json prints; nil prints the result itself.
	report func(R) any
	// status shows the cluster at the end.
	status bool
	// connect is how the verb connects, where that is not as for all others.
	connect *pgha.ConnectOptions
}

// options are how the verb connects.
func (v operation[R]) options() pgha.ConnectOptions {
	if v.connect == nil {
		return changeOptions()
	}
	return *v.connect
}

// reported returns what --output json prints of a result.
func (v operation[R]) reported(result R) any {
	if v.report == nil {
		return result
	}
	return v.report(result)
}

// operationFlags are the flags of every such verb, behind its own.
func operationFlags(own ...cli.Flag) []cli.Flag {
	return append(own,
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, DisableDefaultText: true,
			Usage: "check and say what would be done, and do nothing"},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, DisableDefaultText: true,
			Usage: "do not ask"},
		&cli.DurationFlag{Name: "timeout", DefaultText: "no limit",
			Usage: "give up after this `TIME`, such as 90s"},
		outputFlag())
}

// operationResult is what --output json prints.
type operationResult struct {
	DryRun  bool         `json:"dry_run"`
	Changes []changeLine `json:"changes"`
	Result  any          `json:"result,omitempty"`
}

type changeLine struct {
	Host   string `json:"host"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Action string `json:"action"`
}

// operate runs a verb on the cluster. Unless it was told yes it first shows what would be done, and
// asks.
func operate[R any](c *cli.Context, out *terminal.Terminal, v operation[R]) error {
	dry, yes := c.Bool("dry-run"), c.Bool("yes") || v.question == ""
	if !dry && !yes && !askable() {
		return usagef(
			"%s asks before it acts, and there is no terminal to ask on: add --yes, or --dry-run "+
				"to only look",
			c.Command.HelpName)
	}
	return withCluster(c, out, v.options(), func(ctx context.Context, cl *pgha.Cluster) error {
		for host, err := range cl.Unreachable {
			out.Notef("%s %s: no connection: %v\n", out.Paint(terminal.Yellow, "!"), host, err)
		}
		if dry || !yes {
			planned, result, err := once(ctx, out, cl, v, true, dry && wantsJSON(c))
			done := err != nil || dry || len(planned) == 0
			if !done {
				err = confirm(ctx, out, v.question, v.typed)
				done = err != nil
			}
			switch {
			case done && wantsJSON(c):
				return outcomeJSON(out, true, planned, v.reported(result), err)
			case done && err == nil && len(planned) == 0:
				out.Printf("nothing to do\n")
			}
			if done {
				return err
			}
		}
		changes, result, err := once(ctx, out, cl, v, false, wantsJSON(c))
		if wantsJSON(c) {
			return outcomeJSON(out, false, changes, v.reported(result), err)
		}
		if err != nil {
			return err
		}
		v.show(result)
		if v.status {
			return showAfter(ctx, out, cl)
		}
		return nil
	})
}

// once makes the call and collects the changes it reports.
func once[R any](ctx context.Context, out *terminal.Terminal, cl *pgha.Cluster, v operation[R],
	dry, quiet bool) ([]changeLine, R, error) {
	changes := []changeLine{}
	show := operationText(out)
	result, err := v.do(ctx, cl, pgha.Operation{DryRun: dry, Observer: func(e pgha.Event) {
		if ch := e.Change; ch != nil {
			changes = append(changes, changeLine{ch.Host, ch.Kind, ch.Name, ch.Action})
		}
		if !quiet {
			show(e)
		}
	}})
	return changes, result, err
}

// operationText prints what happens, and what would happen, a line each.
func operationText(out *terminal.Terminal) pgha.Observer {
	print := applyText(out)
	return func(e pgha.Event) {
		if e.Change == nil || !e.Change.Planned {
			print(e)
			return
		}
		out.Notef("%s %-12s %s\n", out.Paint(terminal.Yellow, "would:"), e.Host, e.Change)
		for line := range strings.Lines(e.Change.Diff) {
			out.Notef("         %s\n", strings.TrimRight(line, "\n"))
		}
	}
}

func outcomeJSON(out *terminal.Terminal, dry bool, changes []changeLine, result any,
	err error) error {
	o := operationResult{DryRun: dry, Changes: changes}
	if err == nil && !dry {
		o.Result = result
	}
	return printAnswer(out, o, err)
}

// codeOf chooses the exit code for an error, as the table in the README and main.go have it.
func codeOf(err error) int {
	if errors.Is(err, spec.ErrInvalid) || errors.Is(err, lab.ErrInvalid) {
		return exitUsage
	}
	switch pgha.KindOf(err) {
	case errs.Locked:
		return exitLocked
	case errs.Refused:
		return exitRefused
	case errs.Timeout:
		return exitTimeout
	}
	return exitFailed
}

// askable reports whether there is somebody to ask.
func askable() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// errDeclined ends a verb that the operator did not want after all.
var errDeclined = errors.New("not confirmed, nothing was changed")

// confirm asks for a yes, or for the given word. Ctrl-C and the end of ctx are a no.
func confirm(ctx context.Context, out *terminal.Terminal, question, word string) error {
	if word == "" {
		out.Notef("\n%s [y/N] ", question)
	} else {
		out.Notef("\n%s\nType %s to go on: ", question, out.Paint(terminal.Bold, word))
	}
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n') // no line is no answer
		typed <- strings.TrimSpace(line)
	}()
	answer := ""
	select {
	case answer = <-typed:
	case <-ctx.Done():
		// The reader stays behind, and ends with the program.
		out.Notef("\n")
		return fmt.Errorf("%w: %w", errDeclined, context.Cause(ctx))
	}
	switch {
	case word != "" && answer == word, word == "" && (strings.EqualFold(answer, "y") ||
		strings.EqualFold(answer, "yes")):
		return nil
	}
	return errDeclined
}

// timeoutOf is the verb's own --timeout or the program's.
func timeoutOf(c *cli.Context) time.Duration {
	for _, level := range c.Lineage() {
		if level.IsSet("timeout") {
			return level.Duration("timeout")
		}
	}
	return 0
}

// at reads a time for a schedule: RFC 3339, "15:04" of today or tomorrow, or "+90m" from now.
func at(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if rest, ok := strings.CutPrefix(text, "+"); ok {
		d, err := time.ParseDuration(rest)
		if err != nil || d <= 0 {
			return time.Time{}, usagef("--at %q: after + comes a duration such as 90m", text)
		}
		return now.Add(d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	if t, err := time.ParseInLocation("15:04", text, now.Location()); err == nil {
		day := time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0,
			now.Location())
		if !day.After(now) {
			day = day.AddDate(0, 0, 1)
		}
		return day, nil
	}
	return time.Time{},
		usagef("--at %q: a time is 2026-11-30T02:00, 02:00 (the next one) or +90m", text)
}

// oneArgument returns the only argument of a verb.
func oneArgument(c *cli.Context, what string) (string, error) {
	if c.Args().Len() != 1 {
		return "", usagef("%s wants one %s", c.Command.HelpName, what)
	}
	return c.Args().First(), nil
}

// withHint is for the few hints that only the command line can give.
func withHint(err error, format string, args ...any) error {
	return remote.WithHint(err, fmt.Sprintf(format, args...))
}

// showAfter prints the status at the end of a change.
func showAfter(ctx context.Context, out *terminal.Terminal, cl *pgha.Cluster) error {
	status, err := cl.Status(ctx)
	if err != nil {
		return err
	}
	out.Printf("\n")
	printStatus(out, status)
	return nil
}

// consentFlags are those of an operation that loses data: a plain --yes is no answer there, the
// named flag is, with the cluster's name.
func consentFlags(flag string, own ...cli.Flag) []cli.Flag {
	own = append(own, &cli.StringFlag{Name: flag,
		Usage: "do not ask; `NAME` is the cluster's, to prove that it is the one meant"})
	return slices.DeleteFunc(operationFlags(own...),
		func(f cli.Flag) bool { return f.Names()[0] == "yes" })
}

// consent returns the question that is to be asked before the operation, "" where the flag has
// answered it.
func consent(c *cli.Context, flag, cluster, question string) (string, error) {
	switch {
	case c.IsSet(flag) && c.String(flag) != cluster:
		return "", usagef("--%s %q: the cluster is called %s", flag, c.String(flag), cluster)
	case c.IsSet(flag):
		return "", nil
	case !c.Bool("dry-run") && !askable():
		return "", usagef("%s asks for the cluster's name, and there is no terminal to ask on: "+
			"add --%s NAME, or --dry-run to only look", c.Command.Name, flag)
	}
	return question, nil
}
