package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// usageError says that the command line itself is wrong: nothing was tried. The program exits with exitUsage.
type usageError struct{ problem string }

func (e usageError) Error() string { return e.problem }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// strict makes a tree of commands refuse what the framework lets pass: unknown subcommands, and arguments of commands that
// take none.
func strict(commands []*cli.Command) {
	for _, cmd := range commands {
		cmd.HideHelpCommand = true
		cmd.OnUsageError = onUsageError
		switch {
		case len(cmd.Subcommands) > 0:
			own := cmd.Action
			if own == nil {
				own = cli.ShowSubcommandHelp
			}
			cmd.Action = groupAction(cmd.Subcommands, own)
			strict(cmd.Subcommands)
		case cmd.ArgsUsage == "":
			cmd.Action = noArguments(cmd.Action)
		}
	}
}

func onUsageError(_ *cli.Context, err error, _ bool) error { return usageError{err.Error()} }

// groupAction is what runs when no command of a group was named: the group's own work, which mostly is to help, or an error
// that suggests the nearest command.
func groupAction(commands []*cli.Command, own cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if !c.Args().Present() {
			return own(c)
		}
		problem := fmt.Sprintf("there is no command %q", c.Args().First())
		if s := cli.SuggestCommand(commands, c.Args().First()); s != "" {
			problem += ". " + s // a sentence: Did you mean "apply"?
		}
		return usageError{problem}
	}
}

func noArguments(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.Args().Present() {
			return usagef("%s takes no arguments, not even %q", c.Command.HelpName, c.Args().First())
		}
		return action(c)
	}
}
