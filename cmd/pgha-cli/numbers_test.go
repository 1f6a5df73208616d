package main

import (
	"context"
	"flag"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
)

// TestNumbersAreDecimal walks all flags of all commands: whichever takes a whole number reads it as
// people write it.
func TestNumbersAreDecimal(t *testing.T) {
	app := newApp(terminal.New(os.Stdout, os.Stderr))
	found := 0
	for _, f := range allFlags(app.Flags, app.Commands) {
		switch f.(type) {
		case *cli.StringFlag, *cli.StringSliceFlag, *cli.BoolFlag, *cli.DurationFlag,
			*cli.Float64Flag:
			continue
		case *cli.GenericFlag:
			found++
		default: // the framework's numbers are not decimal
			t.Errorf("--%s is a %T: make it with numberFlag", f.Names()[0], f)
			continue
		}
		for text, want := range map[string]string{
			"10": "10", "010": "10", "0010": "10", "08": "8", "0": "0", "+7": "7", "-1": "-1",
			"0x10": "", "0b1": "", "0o17": "", "1_000": "", "1e3": "", "10.0": "", "": "",
			" 10": "", "٣": "",
			"99999999999999999999": "",
		} {
			set := flag.NewFlagSet("test", flag.ContinueOnError)
			set.SetOutput(io.Discard)
			if err := f.Apply(set); err != nil {
				t.Fatal(err)
			}
			name := f.Names()[0]
			err := set.Set(name, text)
			if got := set.Lookup(name).Value.String(); (err == nil) != (want != "") || want != "" &&
				got != want {
				t.Errorf("--%s %q is %s (%v), want %q", name, text, got, err, want)
			}
		}
	}
	if found < 6 {
		t.Errorf("only %d flags take a number", found)
	}
}

func allFlags(flags []cli.Flag, commands []*cli.Command) []cli.Flag {
	all := slices.Clone(flags)
	for _, c := range commands {
		all = append(all, allFlags(c.Flags, c.Subcommands)...)
	}
	return all
}

// TestNumbersArrive reads what a command is given, by the functions that the commands use.
func TestNumbersArrive(t *testing.T) {
	// Not in parallel: applications of cli share the flag for help (urfave/cli v2.27.7), and
	// setting it is a race.
	var runs int
	var loss int64
	var set bool
	app := &cli.App{
		Flags: []cli.Flag{numberFlag("runs", 3, "", "of `NUMBER`"),
			numberFlag("loss", 0, "none", "`BYTES`")},
		Action: func(c *cli.Context) error {
			runs, loss, set = c.Int("runs"), c.Int64("loss"), c.IsSet("runs")
			return nil
		},
	}
	if err := app.RunContext(context.Background(), []string{
		"x", "--loss", "016777216",
	}); err != nil || runs != 3 || loss != 16777216 || set {
		t.Error(err, runs, loss, set)
	}
}
