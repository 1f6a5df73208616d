package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst lets flags stand after arguments, as in `reinit postgresql-02 --yes`, and the
// program's own flags after the command, as in `status --lab`: the framework only knows the other
// order. Programs that get their flags handed through (psql, lab exec) and whatever follows -- are
// left alone.
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
	return slices.ContainsFunc(flags, func(f cli.Flag) bool {
		return slices.Contains(f.Names(), name)
	})
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

// decimal is the value of a flag that takes a whole number, read as the specification reads one.
// The framework's own flags take 010 for eight, 0x10 for sixteen and 1_000 for a thousand, whatever
// their Base is: that is for environment variables. Context.Int and Int64 read it.
type decimal int64

// Set implements flag.Value.
func (d *decimal) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return errors.New("the number is too large")
	case err != nil:
		return errors.New("write a whole number in decimal digits")
	}
	*d = decimal(n)
	return nil
}

// String implements flag.Value.
func (d *decimal) String() string { return strconv.FormatInt(int64(*d), 10) }

// numberFlag takes a whole number; byDefault is said in the help where it is not the value.
func numberFlag(name string, value int64, byDefault, usage string) cli.Flag {
	number := decimal(value)
	return &cli.GenericFlag{Name: name, Value: &number, DefaultText: byDefault, Usage: usage}
}
