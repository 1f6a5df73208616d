package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/monitoring"
	"github.com/pgha/toolkit/pgha/spec"
)

func specCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "spec", Usage: "check the specification, show it with all defaults, help an editor " +
			"with it",
		Subcommands: []*cli.Command{specValidateCommand(out), specShowCommand(out),
			specSchemaCommand(out)},
	}
}

// specProblem is a line of spec validate --output json.
type specProblem struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Field  string `json:"field"`
	Reason string `json:"reason"`
	Remedy string `json:"remedy"`
}

func specValidateCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "say everything that is wrong with the specification, and " +
			"contact no host",
		ArgsUsage: "[FILE]",
		Description: "Prints file:line:column, the field, what is wrong and what to do, a line " +
			"for each mistake, and exits with 64 if there is\n" +
			"any. The files and programs that the specification names are looked for on this " +
			"machine; no command of it is run. Hosts' names are\n" +
			"looked up; one that cannot be is said, and is no mistake.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			var opts pgha.ConnectOptions
			sp, err := readSpec(c, out, &opts)
			if err == nil {
				err = resolvable(c.Context, out, sp, opts.Lookup)
			}
			var wrong *spec.Errors
			if err != nil && !errors.As(err, &wrong) {
				return err
			}
			switch {
			case wantsJSON(c):
				if err := out.JSON(mistakesAnswer{specProblems(wrong)}); err != nil {
					return err
				}
			case wrong == nil:
				out.Printf("%s: no mistakes; %s\n", specFile(c), sp)
			default:
				out.Printf("%s\n", textOf(wrong))
			}
			if wrong != nil {
				return exitCode(exitUsage)
			}
			return nil
		},
	}
}

// resolvable looks up the names of a spec's hosts. One that this machine cannot look up, for want
// of a network say, is said, and is no mistake.
func resolvable(ctx context.Context, out *terminal.Terminal, sp *pgha.Spec,
	lookup spec.Lookup) error {
	_, err := sp.Resolve(ctx, lookup)
	if errors.Is(err, spec.ErrLookup) && !errors.Is(err, spec.ErrInvalid) {
		out.Notef("not checked: %s\n", err)
		return nil
	}
	return err
}

func specProblems(wrong *spec.Errors) []specProblem {
	list := []specProblem{}
	if wrong != nil {
		for _, e := range wrong.List {
			list = append(list, specProblem{e.File, e.Line, e.Column, e.Field, e.Problem,
				e.Remedy.Render(typed)})
		}
	}
	return list
}

func specShowCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "print the specification with every default spelled out, passwords " +
			"blotted out",
		ArgsUsage:   "[FILE]",
		Description: "What is printed is a specification itself, and contacts no host either.",
		Action: func(c *cli.Context) error {
			sp, err := readSpec(c, out, &pgha.ConnectOptions{})
			if err != nil {
				return err
			}
			text, err := sp.Redacted().Marshal()
			if err != nil {
				return err
			}
			_, err = out.Stdout.Write(text)
			return err
		},
	}
}

func specSchemaCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "schema", Usage: "print the JSON Schema of specifications, for editors",
		Description: "pgha-cli spec schema > pgha.schema.json, and this as the first line of the " +
			"specification:\n" +
			"# yaml-language-server: $schema=pgha.schema.json",
		Action: func(*cli.Context) error {
			_, err := out.Stdout.Write(spec.Schema())
			return err
		},
	}
}

// specFile names what readSpec reads.
func specFile(c *cli.Context) string {
	switch {
	case c.Args().Present():
		return c.Args().First()
	case c.Bool("lab") && !c.IsSet("spec"):
		return "lab " + c.String("lab-name")
	}
	return c.String("spec")
}

// readSpec reads the specification that the command line names, and nothing else. For the lab it
// sets the way into its network.
func readSpec(c *cli.Context, out *terminal.Terminal,
	opts *pgha.ConnectOptions) (*pgha.Spec, error) {
	if c.Args().Len() > 1 {
		return nil, usagef("%s wants one file at most", c.Command.HelpName)
	}
	if c.Args().Present() {
		return loadFile(c.Args().First())
	}
	return loadSpec(c.Context, c, out, opts)
}

func monitoringCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "monitoring", Usage: "print what a monitoring system needs to watch the cluster",
		Subcommands: []*cli.Command{prometheusCommand(out)},
	}
}

func prometheusCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "prometheus", Usage: "print a scrape configuration or alert rules for Prometheus",
		Description: "Made from the specification; contacts no host. Prometheus takes the first as one " +
			"of its scrape_config_files and the\nsecond as one of its rule_files:\n\n" +
			"   pgha-cli monitoring prometheus > /etc/prometheus/pgha.yml\n" +
			"   pgha-cli monitoring prometheus --rules > /etc/prometheus/pgha-rules.yml\n" +
			"   cp STATE-DIRECTORY/ca/patroni.crt /etc/prometheus/patroni-ca.crt\n\n" +
			"Hosts serve metrics to the networks in the section monitoring of the specification, once " +
			"that is applied.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "rules", DisableDefaultText: true,
				Usage: "print alert rules in place of the scrape configuration"},
			&cli.StringFlag{Name: "ca-file", Value: "patroni-ca.crt",
				Usage: "where Prometheus finds the `FILE` with the authority of Patroni's " +
					"certificates; a relative path starts at its configuration"},
		},
		Action: func(c *cli.Context) error {
			sp, err := readSpec(c, out, &pgha.ConnectOptions{})
			if err != nil {
				return err
			}
			text, err := monitoring.Scrape(sp, monitoring.Options{CAFile: c.String("ca-file")})
			if c.Bool("rules") {
				text, err = monitoring.Rules(sp)
			}
			if err != nil {
				return err
			}
			_, err = out.Stdout.Write(text)
			return err
		},
	}
}
