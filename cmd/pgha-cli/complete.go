package main

import (
	_ "embed"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/spec"
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

// completes teaches every command what its flags and arguments may be: what a flag's usage and a
// command's ArgsUsage call them says what they are. Nothing is asked over the network.
func completes(commands []*cli.Command, out *terminal.Terminal) {
	for _, cmd := range commands {
		if cmd.BashComplete == nil {
			cmd.BashComplete = func(c *cli.Context) { complete(c, cmd, out) }
		}
		completes(cmd.Subcommands, out)
	}
}

// completeGlobal does so for the program's own flags.
func completeGlobal(out *terminal.Terminal) cli.BashCompleteFunc {
	return func(c *cli.Context) {
		if name := flagBefore(c.App.Flags); name != "" {
			offer(out, candidates(c, out, name))
			return
		}
		cli.DefaultAppComplete(c)
	}
}

func complete(c *cli.Context, cmd *cli.Command, out *terminal.Terminal) {
	if name := flagBefore(cmd.Flags); name != "" {
		offer(out, candidates(c, out, name))
		return
	}
	if previous := wordBefore(); !strings.HasPrefix(previous, "-") {
		for _, word := range argument.FindAllString(cmd.ArgsUsage, -1) {
			if word == strings.ToLower(word) {
				offer(out, []string{word}) // the word itself
				continue
			}
			offer(out, slices.DeleteFunc(candidates(c, out, word),
				func(s string) bool { return slices.Contains(c.Args().Slice(), s) }))
		}
	}
	cli.DefaultCompleteWithFlags(cmd)(c)
}

var (
	argument    = regexp.MustCompile(`[A-Za-z]+`)
	placeholder = regexp.MustCompile("`([^`]+)`")
)

// wordBefore is the word in front of the one that is completed: the last of the command line but
// the framework's flag.
func wordBefore() string {
	if len(os.Args) < 3 {
		return ""
	}
	return os.Args[len(os.Args)-2]
}

// flagBefore returns what the value of the flag is called that stands before the word to complete;
// "" when none does, or one without a value.
func flagBefore(flags []cli.Flag) string {
	name := strings.TrimLeft(wordBefore(), "-")
	if name == wordBefore() {
		return ""
	}
	for _, f := range flags {
		documented, ok := f.(cli.DocGenerationFlag)
		if !ok || !documented.TakesValue() || !slices.Contains(f.Names(), name) {
			continue
		}
		if name == "lab-name" {
			return "LAB"
		}
		if found := placeholder.FindStringSubmatch(documented.GetUsage()); found != nil {
			return found[1]
		}
	}
	return ""
}

func offer(out *terminal.Terminal, words []string) {
	for _, w := range words {
		fmt.Fprintln(out.Stdout, w)
	}
}

// candidates are what a placeholder of the help stands for; nil where only the user knows.
func candidates(c *cli.Context, out *terminal.Terminal, placeholder string) []string {
	switch placeholder {
	case "MEMBER":
		return hostNames(c, out, func(h spec.Host) string { return h.Member })
	case "HOST":
		return hostNames(c, out, func(h spec.Host) string { return h.Name })
	case "LAB":
		// without labs there is nothing to offer
		all, _ := lab.List(c.Context, c.String("lab-cache"))
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		return names
	case "COMPONENT":
		return []string{"all", "etcd", "haproxy", "keepalived", "patroni", "postgresql", "system"}
	case "SCENARIO":
		var names []string
		for _, s := range drill.Scenarios() {
			names = append(names, s.Name)
		}
		return names
	case "MODE":
		return []string{"off", "on", "quorum", "strict"}
	case "ROLE":
		return []string{"leader", "replica"}
	case "FORM":
		return pgha.ConnectionFormNames()
	case "FORMAT":
		return []string{"json", "text"}
	case "RELEASE":
		return []string{"testing", "trixie"}
	}
	return nil
}

// hostNames are those of the specification, or of the lab.
func hostNames(c *cli.Context, out *terminal.Terminal, name func(spec.Host) string) []string {
	sp, err := loadSpec(c.Context, c, out, &pgha.ConnectOptions{})
	if err != nil {
		return nil
	}
	var names []string
	for _, h := range sp.Hosts {
		if n := name(h); n != "" {
			names = append(names, n)
		}
	}
	return names
}
