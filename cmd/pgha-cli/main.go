// Command pgha-cli turns six plain Linux servers into a PostgreSQL high-availability cluster and
// looks after it. It is a thin layer over the pgha library: flags become an Options struct, one
// call, and a printed answer.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

func main() {
	// A run keeps little and soon ends: a tenth of its time went into collecting garbage.
	debug.SetGCPercent(400)
	os.Exit(run(os.Args, newApp))
}

// run is main with an exit code.
func run(args []string, build func(*terminal.Terminal) *cli.App) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal lets the work end tidily; a second one must not be swallowed.
	context.AfterFunc(ctx, stop)
	out := terminal.New(os.Stdout, os.Stderr)
	return perform(ctx, out, build(out), args)
}

// perform runs a command line, prints its error, and returns the exit code.
func perform(ctx context.Context, out *terminal.Terminal, app *cli.App, args []string) int {
	err := app.RunContext(ctx, flagsFirst(app, args))
	if err == nil {
		return exitOK
	}
	var code exitCode
	if errors.As(err, &code) {
		return int(code)
	}
	if !errors.As(err, new(told)) {
		fail(out, err)
	}
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, new(*exec.ExitError)): // looks like one of the framework's, and is not
		return exitFailed
	// the framework's, of help for no command
	case errors.As(err, new(usageError)), errors.As(err, new(cli.ExitCoder)):
		return exitUsage
	}
	return codeOf(err)
}

func newApp(out *terminal.Terminal) *cli.App {
	app := &cli.App{
		Name:  "pgha-cli",
		Usage: "a PostgreSQL high-availability cluster on plain Linux servers",
		Description: "Describe the cluster in a file (pgha-cli init > pgha.yaml), check the " +
			"hosts (preflight), make it so (apply)\n" +
			"and look at it (status, verify). Every command can be run again safely.\n\n" +
			"To see a real cluster on this machine alone: pgha-cli lab up, then pgha-cli --lab " +
			"apply.",
		UsageText:            "pgha-cli [--spec FILE | --lab] COMMAND [OPTIONS]",
		EnableBashCompletion: true,
		BashComplete:         completeGlobal(out),
		Version:              thisBuild().String(),
		Writer:               out.Stdout,
		ErrWriter:            out.Stderr,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "spec", Aliases: []string{"f"}, Value: "pgha.yaml",
				Usage: "the cluster's specification `FILE`", EnvVars: []string{"PGHA_SPEC"}},
			&cli.BoolFlag{Name: "lab", DisableDefaultText: true,
				Usage: "work on the lab's own cluster instead of a specification"},
			&cli.StringFlag{Name: "lab-name", Value: "demo",
				Usage:   "`NAME` of the lab, when there are several",
				EnvVars: []string{"PGHA_LAB_NAME"}},
			&cli.StringFlag{Name: "lab-cache", Value: lab.DefaultCacheDir,
				Usage:   "`FOLDER` of the labs' images and disks",
				EnvVars: []string{"PGHA_LAB_CACHE"}},
			&cli.DurationFlag{Name: "timeout", DefaultText: "no limit",
				Usage: "give up after this `TIME`, such as 90s"},
		},
		Commands: slices.Concat(
			category("Begin", initCommand(out), specCommand(out), preflightCommand(out),
				planCommand(out),
				applyCommand(out)),
			category("Look", statusCommand(out), verifyCommand(out), drillCommand(out),
				doctorCommand(out),
				adviseCommand(out), historyCommand(out), whyCommand(out), logsCommand(out),
				queryCommand(out),
				psqlCommand(out), connectionCommand(out), stateCommand(out), monitoringCommand(out)),
			category("Operate", switchoverCommand(out), failoverCommand(out), restartCommand(out),
				reloadCommand(out), reinitCommand(out),
				pauseCommand(out), resumeCommand(out), configCommand(out), syncCommand(out),
				secretsCommand(out), certificatesCommand(out), vipCommand(out), hostCommand(out), changeCommand(out),
				backupCommand(out), restoreCommand(out),
				startCommand(out), stopCommand(out), rollingRebootCommand(out), resetCommand(out),
				destroyCommand(out), unmanageCommand(out), recoverCommand(out)),
			category("Try out", labCommand(out), completionCommand(out), versionCommand(out)),
		),
		ExitErrHandler: func(*cli.Context, error) {}, // run prints and chooses the exit code
		OnUsageError:   onUsageError,
	}
	app.Action = groupAction(app.Commands, cli.ShowAppHelp)
	strict(app.Commands, out)
	completes(app.Commands, out)
	return app
}

// category puts commands under a heading of the help.
func category(name string, commands ...*cli.Command) []*cli.Command {
	for _, c := range commands {
		c.Category = name
	}
	return commands
}

// Exit codes, as the README lists them.
const (
	exitOK      = 0
	exitFailed  = 1 // tried and failed, or not healthy
	exitChanges = 2 // plan: there is something to change
	// refused before anything was changed; it will be again until something else has changed
	exitRefused     = 3
	exitTimeout     = 4   // not finished in time; it may still be going on
	exitLocked      = 5   // somebody else is changing the cluster
	exitUsage       = 64  // the command line or the specification is wrong; nothing was tried
	exitInterrupted = 130 // Ctrl-C or SIGTERM
)

// exitCode ends the program with this code and without a message: the message has been printed
// already, or a program that was run inside the lab has spoken for itself.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// build says what this program was built from, and for which machine.
type build struct {
	Version string `json:"version"`
	// Commit is empty where the program was not built from a checkout.
	Commit string `json:"commit,omitempty"`
	// Modified says that the checkout had changes that are not in the commit.
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// thisBuild reads what the Go tool recorded in the program.
func thisBuild() build {
	b := build{Version: pgha.Version, Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.checkout(info.Settings)
	}
	return b
}

// checkout takes the commit from the settings of a build.
func (b *build) checkout(settings []debug.BuildSetting) {
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
}

// String is one line, such as "0.1.0 (commit 8408d62a1b2c, modified) go1.26.8 linux/amd64".
func (b build) String() string {
	commit := ""
	if b.Commit != "" {
		commit = " (commit " + b.Commit[:min(12, len(b.Commit))]
		if b.Modified {
			commit += ", modified"
		}
		commit += ")"
	}
	return b.Version + commit + " " + b.Go + " " + b.Platform
}

func versionCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version, and the commit that it was built from",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if wantsJSON(c) {
				return out.JSON(thisBuild())
			}
			out.Printf("%s version %s\n", c.App.Name, thisBuild())
			return nil
		},
	}
}
