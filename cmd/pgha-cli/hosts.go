package main

import (
	"context"
	"errors"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/certificates"
	"github.com/pgha/toolkit/pgha/restore"
	"github.com/pgha/toolkit/pgha/spec"
)

func hostCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "host", Usage: "add, remove and replace hosts while the cluster serves",
		Subcommands: []*cli.Command{hostAddCommand(out), hostRemoveCommand(out),
			hostReplaceCommand(out)},
	}
}

// hostFlags are those of every change of hosts, behind its own.
func hostFlags(own ...cli.Flag) []cli.Flag {
	return operationFlags(append(own, &cli.BoolFlag{Name: "force", DisableDefaultText: true,
		Usage: "although transactions are cut short, or a host that goes works and cannot be " +
			"reached"})...)
}

// newHostFlags describe a host that comes.
func newHostFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "address", Usage: "the new host's `ADDRESS`"},
		&cli.StringFlag{Name: "role", Usage: "the new host's `ROLES`: " +
			"database, balancer, etcd, or several with commas between them"},
		&cli.StringFlag{Name: "host-key",
			Usage: "the `FINGERPRINT` of its SSH key, SHA256:..., as ssh-keygen -l shows it"},
	}
}

// newHost is the host that the flags describe.
func newHost(c *cli.Context, name string) spec.Host {
	h := spec.Host{Name: name, Address: c.String("address"), Role: spec.Role(c.String("role")),
		SSH: spec.HostSSH{HostKey: c.String("host-key")}}
	if strings.Contains(c.String("role"), ",") {
		h.Role = ""
		for role := range strings.SplitSeq(c.String("role"), ",") {
			h.Roles = append(h.Roles, spec.Role(strings.TrimSpace(role)))
		}
	}
	return h
}

const resumable = "The file of the specification is edited; its comments stay. Each step is " +
	"recorded: when a run is cut off, any\noperator finishes it with change continue, or takes " +
	"it back with change undo.\n\n"

// changeHosts runs a change of hosts.
func changeHosts(c *cli.Context, out *terminal.Terminal, question string,
	do func(context.Context, *pgha.Cluster, pgha.HostOptions) (pgha.HostResult, error)) error {
	if fileless(c) {
		return wantsFile(c.Command.HelpName)
	}
	return settleHosts(c, out, question, do)
}

// fileless reports whether the specification is the lab's own, which is in no file.
func fileless(c *cli.Context) bool { return c.Bool("lab") && !c.IsSet("spec") }

func wantsFile(verb string) error {
	return usagef("%s writes a specification's file: name one with --spec; pgha-cli lab spec prints "+
		"the lab's", verb)
}

// settle finishes or takes back a change that is half done, of which those of hosts alone write the
// specification's file.
func settle(c *cli.Context, out *terminal.Terminal, question string,
	do func(context.Context, *pgha.Cluster, pgha.HostOptions) (pgha.HostResult, error)) error {
	if !fileless(c) {
		return settleHosts(c, out, question, do)
	}
	return settleHosts(c, out, question, func(ctx context.Context, cl *pgha.Cluster,
		opts pgha.HostOptions) (pgha.HostResult, error) {
		if r, err := cl.HalfDone(ctx); err == nil && !restore.Is(r) && !certificates.Is(r) {
			return pgha.HostResult{}, wantsFile(c.Command.HelpName)
		}
		opts.File = ""
		return do(ctx, cl, opts)
	})
}

func settleHosts(c *cli.Context, out *terminal.Terminal, question string,
	do func(context.Context, *pgha.Cluster, pgha.HostOptions) (pgha.HostResult, error)) error {
	return operate(c, out, operation[pgha.HostResult]{
		question: question,
		connect:  &pgha.ConnectOptions{AllowUnreachable: true},
		do: func(ctx context.Context, cl *pgha.Cluster,
			op pgha.Operation) (pgha.HostResult, error) {
			return do(ctx, cl, pgha.HostOptions{Operation: op, File: c.String("spec"),
				Force: c.Bool("force"), Without: c.StringSlice("without")})
		},
		show: func(r pgha.HostResult) {
			word := "done"
			if r.Undone {
				word = "taken back"
			}
			out.Printf("%s after %s: %s %s, in %d steps\n", out.Paint(terminal.Green, word),
				r.Elapsed, r.Verb, r.Subject, len(r.Steps))
			if r.NewLeader != "" {
				out.Printf("%s leads\n", r.NewLeader)
			}
		},
	})
}

func hostAddCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "add", Usage: "bring hosts in", ArgsUsage: "NAME...",
		Description: "As apply does with a specification that names them. A host that is not in " +
			"the specification yet gets its place there:\n\n" +
			"   pgha-cli host add haproxy-04 --address 192.168.0.206 --role balancer\n" +
			"   pgha-cli host add postgres-04 postgres-05      both in the file already\n\n" +
			resumable + "Applications notice nothing.",
		Flags: hostFlags(newHostFlags()...),
		Action: func(c *cli.Context) error {
			names := c.Args().Slice()
			switch {
			case len(names) == 0:
				return usagef("host add wants the name of a host, or of some that the " +
					"specification has")
			case len(names) > 1 && c.IsSet("address"):
				return usagef("--address is for one host: write several into the specification first")
			}
			return changeHosts(c, out, "Bring "+strings.Join(names, ", ")+" in?",
				func(ctx context.Context, cl *pgha.Cluster,
					opts pgha.HostOptions) (pgha.HostResult, error) {
					var come []spec.Host
					for _, name := range names {
						h, err := cl.Spec.Host(name)
						switch {
						case c.IsSet("address"):
							h = newHost(c, name)
						case err != nil:
							return pgha.HostResult{}, usagef("%s is not in the specification: give "+
								"--address and --role", name)
						}
						come = append(come, h)
					}
					return cl.AddHosts(ctx, pgha.AddHostsOptions{Options: opts, Hosts: come})
				})
		},
	}
}

func hostRemoveCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "remove", Usage: "take hosts out", ArgsUsage: "HOST...",
		Description: "A member that leads gives its leadership away; then HAProxy, Patroni, etcd " +
			"and every pg_hba.conf forget the host,\nits replication slots are dropped, and its " +
			"keys and passwords deleted. Its data stays without --clean. A dead host is\n" +
			"removed without it.\n\n" +
			"   pgha-cli host remove postgres-04 postgres-05 --dry-run     the steps, and their cost\n" +
			"   pgha-cli host remove postgres-04 postgres-05\n\n" +
			resumable + "What would cost etcd's quorum, the last copy of the data or the last " +
			"balancer is refused, with figures.",
		Flags: hostFlags(&cli.BoolFlag{Name: "clean", DisableDefaultText: true,
			Usage: "delete PostgreSQL's data there"}),
		Action: func(c *cli.Context) error {
			names := c.Args().Slice()
			if len(names) == 0 {
				return usagef("host remove wants the name of a host, or of several")
			}
			return changeHosts(c, out, "Take "+strings.Join(names, ", ")+" out?",
				func(ctx context.Context, cl *pgha.Cluster,
					opts pgha.HostOptions) (pgha.HostResult, error) {
					return cl.RemoveHosts(ctx, pgha.RemoveHostsOptions{Options: opts, Hosts: names,
						Clean: c.Bool("clean")})
				})
		},
	}
}

func hostReplaceCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "replace", Usage: "put one host in the place of another", ArgsUsage: "HOST",
		Description: "A host that works goes when the new one is in; a dead one goes first.\n\n" +
			"   pgha-cli host replace postgres-02 --with postgres-07 --address 192.168.0.209\n\n" +
			"An empty machine with the name and address of a dead host needs no --with; its sshd has " +
			"another key, unless that was\nkept, and shows no other than this one:\n\n" +
			"   pgha-cli host replace postgres-02 --host-key SHA256:...\n\n" +
			resumable + "Applications notice nothing but a switchover, if the leader's host goes.",
		Flags: hostFlags(append([]cli.Flag{
			&cli.StringFlag{Name: "with", Usage: "the `NAME` of the new host"},
			&cli.BoolFlag{Name: "clean", DisableDefaultText: true,
				Usage: "delete PostgreSQL's data on the host that goes"}},
			newHostFlags()...)...),
		Action: func(c *cli.Context) error {
			name, err := oneArgument(c, "host")
			if err != nil {
				return err
			}
			question := "Put " + c.String("with") + " in the place of " + name + "?"
			switch with, address := c.String("with"), c.String("address"); {
			case (with == "") != (address == ""):
				return usagef("host replace wants --with NAME and --address ADDRESS of the new host, or " +
					"neither for an empty machine with the old name and address")
			case with == "" && (c.IsSet("role") || c.Bool("clean")):
				return usagef("--role and --clean are for a host of another name: the new machine is " +
					"what the old one was, and empty")
			case with == "":
				question = "Bring the new machine of " + name + " in?"
			}
			return changeHosts(c, out, question,
				func(ctx context.Context, cl *pgha.Cluster,
					opts pgha.HostOptions) (pgha.HostResult, error) {
					return cl.ReplaceHost(ctx, pgha.ReplaceHostOptions{Options: opts, Host: name,
						With: newHost(c, c.String("with")), Clean: c.Bool("clean")})
				})
		},
	}
}

func changeCommand(out *terminal.Terminal) *cli.Command {
	cont := func(ctx context.Context, cl *pgha.Cluster,
		opts pgha.HostOptions) (pgha.HostResult, error) {
		return cl.ContinueChange(ctx, opts)
	}
	undo := func(ctx context.Context, cl *pgha.Cluster,
		opts pgha.HostOptions) (pgha.HostResult, error) {
		return cl.UndoChange(ctx, opts)
	}
	return &cli.Command{
		Name: "change", Usage: "finish a change that was cut off, or take it back",
		Subcommands: []*cli.Command{
			{
				Name: "show", Usage: "show the change that is half done",
				Description: "Its steps, how far it is, who began it and when. Exit code 0 also " +
					"when there is none.",
				Flags:  []cli.Flag{outputFlag()},
				Action: func(c *cli.Context) error { return showChange(c, out) },
			},
			{
				Name: "continue", Usage: "finish it",
				Description: "From the step on that was not finished, whoever began it and on " +
					"whatever machine. Safe to repeat.\n" +
					"--without leaves a host that stays, and is dead, as it is; the next apply " +
					"brings it in.",
				Flags: operationFlags(withoutFlag()),
				Action: func(c *cli.Context) error {
					return settle(c, out, "Finish it?", cont)
				},
			},
			{
				Name: "undo", Usage: "take it back",
				Description: "Hosts that came go again, with their data; hosts that went come " +
					"back. The specification's file becomes what it was.\nA dead host that went " +
					"does not come back. Authorities of before issue again, unless the last step of " +
					"their\nreplacement has begun. An undoing that is cut off is finished by either " +
					"verb. --without leaves a host that\nstays, and is dead, as it is; the next apply " +
					"brings it in.",
				Flags: operationFlags(withoutFlag()),
				Action: func(c *cli.Context) error {
					return settle(c, out, "Take it back?", undo)
				},
			},
		},
	}
}

// halfChange is what change show --output json prints.
type halfChange struct {
	// Change is nil where none is half done.
	Change *pgha.HalfChange `json:"change"`
}

func showChange(c *cli.Context, out *terminal.Terminal) error {
	return withCluster(c, out, pgha.ConnectOptions{AllowUnreachable: true, ReadOnly: true},
		func(ctx context.Context, cl *pgha.Cluster) error {
			r, err := cl.HalfDone(ctx)
			none := errors.Is(err, pgha.ErrNoChange)
			switch {
			case err != nil && !none:
				return err
			case wantsJSON(c) && none:
				return out.JSON(halfChange{})
			case wantsJSON(c):
				return out.JSON(halfChange{&r})
			case none:
				out.Printf("no change is half done\n")
				return nil
			}
			out.Printf("%s\n", r)
			for i, s := range r.Steps {
				mark := " "
				switch {
				case i < r.Reached:
					mark = out.Paint(terminal.Green, "✓")
				case i == r.Reached:
					mark = out.Paint(terminal.Yellow, ">")
				}
				out.Printf("%s %2d %s\n", mark, i+1, s.Name)
				if s.Cost != "" {
					out.Printf("     %s\n", out.Paint(terminal.Dim, "costs: "+s.Cost))
				}
				back := "there is no way back from here"
				if s.Back != "" {
					back = "taken back: " + s.Back
				}
				out.Printf("     %s\n", out.Paint(terminal.Dim, back))
			}
			return nil
		})
}

func vipCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "vip", Usage: "move the virtual IP",
		Subcommands: []*cli.Command{vipMoveCommand(out)},
	}
}

func vipMoveCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "move", Usage: "give the virtual IP to a balancer",
		Description: "Ends keepalived on the other balancers until that one has the address, and " +
			"starts it again. The sessions through the former\n" +
			"holder are cut, and their clients connect again: choose a quiet moment. A balancer " +
			"whose HAProxy does not answer is refused.\n\n" +
			"   pgha-cli vip move --to haproxy-01",
		Flags: operationFlags(&cli.StringFlag{Name: "to",
			Usage: "the `HOST` that gets the address"}),
		Action: func(c *cli.Context) error {
			if c.String("to") == "" {
				return usagef("vip move wants --to HOST, the balancer that gets the address")
			}
			return operate(c, out, operation[pgha.MoveAddressResult]{
				question: "Sessions through the present holder will be cut. Go ahead?",
				do: func(ctx context.Context, cl *pgha.Cluster,
					op pgha.Operation) (pgha.MoveAddressResult, error) {
					return cl.MoveAddress(ctx, pgha.MoveAddressOptions{Operation: op,
						To: c.String("to")})
				},
				show: func(r pgha.MoveAddressResult) {
					out.Printf("%s after %s: %s holds the address, it was %s\n",
						out.Paint(terminal.Green, "moved"), r.Elapsed, r.To, dash(r.From))
				},
			})
		},
	}
}
