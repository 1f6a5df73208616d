package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/psql"
	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/remote"
)

func connectionCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "connection", Usage: "print connection strings for applications, in the form of each " +
			"driver",
		Description: "None holds the password: it is in a file that only you can read, and the " +
			"strings name that file. What limits each\n" +
			"driver knows, and what they are worth, is in docs/connecting.md.\n\n" +
			"   pgha-cli connection                              every form, for the primary\n" +
			"   pgha-cli connection --role app --database shop --read\n" +
			"   pgha-cli connection --pool                       through the pooler, where there is one\n" +
			"   psql \"$(pgha-cli connection --form psql)\"       one bare string, for scripts\n" +
			"   pgha-cli connection --export /srv/app/pg --owner app\n\n" +
			"--export writes the authority's certificate, a service file and the password into a " +
			"directory for an account that\n" +
			"may not read yours, and prints the strings that name those files. With secrets.age in " +
			"the specification no\n" +
			"password lies plain on this machine but where you export it: pgha-cli psql logs in " +
			"all the same.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "role", DefaultText: "the superuser",
				Usage: "`NAME` of the role of PostgreSQL to log in as"},
			&cli.StringFlag{Name: "database", Value: "postgres", Usage: "`NAME` of the database"},
			&cli.BoolFlag{Name: "read", Usage: "to the replicas instead of the primary"},
			&cli.BoolFlag{Name: "pool", Usage: "through the pooler"},
			&cli.StringFlag{Name: "form", Usage: "print one string alone: `FORM` is the " +
				"name before the colon, such as jdbc"},
			&cli.StringFlag{Name: "export", Usage: "write what the strings name into `DIRECTORY`"},
			&cli.StringFlag{Name: "owner", DefaultText: "you",
				Usage: "`ACCOUNT` of this machine that the export is for"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error { return printConnection(c, out) },
	}
}

func printConnection(c *cli.Context, out *terminal.Terminal) error {
	for _, name := range []string{"role", "database", "form", "export", "owner"} {
		if c.IsSet(name) && c.String(name) == "" {
			return usagef("--%s wants a value", name)
		}
	}
	switch form := c.String("form"); {
	case form != "" && wantsJSON(c):
		return usagef("--form prints one string alone, and --output json all of them: give one of both")
	case form != "" && !slices.Contains(pgha.ConnectionFormNames(), form):
		return usagef("--form %s: there is no such form; there are %s", form,
			strings.Join(pgha.ConnectionFormNames(), ", "))
	case c.IsSet("owner") && !c.IsSet("export"):
		return usagef("--owner says who an export is for: give --export DIRECTORY")
	}
	sp, conn, err := connection(c, out)
	if err != nil {
		return err
	}
	conn = conn.As(c.String("database"), c.String("role"))
	if c.Bool("pool") {
		if conn, err = conn.Pooled(); err != nil {
			return err
		}
	}
	if c.Bool("read") && conn.ReadDSN == "" {
		return remote.WithHint(fmt.Errorf("%w: the cluster has one database and no balancer, so "+
			"there is no way to replicas", pgha.ErrRefused), "leave out --read")
	}
	if dir := c.String("export"); dir != "" {
		if conn, err = pgha.ExportConnection(c.Context, sp, conn,
			pgha.ExportOptions{Dir: dir, Owner: c.String("owner")}); err != nil {
			return err
		}
		out.Notef("%s", psql.Exported(conn, sp))
	}
	switch name := c.String("form"); {
	case wantsJSON(c):
		return out.JSON(conn)
	case name != "":
		text, err := psql.Bare(conn, name, c.Bool("read"))
		if err != nil {
			return err
		}
		out.Printf("%s\n", text)
	default:
		out.Printf("%s", psql.Forms(conn, c.Bool("read")))
	}
	return nil
}

// connection needs no host: it can be asked with the cluster down.
func connection(c *cli.Context, out *terminal.Terminal) (*pgha.Spec, pgha.Connection, error) {
	var opts pgha.ConnectOptions
	sp, err := loadSpec(c.Context, c, out, &opts)
	if err != nil {
		return nil, pgha.Connection{}, err
	}
	// Clients can look a name up themselves, perhaps later, and the hosts' certificates have it.
	if sp, err = sp.Resolve(c.Context, opts.Lookup); sp == nil {
		return nil, pgha.Connection{}, err
	}
	conn, err := pgha.ConnectionFor(sp)
	return sp, conn, err
}

func psqlCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "psql", Usage: "open psql on the primary, through the address, with the " +
			"certificate verified",
		ArgsUsage: "[PSQL ARGUMENTS]",
		Description: "Everything after the command is psql's: pgha-cli psql -c 'SELECT " +
			"pg_is_in_recovery()', pgha-cli psql shop, psql -d shop -U\n" +
			"me. It goes to the cluster always: -h is refused, and -p takes write or read, or " +
			"the number of one of the two ports.",
		SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			if c.Args().First() == "--help" {
				return cli.ShowSubcommandHelp(c)
			}
			sp, conn, err := connection(c, out)
			if err != nil {
				return err
			}
			args, err := psql.Parse(afterDashes(c.Args().Slice()), conn)
			if err != nil {
				return usageError{err.Error()}
			}
			own := args.User == "" || args.User == conn.User
			conn = conn.As(args.Database, args.User)
			dsn := conn.DSN
			if args.Read {
				dsn = conn.ReadDSN
			}
			if own && conn.PassFile == "" {
				content, err := pgha.PassFile(c.Context, sp)
				if err != nil {
					return err
				}
				file, err := psql.InMemory(content)
				if err != nil {
					return err
				}
				defer file.Close()
				dsn += " passfile=" + psql.PathOf(file)
			}
			argv := append([]string{"psql", "-d", dsn}, args.Rest...)
			if c.Bool("lab") {
				return inLab(c, out,
					func(l *lab.Lab) error {
						return passed(l.Run(c.Context, pgsession.Unset(argv...), stdio()))
					})
			}
			return passed(local(c.Context, argv))
		},
	}
}

// local runs a program of libpq's on this machine with this terminal. Where it connects to is in
// its arguments alone.
func local(ctx context.Context, argv []string) (int, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = pgsession.Environment(os.Environ())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return 0, remote.WithHint(err, "apt-get install postgresql-client")
	}
	return 0, err
}
