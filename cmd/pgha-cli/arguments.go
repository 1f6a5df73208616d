package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst lets flags stand after arguments, as in `reinit postgresql-02 --yes`, and the program's own flags after the
// command, as in `status --lab`: the framework only knows the other order. Programs that get their flags handed through
// (psql, lab exec) and whatever follows -- are left alone.
func flagsFirst(app *cli.App, args []string) []string {
	if slices.Contains(args, "--generate-bash-completion") {
		return args // a half-typed line, whose order matters
	}
	var global, command, own, rest []string
	flags, commands := app.Flags, app.Commands
	for i := 1; i < len(args); {
		word := args[i]
		switch {
		case word == "--":
			rest, i = append(rest, args[i:]...), len(args)
			continue
		case strings.HasPrefix(word, "-") && word != "-":
			list, known := &own, flags
			if len(command) == 0 || !has(flags, word) && has(app.Flags, word) {
				list, known = &global, app.Flags
			}
			end := min(i+width(known, word), len(args))
			*list = append(*list, args[i:end]...)
			i = end
			continue
		}
		i++
		at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(word) })
		if at < 0 || len(rest) > 0 {
			rest = append(rest, word)
			continue
		}
		if commands[at].SkipFlagParsing {
			return args
		}
		command = append(command, word)
		flags, commands = commands[at].Flags, commands[at].Subcommands
	}
	return slices.Concat(args[:min(1, len(args))], global, command, own, rest)
}

// has tells whether word is one of these flags.
func has(flags []cli.Flag, word string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	return slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
}

// width is how many words a flag takes: two when its value stands apart.
func width(flags []cli.Flag, word string) int {
	name := strings.TrimLeft(word, "-")
	if strings.Contains(name, "=") {
		return 1
	}
	for _, f := range flags {
		if !slices.Contains(f.Names(), name) {
			continue
		}
		if _, isBool := f.(*cli.BoolFlag); !isBool {
			return 2
		}
	}
	return 1
}
