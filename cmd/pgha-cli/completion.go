package main

import (
	_ "embed"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/pgha/lab"
)

//go:embed completion.bash
var bashCompletion string

//go:embed completion.zsh
var zshCompletion string

func completionCommand(out *terminal) *cli.Command {
	script := func(name, usage, text string) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, Action: func(*cli.Context) error {
			out.printf("%s", text)
			return nil
		}}
	}
	return &cli.Command{
		Name: "completion", Usage: "print a script that teaches your shell to complete commands and options",
		Subcommands: []*cli.Command{
			script("bash", "for ~/.bashrc: source <(pgha-cli completion bash)", bashCompletion),
			script("zsh", "for ~/.zshrc, after compinit: source <(pgha-cli completion zsh)", zshCompletion),
		},
	}
}

// completeHosts offers the lab's hosts for the first argument.
func completeHosts(out *terminal) cli.BashCompleteFunc {
	return func(c *cli.Context) {
		l, err := lab.Open(c.Context, labOptions(c, out))
		if err != nil || c.NArg() > 0 {
			return
		}
		for _, h := range l.Hosts() {
			fmt.Fprintln(out.stdout, h.Name)
		}
	}
}
