// Command pgha-cli turns six plain Linux servers into a PostgreSQL high-availability cluster and looks after it. It is a
// thin layer over the pgha library: flags become an Options struct, one call, and a printed answer.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() { os.Exit(run(os.Args)) }

// run is main with an exit code, so that tests can call it.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal lets the work end tidily; a second one must not be swallowed.
	context.AfterFunc(ctx, stop)
	out := newTerminal(os.Stdout, os.Stderr)
	err := newApp(out).RunContext(ctx, args)
	if err == nil {
		return exitOK
	}
	var code exitCode
	if errors.As(err, &code) {
		return int(code)
	}
	out.fail(err)
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, errUsage):
		return exitUsage
	}
	return exitFailed
}

func newApp(out *terminal) *cli.App {
	app := &cli.App{
		Name:  "pgha-cli",
		Usage: "a PostgreSQL high-availability cluster on plain Linux servers",
		Description: "Describe the cluster in a file (pgha-cli init > pgha.yaml), check the hosts (preflight), make it so (apply)\n" +
			"and look at it (status, verify). Every command can be run again safely.\n\n" +
			"To see a real cluster on this machine alone: pgha-cli lab up, then pgha-cli --lab apply.",
		UsageText:            "pgha-cli [--spec FILE | --lab] COMMAND [OPTIONS]",
		EnableBashCompletion: true,
		HideVersion:          false,
		Version:              version(),
		Writer:               out.stdout,
		ErrWriter:            out.stderr,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "spec", Aliases: []string{"f"}, Value: "pgha.yaml", Usage: "the cluster's specification `FILE`", EnvVars: []string{"PGHA_SPEC"}},
			&cli.BoolFlag{Name: "lab", Usage: "work on the lab's own cluster instead of a specification"},
			&cli.StringFlag{Name: "lab-name", Value: "demo", Usage: "which lab, when there are several", EnvVars: []string{"PGHA_LAB_NAME"}},
			&cli.StringFlag{Name: "lab-cache", Usage: "`FOLDER` for the labs' images and disks (default: /var/cache/pgha-lab)", EnvVars: []string{"PGHA_LAB_CACHE"}},
			&cli.DurationFlag{Name: "timeout", Usage: "give up after this long (default: no limit)"},
		},
		Commands: []*cli.Command{
			initCommand(out), preflightCommand(out), applyCommand(out), verifyCommand(out), statusCommand(out),
			psqlCommand(out), connectionCommand(out), labCommand(out),
		},
		ExitErrHandler: func(*cli.Context, error) {}, // run prints and chooses the exit code
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return fmt.Errorf("%w: %w", errUsage, err)
		},
		CommandNotFound: nil,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("%w: there is no command %q%s", errUsage, c.Args().First(), suggestion(c))
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, cmd := range app.Commands {
		cmd.OnUsageError = app.OnUsageError
		for _, sub := range cmd.Subcommands {
			sub.OnUsageError = app.OnUsageError
		}
	}
	return app
}

// Exit codes, as the README lists them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 64
	exitInterrupted = 130
)

var errUsage = errors.New("usage")

// exitCode ends the program with this code and without a message: the message has been printed already, or a program
// that was run inside the lab has spoken for itself.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func suggestion(c *cli.Context) string {
	if s := cli.SuggestCommand(c.App.Commands, c.Args().First()); s != "" {
		return ". " + s // already a question: Did you mean "apply"?
	}
	return ""
}
