package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/cmd/pgha-cli/internal/timer"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/certificates"
)

func certificatesCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "certificates", Usage: "list and renew certificates, replace the authorities",
		Description: "Whoever runs a cluster for years meets these two:\n\n" +
			"   pgha-cli certificates renew --due --yes      what ends soon; run it every day\n" +
			"   pgha-cli certificates rotate-ca etcd         the authority itself, with all that it " +
			"has issued\n\n" +
			"Neither restarts PostgreSQL or cuts a session. With request and import the next authority " +
			"is one of your company.",
		Subcommands: []*cli.Command{certificatesListCommand(out), certificatesRenewCommand(out),
			certificatesRotateCommand(out), certificatesRequestCommand(out),
			certificatesImportCommand(out), certificatesClientsCommand(out),
			certificatesTimerCommand(out)},
	}
}

func certificatesListCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "show every certificate: in the state directory, on disk, on the wire",
		Description: "What servers show is asked for by a handshake from their own host: a program " +
			"may not have read yet what lies on its disk.\n" +
			"DUE means that less than a third of the lifetime is left; certificates renew replaces " +
			"it.\n\n" +
			"Exit code 0: all is well; 1: something has ended, is missing, or differs between these " +
			"places; 2: something is due.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			return withCluster(c, out, pgha.ConnectOptions{AllowUnreachable: true, ReadOnly: true},
				func(ctx context.Context, cl *pgha.Cluster) error {
					found, err := cl.Certificates().List(ctx)
					if err != nil {
						return err
					}
					if wantsJSON(c) {
						if err := out.JSON(found); err != nil {
							return err
						}
					} else {
						showCertificates(out, found)
					}
					switch {
					case len(found.Problems()) > 0:
						return exitCode(exitFailed)
					case found.Due() > 0:
						return exitCode(exitChanges)
					}
					return nil
				})
		},
	}
}

func showCertificates(out *terminal.Terminal, found certificates.Inventory) {
	w := out.Table()
	fmt.Fprintln(w, "AUTHORITY\tROLE\tISSUER\tUNTIL\tDAYS\tSERIAL\t")
	for _, a := range found.Authorities {
		issuer, end := "the tool", a.NotAfter
		if a.Root != "" {
			issuer, end = a.Issuer, a.ChainEnds
		}
		if a.Role == "requested" {
			issuer = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.Name, a.Role, dash(issuer), until(end),
			days(a.Seen), abbreviated(a.Serial), remark(out, a.Due, a.Problem))
	}
	fmt.Fprintln(w, "\nHOST\tCERTIFICATE\tAUTHORITY\tUNTIL\tDAYS\tON THE WIRE\t")
	for _, c := range found.Certificates {
		at := c.State
		if c.Disk != nil {
			at = *c.Disk
		}
		var shown []string
		for _, s := range c.Wire {
			shown = append(shown, fmt.Sprintf("%d %s", s.Port, abbreviated(s.Serial)))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", dash(c.Host), c.Name, c.Authority,
			until(at.NotAfter), days(at), dash(strings.Join(shown, ", ")),
			remark(out, c.Due, c.Problem))
	}
	w.Flush()
	for _, t := range found.Trust {
		if t.Problem != "" {
			out.Printf("%s %s %s: %s\n", out.Paint(terminal.Red, "!"), t.Host, t.File, t.Problem)
		}
	}
	if n := found.Due(); n > 0 {
		out.Printf("\n%d due: pgha-cli certificates renew --due\n", n)
	}
	for _, a := range found.Authorities {
		if a.CutsShort {
			out.Printf("%s certificates of %s end with its authority, before their time: pgha-cli "+
				"certificates rotate-ca %s replaces that\n", out.Paint(terminal.Yellow, "!"), a.Name,
				a.Name)
		}
	}
}

// abbreviated is the beginning of a serial number, enough to compare two.
func abbreviated(serial string) string { return dash(serial[:min(len(serial), 8)]) }

func until(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	if left := time.Until(at); left.Abs() < 48*time.Hour {
		return onClock(at)
	}
	return at.Format(time.DateOnly)
}

func days(s certificates.Seen) string {
	if s.NotAfter.IsZero() {
		return "-"
	}
	return fmt.Sprint(s.DaysLeft)
}

func remark(out *terminal.Terminal, due bool, problem string) string {
	switch {
	case problem != "":
		return out.Paint(terminal.Red, problem)
	case due:
		return out.Paint(terminal.Yellow, "due")
	}
	return ""
}

func certificatesRenewCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "renew", Usage: "issue certificates anew, and have everybody take them",
		ArgsUsage: "[HOST...]",
		Description: "Those that are due: with less than a third of their lifetime left, or not as " +
			"the specification wants them. --all\n" +
			"replaces every one. Nothing is restarted and no session is cut: Patroni, PostgreSQL, " +
			"the poolers and pgBackRest read them\n" +
			"again, etcd does for each handshake. In the end every server is asked what it " +
			"shows.\n\n" +
			"   pgha-cli certificates renew --due --yes       every day, from a timer: certificates " +
			"timer\n" +
			"   pgha-cli certificates renew --all postgres-02 after a key may have been seen\n\n" +
			"A host that is down keeps what it has, and the others get theirs; the exit code is 1 " +
			"then, if something of it was due.",
		Flags: operationFlags(
			&cli.BoolFlag{Name: "due", DisableDefaultText: true,
				Usage: "those that need it; this is the default"},
			&cli.BoolFlag{Name: "all", DisableDefaultText: true, Usage: "every one"}),
		Action: func(c *cli.Context) error {
			if c.Bool("due") && c.Bool("all") {
				return usagef("certificates renew takes --due or --all")
			}
			return operate(c, out, operation[certificates.RenewResult]{
				question: "Issue them?",
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (certificates.RenewResult, error) {
					return cl.Certificates().Renew(ctx, certificates.RenewOptions{Operation: op,
						All: c.Bool("all"), Hosts: c.Args().Slice()})
				},
				show: func(r certificates.RenewResult) {
					if len(r.Renewed) == 0 {
						out.Printf("nothing to renew: no certificate asked for is due; %d servers "+
							"show what they should\n", r.Checked)
						return
					}
					out.Printf("%s after %s: %d certificates are new, %d servers show what they "+
						"should\n", out.Paint(terminal.Green, "renewed"), r.Elapsed, len(r.Renewed),
						r.Checked)
				},
			})
		},
	}
}

func certificatesTimerCommand(out *terminal.Terminal) *cli.Command {
	with := func(do func(context.Context, timer.Timer) error) cli.ActionFunc {
		return func(c *cli.Context) error {
			if c.Bool("lab") {
				return usagef("%s is for the cluster of a specification, not for the lab",
					c.Command.HelpName)
			}
			t, err := renewalTimer(c)
			if err != nil {
				return err
			}
			return do(c.Context, t)
		}
	}
	calendar := &cli.StringFlag{Name: "calendar",
		DefaultText: "daily, or six times in the life of a shorter certificate",
		Usage:       "`WHEN`, a calendar event of systemd such as Mon..Fri 03:00"}
	return &cli.Command{
		Name: "timer", Usage: "renew what is due by a systemd timer of this machine",
		Description: "The authorities' keys are on this machine and on no host, so that it has to be " +
			"the one that renews. The timer runs certificates\n" +
			"renew --due --yes. For root it is the machine's, for others the user's own, which runs " +
			"while nobody is logged in after\n" +
			"loginctl enable-linger. There is no SSH agent then: ssh.identity_files of the " +
			"specification have to do.\n\n" +
			"   pgha-cli certificates timer install\n" +
			"   pgha-cli certificates timer install --print     the units and a line for cron, for " +
			"another scheduler",
		Subcommands: []*cli.Command{
			{
				Name: "install", Usage: "write the timer and start it",
				Flags: []cli.Flag{calendar, &cli.BoolFlag{Name: "print", DisableDefaultText: true,
					Usage: "print the units and a line for cron, and change nothing"}},
				Action: func(c *cli.Context) error {
					return with(func(ctx context.Context, t timer.Timer) error {
						if c.Bool("print") {
							out.Printf("# %s.service\n%s\n# %s.timer\n%s\n# crontab\n%s\n", t.Name,
								t.Service(), t.Name, t.Unit(), t.Cron())
							return nil
						}
						if err := t.Install(ctx); err != nil {
							return err
						}
						out.Printf("%s %s.timer in %s\n", out.Paint(terminal.Green, "installed"),
							t.Name, t.Dir)
						return nil
					})(c)
				},
			},
			{
				Name: "remove", Usage: "stop the timer and delete it",
				Action: with(func(ctx context.Context, t timer.Timer) error {
					if err := t.Remove(ctx); err != nil {
						return err
					}
					out.Printf("%s.timer is not there any more\n", t.Name)
					return nil
				}),
			},
			{
				Name: "show", Usage: "show when it runs next, and how it ended last",
				Description: "Exit code 1 when there is no timer, when it does not run, and when its " +
					"last run failed.",
				Action: with(func(ctx context.Context, t timer.Timer) error {
					if !t.Installed() {
						out.Printf("there is no timer; pgha-cli certificates timer install makes one\n")
						return exitCode(exitFailed)
					}
					s, err := t.Look(ctx)
					if err != nil {
						return err
					}
					out.Printf("%s.timer in %s\nnext: %s\nlast: %s, %s\n", t.Name, t.Dir,
						dash(s.Next), cmp.Or(s.Last, "never"), s.Result)
					if !s.Active || s.Result != "success" {
						return exitCode(exitFailed)
					}
					return nil
				}),
			},
		},
	}
}

// renewalTimer is the timer of the specification's cluster.
func renewalTimer(c *cli.Context) (timer.Timer, error) {
	file, err := filepath.Abs(c.String("spec"))
	if err != nil {
		return timer.Timer{}, err
	}
	sp, err := loadFile(file)
	if err != nil {
		return timer.Timer{}, err
	}
	program, err := os.Executable()
	if err != nil {
		return timer.Timer{}, err
	}
	return timer.Here(timer.Timer{Name: "pgha-certificates-" + sp.Cluster,
		Purpose:  "Renewal of the certificates of " + sp.Cluster,
		Calendar: c.String("calendar"), Every: sp.TLS.Leaf() / 6,
		Command: []string{program, "--spec", file, "certificates", "renew", "--due",
			"--yes"}})
}
