package main

import (
	"slices"

	"github.com/urfave/cli/v2"
)

// consentFlags are those of an operation that loses data: a plain --yes is no answer there, the
// named flag is, with the cluster's name.
func consentFlags(flag string, own ...cli.Flag) []cli.Flag {
	own = append(own, &cli.StringFlag{Name: flag,
		Usage: "do not ask; `NAME` is the cluster's, to prove that it is the one meant"})
	return slices.DeleteFunc(operationFlags(own...), func(f cli.Flag) bool { return f.Names()[0] == "yes" })
}

// consent returns the question that is to be asked before the operation, "" where the flag has
// answered it.
func consent(c *cli.Context, flag, cluster, question string) (string, error) {
	switch {
	case c.IsSet(flag) && c.String(flag) != cluster:
		return "", usagef("--%s %q: the cluster is called %s", flag, c.String(flag), cluster)
	case c.IsSet(flag):
		return "", nil
	case !c.Bool("dry-run") && !askable():
		return "", usagef("%s asks for the cluster's name, and there is no terminal to ask on: add --%s NAME, "+
			"or --dry-run to only look", c.Command.Name, flag)
	}
	return question, nil
}
