package main

import (
	"context"
	"errors"
	"os"
	"os/exec"

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
		Name: "connection", Usage: "print connection strings for applications",
		Description: "None holds the password: it is in a file that only you can read, and the " +
			"strings name that file. With secrets.age in\n" +
			"the specification no password lies plain on this machine: pgha-cli psql logs in all " +
			"the same, other programs need\n" +
			"a password file of their own.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			_, conn, err := connection(c, out)
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				return out.JSON(conn)
			}
			out.Printf("psql            psql %q\n", conn.DSN)
			if conn.ReadDSN != "" {
				out.Printf("replicas        psql %q\n", conn.ReadDSN)
			}
			passFile := conn.PassFile
			if passFile == "" {
				passFile = "none: the password is encrypted, and pgha-cli psql decrypts it"
			}
			out.Printf(
				"multi-host      %s\npgx, URL        %s\nJDBC            %s\npassword file   %s\n",
				conn.MultiHost, conn.URL, conn.JDBC, passFile)
			return nil
		},
	}
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
