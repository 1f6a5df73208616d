package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/spec"
)

func labCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name:  "lab",
		Usage: "six real systemd hosts on this machine, to try everything on",
		Description: "The lab's hosts boot Debian, run sshd and live in network namespaces of " +
			"their own, so nothing of them reaches\n" +
			"this machine's network. It wants root. pgha-cli --lab COMMAND then works on the " +
			"lab's cluster.",
		Subcommands: []*cli.Command{
			{
				Name: "up", Usage: "create and start the hosts (the first time builds an image: " +
					"some minutes)",
				Description: "The hosts boot in a few seconds, with nothing on them but Debian " +
					"and sshd. Run it again to start what is off.\n\n" +
					"   pgha-cli lab up                  six hosts: three databases, three balancers\n" +
					"   pgha-cli --lab apply             make them a cluster\n" +
					"   pgha-cli --lab status --watch    see it work, and in another terminal:\n" +
					"   pgha-cli lab kill postgres-01    take a host's power; lab start gives it back\n" +
					"   pgha-cli lab down                remove everything but the image\n\n" +
					"The hosts have the addresses 192.168.0.200 and up on a network that ends at " +
					"this machine: no other machine sees them,\n" +
					"and your own 192.168.0.0/24, if you have one, is not touched. Reach them " +
					"with lab exec and lab run.",
				Flags: []cli.Flag{
					numberFlag("hosts", 0, "6: three databases, three balancers",
						"`NUMBER` of hosts, 1 to 10"),
					numberFlag("databases", 0, "as many as make a quorum",
						"`NUMBER` of databases among the hosts"),
					&cli.StringFlag{Name: "layout",
						Usage: "make the hosts of a `NAME` in place of numbers: " +
							strings.Join(spec.Layouts(), ", ")},
					&cli.BoolFlag{Name: "ipv6",
						Usage: "give the hosts addresses of IPv6 (fd00:192:168::200 and up) and " +
							"none of IPv4"},
					&cli.BoolFlag{Name: "installed",
						Usage: "give the hosts the packages that an apply installs, so that the " +
							"first apply takes seconds"},
					&cli.StringFlag{Name: "release", DefaultText: "testing",
						Usage: "Debian `RELEASE` of the hosts: testing or trixie"},
				},
				Action: func(c *cli.Context) error { return labUp(c, out) },
			},
			{Name: "down",
				Usage: "remove the hosts with everything on them; the image stays cached",
				Action: func(c *cli.Context) error {
					return lab.Down(c.Context, labOptions(c, out))
				}},
			{Name: "status", Usage: "list the hosts", Flags: []cli.Flag{outputFlag()},
				Action: func(c *cli.Context) error { return labStatus(c, out) }},
			{Name: "spec", Usage: "print the hosts' specification, to change it and apply it " +
				"with --lab --spec FILE",
				Action: func(c *cli.Context) error {
					return inLab(c, out, func(l *lab.Lab) error {
						text, err := l.Spec()
						if err != nil {
							return err
						}
						_, err = out.Stdout.Write(text)
						return err
					})
				}},
			{Name: "exec", Usage: "run a command inside a host", ArgsUsage: "HOST -- CMD...",
				Action: func(c *cli.Context) error {
					host, argv := c.Args().First(), afterDashes(c.Args().Tail())
					if host == "" || len(argv) == 0 {
						return usagef("lab exec wants a host and a command: pgha-cli lab exec " +
							"postgres-01 -- ps ax")
					}
					return inLab(c, out,
						func(l *lab.Lab) error {
							return passed(l.Exec(c.Context, host, argv, stdio()))
						})
				}},
			{Name: "run", Usage: "run a program of this machine inside the lab's network",
				ArgsUsage: "-- CMD...", Action: func(c *cli.Context) error {
					argv := afterDashes(c.Args().Slice())
					if len(argv) == 0 {
						return usagef("lab run wants a command: pgha-cli lab run -- ping " +
							"192.168.0.210")
					}
					return inLab(c, out, func(l *lab.Lab) error {
						return passed(l.Run(c.Context, argv, stdio()))
					})
				}},
			faultCommand(out, "cut", "pull a host's network cable", (*lab.Lab).Cut),
			faultCommand(out, "heal", "plug the cable in again", (*lab.Lab).Heal),
			faultCommand(out, "kill", "take a host's power", (*lab.Lab).Kill),
			labAddCommand(out),
			labWipeCommand(out),
			faultCommand(out, "start", "give a host its power back", (*lab.Lab).StartHost),
		},
	}
}

func faultCommand(out *terminal.Terminal, name, usage string, do func(*lab.Lab, context.Context,
	string) error) *cli.Command {
	return &cli.Command{Name: name, Usage: usage, ArgsUsage: "HOST",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("lab %s wants one host: pgha-cli lab %[1]s postgres-01", name)
			}
			return inLab(c, out, func(l *lab.Lab) error {
				return do(l, c.Context, c.Args().First())
			})
		}}
}

func labAddCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "add", Usage: "put one more bare host beside the others", ArgsUsage: "database|balancer",
		Description: "Boots a host with the next name and address of its role, to practise how a " +
			"cluster grows.\n\n" +
			"   pgha-cli lab add database\n" +
			"   pgha-cli lab spec                the specification with the new host",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("lab add wants a role: pgha-cli lab add database")
			}
			if role := c.Args().First(); role != lab.RoleDatabase && role != lab.RoleBalancer {
				return usagef("lab add %q: a role is %s or %s", role, lab.RoleDatabase,
					lab.RoleBalancer)
			}
			return inLab(c, out, func(l *lab.Lab) error {
				_, h, err := l.Add(c.Context, c.Args().First())
				if err != nil {
					return err
				}
				out.Printf("%s has the address %s\n", h.Name, h.Address)
				return nil
			})
		}}
}

func labWipeCommand(out *terminal.Terminal) *cli.Command {
	command := faultCommand(out, "wipe", "replace a host by an empty one with the same name and "+
		"address", nil)
	command.Description = "Takes the power, throws the disk away and boots a bare host, to " +
		"practise what comes after\n" +
		"a machine is lost: apply brings one member back, recover --from helps when most are gone."
	command.Flags = []cli.Flag{&cli.BoolFlag{Name: "new-host-key",
		Usage: "give it another SSH host key, which nobody knows yet"}}
	command.Action = func(c *cli.Context) error {
		if c.NArg() != 1 {
			return usagef("lab wipe wants one host: pgha-cli lab wipe postgres-01")
		}
		return inLab(c, out, func(l *lab.Lab) error {
			return l.Wipe(c.Context, c.Args().First(),
				lab.WipeOptions{NewHostKey: c.Bool("new-host-key")})
		})
	}
	return command
}

// labOptions turns the global flags into options.
func labOptions(c *cli.Context, out *terminal.Terminal) lab.Options {
	return lab.Options{Name: c.String("lab-name"), CacheDir: c.String("lab-cache"),
		Hosts: c.Int("hosts"), Databases: c.Int("databases"), Layout: c.String("layout"),
		IPv6: c.Bool("ipv6"), Installed: c.Bool("installed"),
		Release: c.String("release"), Progress: labProgress(out)}
}

// labProgress prints the ends of steps, and the beginnings of the long ones.
func labProgress(out *terminal.Terminal) func(lab.Event) {
	return func(e lab.Event) {
		what := e.Message
		if e.Host != "" {
			what = e.Host + ": " + what
		}
		switch {
		case !e.Done && e.Host == "":
			out.Notef("%s %s\n", out.Paint(terminal.Dim, "…"), what)
		case e.Done && e.Err == nil:
			out.Notef("%s %s %s\n", out.Paint(terminal.Green, "✓"), what,
				out.Paint(terminal.Dim, seconds(e.Duration)))
		case e.Done:
			out.Notef("%s %s: %v\n", out.Paint(terminal.Red, "✗"), what, e.Err)
		}
	}
}

// inLab opens the running lab for f.
func inLab(c *cli.Context, out *terminal.Terminal, f func(*lab.Lab) error) error {
	l, err := lab.Open(c.Context, labOptions(c, out))
	if err != nil {
		return err
	}
	return f(l)
}

func labUp(c *cli.Context, out *terminal.Terminal) error {
	l, err := lab.Start(c.Context, labOptions(c, out))
	if err != nil {
		return err
	}
	printHosts(out, l)
	return nil
}

func labStatus(c *cli.Context, out *terminal.Terminal) error {
	l, err := lab.Open(c.Context, labOptions(c, out))
	if errors.Is(err, lab.ErrNotRunning) {
		all, listErr := lab.List(c.Context, c.String("lab-cache"))
		if listErr != nil {
			return errs.Join(err, listErr)
		}
		for _, s := range all {
			out.Notef("lab %s: %s, %d of %d hosts running\n", s.Name, s.Release, s.Running, s.Hosts)
		}
	}
	if err != nil {
		return err
	}
	if wantsJSON(c) {
		return out.JSON(hostsAnswer{l.Hosts()})
	}
	printHosts(out, l)
	return nil
}

func printHosts(out *terminal.Terminal, l *lab.Lab) {
	w := out.Table()
	fmt.Fprintln(w, "HOST\tADDRESS\tROLE\tMEMBER\tPOWER\tCABLE")
	onOff := map[bool]string{true: "on", false: "off"}
	plugged := map[bool]string{true: "in", false: "cut"}
	for _, h := range l.Hosts() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", h.Name, h.Address,
			cmp.Or(strings.Join(h.Roles, ", "), h.Role), h.Member,
			onOff[h.Running],
			plugged[h.CableUp])
	}
	w.Flush()
}

func stdio() lab.Stdio { return lab.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr} }

// passed turns the exit code of a program that spoke for itself into this program's own.
func passed(code int, err error) error {
	if err == nil && code != 0 {
		return exitCode(code)
	}
	return err
}

// afterDashes drops a leading "--".
func afterDashes(argv []string) []string {
	if len(argv) > 0 && argv[0] == "--" {
		return argv[1:]
	}
	return argv
}
