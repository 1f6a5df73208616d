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
	if len(args) == 0 {
		return args
	}
	flags, commands := app.Flags, app.Commands
	i := 1
	for i < len(args) {
		if strings.HasPrefix(args[i], "-") {
			i += width(flags, args[i])
			continue
		}
		at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[i]) })
		if at < 0 {
			break
		}
		i++
		if commands[at].SkipFlagParsing {
			return args
		}
		flags, commands = commands[at].Flags, commands[at].Subcommands
	}
	if i > len(args) {
		return args
	}
	var global, front, back []string
	command := args[1:i]
	for i < len(args) {
		if args[i] == "--" {
			back = append(back, args[i:]...)
			break
		}
		if !strings.HasPrefix(args[i], "-") || args[i] == "-" {
			back = append(back, args[i])
			i++
			continue
		}
		list, known := &front, flags
		if !has(flags, args[i]) && has(app.Flags, args[i]) {
			list, known = &global, app.Flags
		}
		end := min(i+width(known, args[i]), len(args))
		*list = append(*list, args[i:end]...)
		i = end
	}
	return slices.Concat(args[:1], global, command, front, back)
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
