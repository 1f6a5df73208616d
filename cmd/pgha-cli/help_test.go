package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
)

// everyCommand calls f for each command that does something, with its whole name.
func everyCommand(commands []*cli.Command, above []string, f func(path []string, c *cli.Command)) {
	for _, c := range commands {
		path := append(slices.Clone(above), c.Name)
		if len(c.Subcommands) == 0 || len(c.Flags) > 0 {
			f(path, c)
		}
		everyCommand(c.Subcommands, path, f)
	}
}

func wholeProgram() []*cli.Command {
	return newApp(&terminal.Terminal{Stdout: io.Discard, Stderr: io.Discard}).Commands
}

// TestEveryCommandExplainsItself: --help of each command ends with 0, prints to standard output
// alone, and has the command's purpose, what it takes, and a sentence for each option.
func TestEveryCommandExplainsItself(t *testing.T) {
	seen := 0
	everyCommand(wholeProgram(), nil, func(path []string, c *cli.Command) {
		if path[0] == "help" {
			return
		}
		seen++
		line := strings.Join(path, " ")
		got := typedIn(t, append(slices.Clone(path), "--help")...)
		if got.code != exitOK || got.stderr != "" {
			t.Errorf("%s --help ends with %d: %s", line, got.code, got.stderr)
		}
		for _, part := range []string{"NAME:\n   pgha-cli " + line + " - " + c.Usage, "USAGE:",
			c.ArgsUsage} {
			if !strings.Contains(got.stdout, part) {
				t.Errorf("%s --help lacks %q:\n%s", line, part, got.stdout)
			}
		}
		for _, f := range c.Flags {
			doc, _ := f.(cli.DocGenerationFlag)
			usage := strings.ReplaceAll(doc.GetUsage(), "`", "")
			if usage == "" || !strings.Contains(strings.Join(strings.Fields(got.stdout), " "),
				usage) {
				t.Errorf("%s --help does not explain --%s:\n%s", line, f.Names()[0], got.stdout)
			}
			if doc.TakesValue() && !strings.Contains(doc.GetUsage(), "`") {
				t.Errorf("%s --%s does not name its value", line, f.Names()[0])
			}
		}
		for text := range strings.Lines(got.stdout) {
			if n := len([]rune(strings.TrimRight(text, "\n"))); n > 180 {
				t.Errorf("%s --help has a line of %d characters: %s", line, n, text)
			}
		}
		if strings.Contains(got.stdout, "%!") {
			t.Errorf("%s --help shows a mistake in a format:\n%s", line, got.stdout)
		}
	})
	if seen < 40 {
		t.Errorf("only %d commands were asked", seen)
	}
}

// TestVerbsThatChangeCanBePractised: whatever changes a running cluster has a dry run, a way not to
// be asked, a limit of time and JSON; and its help says that something is asked.
func TestVerbsThatChangeCanBePractised(t *testing.T) {
	verbs := 0
	everyCommand(wholeProgram(), nil, func(path []string, c *cli.Command) {
		if c.Category != "Operate" && path[0] != "config" && path[0] != "secrets" {
			return
		}
		var names []string
		for _, f := range c.Flags {
			names = append(names, f.Names()[0])
		}
		line := strings.Join(path, " ")
		if slices.Contains([]string{"config show", "secrets encrypt", "secrets decrypt"}, line) {
			return
		}
		verbs++
		// What loses data wants the cluster's name, and no plain --yes.
		yes, named := map[string]string{"reset": "yes-destroy",
			"destroy": "yes-destroy", "recover": "yes-recover", "unmanage": "yes-unmanage"}[line]
		if !named {
			yes = "yes"
		}
		for _, name := range []string{"dry-run", yes, "timeout", "output"} {
			if !slices.Contains(names, name) {
				t.Errorf("%s has no --%s", line, name)
			}
		}
		if named && slices.Contains(names, "yes") {
			t.Errorf("%s has a plain --yes", line)
		}
	})
	if verbs < 14 {
		t.Errorf("only %d verbs were looked at", verbs)
	}
}

// TestWrongCommandLines walks every command: a format, an option and an argument that it does not
// know end with 64 before anything is tried, and what is wrong is quoted.
func TestWrongCommandLines(t *testing.T) {
	file := halfDead(t)
	formats := 0
	everyCommand(wholeProgram(), nil, func(path []string, c *cli.Command) {
		if path[0] == "help" || c.SkipFlagParsing {
			return
		}
		line := strings.Join(path, " ")
		wrong := func(says string, more ...string) {
			args := slices.Concat([]string{"--spec", file, "--lab-name", "nowhere"}, path, more)
			got := typedIn(t, args...)
			if got.code != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, says) ||
				!strings.Contains(got.stderr, "hint: ") {
				t.Errorf("%s %s ends with %d, want 64 and %q:\n%s%s", line, strings.Join(more, " "),
					got.code, says,
					got.stdout, got.stderr)
			}
		}
		wrong("-colour", "--colour")
		if c.ArgsUsage == "" {
			wrong(`"nonsense"`, "nonsense")
		}
		for _, f := range c.Flags {
			name := f.Names()[0]
			switch f.(type) {
			case *cli.DurationFlag:
				wrong(`"soon"`, "--"+name, "soon")
			case *cli.GenericFlag:
				wrong(`"many"`, "--"+name, "many")
			case *cli.StringFlag:
				if name == "output" {
					formats++
					wrong("there is text and json", "--output", "yaml")
				}
			}
		}
	})
	if formats < 25 {
		t.Errorf("only %d commands have a format", formats)
	}
}

// TestAskingVerbsRefuseAPipe: each verb that asks says so where nobody can be asked, before it
// contacts a host.
func TestAskingVerbsRefuseAPipe(t *testing.T) {
	file := halfDead(t)
	for _, line := range []string{"switchover", "failover", "restart", "restart --at +90m",
		"reinit pg-2", "pause",
		"stop", "stop pg-2", "rolling-reboot", "reset", "destroy", "unmanage", "secrets rotate", "vip move --to b", "sync off",
		"config set ttl=30",
		"config edit", "doctor --fix unit-stopped", "plan --accept", "verify --deep"} {
		got := typedIn(t, append([]string{"--spec", file}, strings.Fields(line)...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, "no terminal to ask on") ||
			!strings.Contains(got.stderr, "--dry-run") ||
			strings.Contains(got.stderr, "unreachable") {
			t.Errorf("%s ends with %d:\n%s", line, got.code, got.stderr)
		}
	}
	for line, says := range map[string]string{
		"reset --yes-destroy live":        "the cluster is called dead",
		"reset now":                       "reset takes no arguments",
		"reinit":                          "wants one member",
		"reinit pg-1 pg-2 --yes":          "wants one member",
		"restart --role primary --yes":    "there is leader and replica",
		"restart --cancel":                "wants one member",
		"restart --at noon --yes":         "02:00 (the next one) or +90m",
		"switchover --at +never --yes":    "after + comes a duration",
		"switchover --at -5m --yes":       "02:00 (the next one) or +90m",
		"failover --max-loss 1e6 --yes":   "decimal",
		"query --max-rows ten x":          "decimal",
		"logs":                            "logs wants a component: patroni",
		"logs patrony":                    `Did you mean "patroni"`,
		"logs etcd --lines -1":            "a number of lines is positive",
		"logs etcd --follow --until 1m":   "--follow has no end",
		"logs etcd --since 1m --until 2m": "--until is not after --since",
		"doctor --dry-run":                "--dry-run goes with --fix",
	} {
		got := typedIn(t, append([]string{"--spec", file}, strings.Fields(line)...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, says) {
			t.Errorf("%s ends with %d, want %q:\n%s", line, got.code, says, got.stderr)
		}
	}
}
