package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

func outputFlag() cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text",
		Usage: "`FORMAT` of the answer: text or json"}
}

func wantsJSON(c *cli.Context) bool { return c.String("output") == "json" }

// withCluster loads the spec, of a file or of the lab, connects, and hands the cluster to f.
func withCluster(c *cli.Context, out *terminal.Terminal, opts pgha.ConnectOptions,
	f func(context.Context,
		*pgha.Cluster) error) error {
	ctx, end, err := bounded(c)
	if err != nil {
		return err
	}
	defer end()
	sp, err := loadSpec(ctx, c, out, &opts)
	if err != nil {
		return err
	}
	return connected(ctx, out, sp, opts, f)
}

// bounded is the command's context, which ends with the time of --timeout.
func bounded(c *cli.Context) (context.Context, context.CancelFunc, error) {
	t := timeoutOf(c)
	if t < 0 {
		return nil, nil, usagef("--timeout %s: a time is positive, such as 90s", t)
	}
	if t == 0 {
		return c.Context, func() {}, nil
	}
	ctx, end := context.WithTimeout(c.Context, t)
	return ctx, end, nil
}

// connected calls f with the cluster of a specification.
func connected(ctx context.Context, out *terminal.Terminal, sp *pgha.Spec, opts pgha.ConnectOptions,
	f func(context.Context, *pgha.Cluster) error) error {
	opts.Password = terminal.AskPassword
	cluster, err := pgha.Connect(ctx, sp, opts)
	if err != nil {
		return err
	}
	if p := cluster.Pulled; p != nil {
		out.Notef("the state of the cluster was fetched from %s into %s: generation %d, of %s\n",
			p.From, sp.StateDir, p.Generation, p.By)
	}
	for _, h := range cluster.Spec.Hosts {
		if why := cluster.Remembered[h.Name]; why != nil {
			out.Notef("%s %s: %s, of the last apply, as its name cannot be looked up: %v\n",
				out.Paint(terminal.Yellow, "!"), h.Name, h.Address, why)
		}
	}
	return errors.Join(f(ctx, cluster), cluster.Close())
}

// loadSpec returns the spec and, for the lab, the way into its network.
func loadSpec(ctx context.Context, c *cli.Context, out *terminal.Terminal,
	opts *pgha.ConnectOptions) (*pgha.Spec,
	error) {
	if c.Bool("lab") {
		// A specification given together with the lab describes what the lab's hosts become; the
		// lab leads to them.
		l, err := lab.Open(ctx, labOptions(c, out))
		if err != nil {
			return nil, err
		}
		opts.Dial, opts.Lookup = l.DialContext, l.Lookup
		if !c.IsSet("spec") {
			text, err := l.Spec()
			if err != nil {
				return nil, err
			}
			return spec.Parse("lab "+l.Name(), text)
		}
	}
	return loadFile(c.String("spec"))
}

// loadFile reads a specification, and says where one comes from if there is none.
func loadFile(file string) (*pgha.Spec, error) {
	sp, err := spec.Load(file)
	var unreadable *fs.PathError
	if errors.As(err, &unreadable) {
		return nil, remote.WithHint(err,
			"pgha-cli init > pgha.yaml writes one to start from; --spec names another file; "+
				"--lab works on the lab")
	}
	return sp, err
}

func initCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "init", Usage: "print a commented specification to start from",
		Description: "pgha-cli init > pgha.yaml, then put your hosts' names and addresses in.",
		Flags: []cli.Flag{&cli.StringFlag{Name: "layout", Value: spec.Layouts()[0],
			Usage: "of which hosts, one of " + strings.Join(spec.Layouts(), ", ") +
				" (`NAME`): docs/layouts.md"}},
		Action: func(c *cli.Context) error {
			text, err := spec.ExampleOf(c.String("layout"))
			if err != nil {
				return usagef("init: %v", err)
			}
			_, err = out.Stdout.Write(text)
			return err
		},
	}
}
