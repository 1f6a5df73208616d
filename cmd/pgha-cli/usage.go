package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/internal/suggest"
	"github.com/pgha/toolkit/pgha/errs"
)

// usageError says that the command line itself is wrong: nothing was tried. The program exits with
// exitUsage.
type usageError struct{ problem string }

func (e usageError) Error() string { return e.problem }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// strict makes a tree of commands refuse what the framework lets pass: unknown subcommands,
// arguments of commands that take none, and formats that do not exist. It has errors printed in the
// format that is wanted.
func strict(commands []*cli.Command, out *terminal.Terminal) {
	for _, cmd := range commands {
		cmd.HideHelpCommand = true
		cmd.OnUsageError = onUsageError
		switch {
		case len(cmd.Subcommands) > 0:
			own := cmd.Action
			if own == nil {
				own = cli.ShowSubcommandHelp
			}
			cmd.Action = groupAction(cmd.Subcommands, inJSON(out, knownFormat(own)))
			strict(cmd.Subcommands, out)
		case cmd.ArgsUsage == "":
			cmd.Action = inJSON(out, noArguments(knownFormat(cmd.Action)))
		default:
			cmd.Action = inJSON(out, knownFormat(cmd.Action))
		}
	}
}

// onUsageError words what package flag complains of. Only times are left that it cannot parse:
// numbers are read by numberFlag.
func onUsageError(_ *cli.Context, err error, _ bool) error {
	text := strings.Replace(err.Error(), " for flag -", " for --", 1)
	if start, ok := strings.CutSuffix(text, ": parse error"); ok {
		text = start + ": write a time with its unit, such as 90s or 5m"
	}
	return usageError{text}
}

// groupAction is what runs when no command of a group was named: the group's own work, which mostly
// is to help, or an error that suggests the nearest command.
func groupAction(commands []*cli.Command, own cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if !c.Args().Present() {
			return own(c)
		}
		problem := fmt.Sprintf("there is no command %q", c.Args().First())
		var names []string
		for _, cmd := range commands {
			names = append(names, cmd.Names()...)
		}
		return usageError{problem + didYouMean(c.Args().First(), names)}
	}
}

// didYouMean is a sentence that names the nearest of the known words, "" when none is near.
func didYouMean(word string, known []string) string {
	if near := suggest.Nearest(word, known); near != "" {
		return fmt.Sprintf(". Did you mean %q?", near)
	}
	return ""
}

// knownFormat refuses an --output that does not exist.
func knownFormat(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		switch o := c.String("output"); o {
		case "", "text", "json":
			return action(c)
		default:
			return usagef("--output %q: there is text and json", o)
		}
	}
}

func noArguments(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.Args().Present() {
			return usagef("%s takes no arguments, not even %q", c.Command.HelpName,
				c.Args().First())
		}
		return action(c)
	}
}

// fail prints an error and what to do about it.
func fail(out *terminal.Terminal, err error) {
	out.Notef("%s %s\n", out.Paint(terminal.Red, "error:"), terminal.SameOnce(textOf(err)))
	if hint := hintOf(err); hint != "" {
		out.Notef("%s %s\n", out.Paint(terminal.Yellow, "hint:"), hint)
	} else if errors.As(err, new(usageError)) {
		out.Notef("%s %s\n", out.Paint(terminal.Yellow, "hint:"),
			"pgha-cli --help lists the commands, pgha-cli COMMAND --help explains one")
	}
}

// textOf returns an error's text, with verbs as they are typed.
func textOf(err error) string { return errs.Render(err, typed) }

// hintOf returns what to do next about all errors in err, a line each.
func hintOf(err error) string {
	var hints []string
	for _, next := range errs.Steps(err) {
		hints = append(hints, next.Render(typed))
	}
	return strings.Join(hints, "\n      ")
}
