package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/certificates"
)

func certificatesRequestCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "request", Usage: "ask your company to sign the next authority",
		ArgsUsage: "postgres|etcd",
		Description: "Makes a key, which stays in the state directory, and prints a request " +
			"(PKCS#10) for it. Your company's signer has to put in:\n\n" +
			"   basicConstraints        critical, CA:TRUE, pathlen:0\n" +
			"   keyUsage                critical, keyCertSign, cRLSign\n" +
			"   subjectKeyIdentifier and authorityKeyIdentifier\n\n" +
			"and no extended key usage. Then certificates import takes in what was signed, and " +
			"certificates rotate-ca brings it in.\n" +
			"Again it prints the same request; --new makes another one.\n\n" +
			"   pgha-cli certificates request postgres --out postgres.csr\n\n" +
			"The authorities of the REST API and of backups stay the tool's own: there every " +
			"certificate of your company would open the door.",
		Flags: operationFlags(
			&cli.StringFlag{Name: "out", Usage: "write the request to this `FILE`"},
			&cli.BoolFlag{Name: "new", DisableDefaultText: true,
				Usage: "make another key and request, and forget the former"}),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("certificates request wants one authority: postgres or etcd")
			}
			return operate(c, out, operation[certificates.RequestResult]{
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (certificates.RequestResult, error) {
					r, err := cl.Certificates().Request(ctx, certificates.RequestOptions{
						Operation: op, Authority: c.Args().First(), New: c.Bool("new")})
					if file := c.String("out"); err == nil && file != "" && r.Request != "" {
						// It is no secret, and goes to others.
						if err := os.WriteFile(file, []byte(r.Request), 0o644); err != nil {
							return r, fmt.Errorf("write the request: %w", err)
						}
					}
					return r, err
				},
				show: func(r certificates.RequestResult) { showRequest(out, c.String("out"), r) },
			})
		},
	}
}

func showRequest(out *terminal.Terminal, file string, r certificates.RequestResult) {
	if file == "" {
		out.Printf("%s", r.Request)
	}
	where := "is above"
	if file != "" {
		where = "is in " + file
	}
	out.Notef("the request for %q %s; its key stays in the state directory\n"+
		"your signer puts in: basicConstraints critical,CA:TRUE,pathlen:0; keyUsage "+
		"critical,keyCertSign,cRLSign; both key identifiers;\n"+
		"no extended key usage; valid for more than %d days\n"+
		"if it constrains names, it has to allow: %s\n"+
		"next: pgha-cli certificates import %s FILE, with the certificate and those above it up to "+
		"the root\n", r.Subject, where, r.LeastDays, strings.Join(r.Names, ", "), r.Authority)
}

func certificatesImportCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "take in what your company has signed for certificates request",
		ArgsUsage: "postgres|etcd FILE",
		Description: "FILE is PEM: the certificate and those above it up to the root, in any order. " +
			"All of it is checked, and nothing uses it until\n" +
			"certificates rotate-ca brings it in.\n\n" +
			"   pgha-cli certificates import postgres signed.pem --dry-run\n" +
			"   pgha-cli certificates import postgres signed.pem\n" +
			"   pgha-cli certificates rotate-ca postgres --pause",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return usagef("certificates import wants an authority, postgres or etcd, and a file")
			}
			file := c.Args().Get(1)
			text, err := os.ReadFile(file)
			if err != nil {
				return usagef("read what was signed: %v", err)
			}
			return operate(c, out, operation[certificates.ImportResult]{
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (certificates.ImportResult, error) {
					return cl.Certificates().Import(ctx, certificates.ImportOptions{Operation: op,
						Authority: c.Args().First(), File: file, Content: text})
				},
				show: func(r certificates.ImportResult) {
					what := out.Paint(terminal.Green, "imported")
					if r.Again {
						what = "imported before"
					}
					out.Printf("%s: %s, issued by %s below %s; its chain ends on %s\n"+
						"next: pgha-cli certificates rotate-ca %s\n", what, r.Subject, r.Issuer, r.Root,
						until(r.ChainEnds), r.Authority)
				},
			})
		},
	}
}

func certificatesRotateCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "rotate-ca", Usage: "replace authorities, and every certificate of theirs",
		ArgsUsage: "etcd|postgres|rest|backup|all...",
		Description: "In three steps, each finished on all hosts before the next: both authorities " +
			"are trusted; certificates of the new\n" +
			"one are shown; the new one alone is trusted. Each is checked by handshakes from every " +
			"host that dials a server. etcd's\n" +
			"members are restarted twice, one at a time, the leader last; PostgreSQL is not, and " +
			"no session is cut.\n\n" +
			"   pgha-cli certificates rotate-ca all --dry-run\n" +
			"   pgha-cli certificates rotate-ca postgres --pause     both are trusted; now give " +
			"applications the new file\n" +
			"   pgha-cli change continue                             and go on\n\n" +
			"Applications that verify PostgreSQL's certificate (sslmode=verify-full) need the file " +
			"with both before the second step:\n" +
			"pgha-cli connection names it. Each step is recorded: when a run is cut off, any operator " +
			"finishes it with change\n" +
			"continue, or takes it back with change undo until the last step begins; that one deletes " +
			"the former authority's key.\n" +
			"A host that is down is refused, or left out with --without; the next apply brings it in.\n" +
			"What certificates import took in comes; without that a new authority of the tool's own, " +
			"with --own also in the place of one of\n" +
			"your company.",
		Flags: operationFlags(
			&cli.BoolFlag{Name: "pause", DisableDefaultText: true,
				Usage: "end once both authorities are trusted; change continue goes on"},
			&cli.BoolFlag{Name: "own", DisableDefaultText: true,
				Usage: "make an authority of the tool's own where it is one of your company, or asked for"},
			&cli.StringSliceFlag{Name: "without",
				Usage: "leave `HOST` as it is, because it is down; may be repeated"}),
		Action: func(c *cli.Context) error {
			names := c.Args().Slice()
			if len(names) == 0 {
				return usagef("certificates rotate-ca wants etcd, postgres, rest, backup or all")
			}
			return operate(c, out, operation[certificates.RotateResult]{
				question: "Replace " + strings.Join(names, ", ") + "?",
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (certificates.RotateResult, error) {
					own := cl.Certificates()
					if slices.Contains(names, "all") {
						names = own.AllAuthorities()
					}
					return own.RotateCA(ctx, certificates.RotateOptions{Operation: op,
						Authorities: names, Pause: c.Bool("pause"), Own: c.Bool("own"),
						Without: c.StringSlice("without")})
				},
				show: func(r certificates.RotateResult) { showRotated(out, r) },
			})
		},
	}
}

func showRotated(out *terminal.Terminal, r certificates.RotateResult) {
	if r.Paused {
		out.Printf("%s after %s: both authorities of %s are trusted on all hosts (%d handshakes)\n"+
			"next: give applications the file that pgha-cli connection names, then pgha-cli change "+
			"continue; change undo takes it back\n", out.Paint(terminal.Yellow, "paused"), r.Elapsed,
			r.Subject, r.Handshakes)
		return
	}
	out.Printf("%s after %s: the authorities of %s and all their certificates are new, checked by "+
		"%d handshakes\n", out.Paint(terminal.Green, "replaced"), r.Elapsed, r.Subject, r.Handshakes)
	if len(r.Imported) > 0 {
		out.Printf("of your company: %s\n", strings.Join(r.Imported, ", "))
	}
	if len(r.LeftOut) > 0 {
		out.Printf("left out: %s; pgha-cli apply brings it in\n", strings.Join(r.LeftOut, ", "))
	}
}

func certificatesClientsCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "clients", Usage: "show who is connected to PostgreSQL, from where, with which TLS",
		Description: "For the time between the first and the second step of certificates rotate-ca " +
			"postgres: NEW is yes for sessions that were\n" +
			"opened since both authorities are trusted. Whether a client has the file with both a " +
			"server cannot see. PostgreSQL sees the\n" +
			"balancer's address of sessions through one.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			return withCluster(c, out, pgha.ConnectOptions{AllowUnreachable: true, ReadOnly: true},
				func(ctx context.Context, cl *pgha.Cluster) error {
					found, err := cl.Certificates().Clients(ctx)
					if wantsJSON(c) {
						return printAnswer(out, found, err)
					}
					w := out.Table()
					fmt.Fprintln(w, "MEMBER\tROLE\tDATABASE\tFROM\tPROGRAM\tTLS\tSESSIONS\tNEWEST\tNEW")
					for _, one := range found.Clients {
						from, since := one.Address, "-"
						if one.By != "" {
							from += " (" + one.By + ")"
						}
						if found.Since != nil {
							since = map[bool]string{true: "yes", false: "no"}[one.Since]
						}
						fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", one.Member, one.Role,
							dash(one.Database), from, dash(one.Application), cmp.Or(one.TLS, "none"),
							one.Sessions, onClock(one.Newest), since)
					}
					w.Flush()
					return err
				})
		},
	}
}
