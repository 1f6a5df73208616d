package main

import (
	"context"
	"fmt"
	"os"
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
