package main

import (
	_ "embed"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
)

//go:embed completion.bash
var bashCompletion string

//go:embed completion.fish
var fishCompletion string

//go:embed completion.zsh
var zshCompletion string

func completionCommand(out *terminal.Terminal) *cli.Command {
	script := func(name, usage, text string) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, Action: func(*cli.Context) error {
			out.Printf("%s", text)
			return nil
		}}
	}
	return &cli.Command{
		Name: "completion", Usage: "print a script that teaches your shell to complete commands " +
			"and options",
		Subcommands: []*cli.Command{
			script("bash", "for ~/.bashrc: source <(pgha-cli completion bash)", bashCompletion),
			script("fish", "for ~/.config/fish/config.fish: pgha-cli completion fish | source",
				fishCompletion),
			script("zsh", "for ~/.zshrc, after compinit: source <(pgha-cli completion zsh)",
				zshCompletion),
		},
	}
}
