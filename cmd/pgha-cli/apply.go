package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/progress"
	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/spec"
)

func preflightCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "preflight", Usage: "check the hosts without changing them",
		Description: "Looks at every host's system, clock, disk, ports and packages, and tries " +
			"every connection that one host\n" +
			"has to open to another, VRRP included. Warns of settings that do not go together, " +
			"or not with the disks and the\n" +
			"network, which it measures; advise tells more.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			return withCluster(c, out, pgha.ConnectOptions{},
				func(ctx context.Context, cl *pgha.Cluster) error {
					report, err := cl.Preflight(ctx,
						pgha.PreflightOptions{Ports: true, Measure: true})
					if err != nil {
						return err
					}
					if wantsJSON(c) {
						if err := out.JSON(typedPreflight(report)); err != nil {
							return err
						}
					} else {
						printPreflight(out, cl, report)
					}
					if report.Err() != nil {
						return exitCode(exitFailed)
					}
					return nil
				})
		},
	}
}

func printPreflight(out *terminal.Terminal, cl *pgha.Cluster, r pgha.PreflightReport) {
	for _, t := range cl.Targets() {
		f := r.Facts[t.Name]
		release := f.Release
		if release == "" {
			release = f.Codename
		}
		out.Printf("%-14s %s %s %s, clock %+dms, %d GiB free\n", t.Name, f.Distribution, release,
			f.Architecture, f.ClockOffset.Milliseconds(), f.FreeBytes>>30)
	}
	for _, f := range r.Findings {
		mark := out.Paint(terminal.Red, "✗")
		if f.Warning {
			mark = out.Paint(terminal.Yellow, "!")
		}
		out.Printf("%s %s: %s\n  %s\n", mark, cmp.Or(f.Host, "the cluster"), f.Text(),
			out.Paint(terminal.Dim, f.Remedy.Render(typed)))
	}
	if r.Err() == nil {
		out.Printf("%s ready to apply: %d hosts, %d connections tried\n",
			out.Paint(terminal.Green, "✓"),
			len(r.Facts), r.RoutesTried)
	}
}

// preflightReport is a report as JSON has it: verbs are commands of this program.
type preflightReport struct {
	pgha.PreflightReport
	Findings []preflightFinding `json:"findings"`
}

type preflightFinding struct {
	pgha.Finding
	Remedy string `json:"remedy"`
}

func typedPreflight(r pgha.PreflightReport) preflightReport {
	return preflightReport{r, each(r.Findings, func(f pgha.Finding) preflightFinding {
		return preflightFinding{f, f.Remedy.Render(typed)}
	})}
}

func applyCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "apply", Usage: "make the hosts the cluster that the specification describes",
		Description: "Safe to run at any time: it looks first and changes only what differs. " +
			"After an interruption run it again.\n" +
			"On a terminal it shows the plan and asks before the first change; a cluster that " +
			"needs none is not asked about. In a\n" +
			"pipe, from cron or in CI there is nobody to ask, and it goes on as with --yes.\n\n" +
			"--without leaves a host as it is, one that has been dead for days, and works on the " +
			"others: no connection to it is tried.\n" +
			"The next apply without it brings the host in. What is not safe without that host is " +
			"refused.\n\n" +
			"A host that the last apply had and the specification lacks is refused, unless --remove " +
			"names it: then it is taken out\nfirst, in the recorded steps of host remove.",
		Flags: []cli.Flag{
			withoutFlag(),
			&cli.StringSliceFlag{Name: "remove",
				Usage: "take this `HOST`, which the specification names no more, out of the " +
					"cluster; may be given more than once"},
			&cli.StringFlag{Name: "plan",
				Usage: "do what this `FILE` of plan --save says, or nothing if the hosts have " +
					"changed since"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, DisableDefaultText: true,
				Usage: "show the plan, and do nothing"},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, DisableDefaultText: true,
				Usage: "do not ask"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.IsSet("plan") && c.Bool("dry-run") {
				return usagef("--plan does what a file says, --dry-run shows what there is to " +
					"do now: give one of the two")
			}
			plan, err := savedPlan(c.String("plan"))
			if err != nil {
				return err
			}
			connect := connectWithout(c)
			if plan != nil {
				connect.Without = append(connect.Without, plan.LeftOut...)
			}
			if err := refuseRemoval(c); err != nil {
				return err
			}
			return withCluster(c, out, connect, func(ctx context.Context, cl *pgha.Cluster) error {
				if c.Bool("dry-run") {
					if _, err := shownPlan(ctx, c, out, cl); err != nil || wantsJSON(c) {
						return err
					}
					return removeFormer(ctx, c, out, cl, true)
				}
				said := onceEach()
				if plan == nil && asksFirst(c) {
					look, err := agreed(ctx, c, out, cl, said)
					if err != nil {
						return err
					}
					plan = look
				}
				if len(c.StringSlice("remove")) > 0 {
					if err := removeFormer(ctx, c, out, cl, false); err != nil {
						return err
					}
					plan = nil // it was of the cluster with them
				}
				opts := pgha.ApplyOptions{Without: c.StringSlice("without"), Plan: plan}
				return runApply(ctx, c, out, cl, opts, said)
			})
		},
	}
}

// refuseRemoval is an error where --remove says what cannot be.
func refuseRemoval(c *cli.Context) error {
	sp, err := loadFile(c.String("spec"))
	for _, name := range c.StringSlice("remove") {
		switch {
		case c.Bool("lab") && !c.IsSet("spec"):
			return usagef("--remove is for a specification's file that lacks the host: name one " +
				"with --spec")
		case c.IsSet("plan"):
			return usagef("--plan does what a file says, and no plan takes a host out: give --remove " +
				"alone")
		case err != nil:
			return err
		}
		if _, err := sp.Host(name); err == nil {
			return usagef("--remove %s: the specification names that host: take it out of the file, "+
				"or run pgha-cli host remove %s", name, name)
		}
	}
	return nil
}

// removeFormer takes out the hosts that --remove names.
func removeFormer(ctx context.Context, c *cli.Context, out *terminal.Terminal, cl *pgha.Cluster,
	dry bool) error {
	names := c.StringSlice("remove")
	if len(names) == 0 {
		return nil
	}
	former, err := cl.FormerHosts(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(former, func(h spec.Host) bool {
		return !slices.Contains(names, h.Name) && !slices.Contains(names, h.Member)
	}) {
		return nil // apply refuses, and names them all
	}
	show := operationText(out)
	if wantsJSON(c) {
		show = applyJSON(out)
	}
	r, err := cl.RemoveHosts(ctx, pgha.RemoveHostsOptions{Hosts: names, Options: pgha.HostOptions{
		File: c.String("spec"), Operation: pgha.Operation{DryRun: dry, Observer: show}}})
	if err == nil && !dry && !wantsJSON(c) {
		out.Printf("%s is out after %s\n", strings.Join(names, ", "), r.Elapsed)
	}
	return err
}

// asksFirst reports whether apply asks before its first change: where somebody can answer.
func asksFirst(c *cli.Context) bool {
	return !c.Bool("yes") && !wantsJSON(c) && askable()
}

// agreed shows what apply would change, and returns that as what it may do once somebody has
// agreed.
func agreed(ctx context.Context, c *cli.Context, out *terminal.Terminal, cl *pgha.Cluster,
	said filter) (*pgha.Plan, error) {
	plan, err := cl.Plan(ctx, pgha.PlanOptions{Without: c.StringSlice("without"),
		Observer: said(warnings(out))})
	if err != nil {
		return nil, err
	}
	if plan.Empty() {
		return &plan, nil
	}
	summary := printChanges(out, plan, outlined)
	return &plan, confirm(ctx, out, "Apply "+summary+"?", "")
}

// runApply makes the changes, with a line for each, and shows the status at the end.
func runApply(ctx context.Context, c *cli.Context, out *terminal.Terminal, cl *pgha.Cluster,
	opts pgha.ApplyOptions, said filter) error {
	if wantsJSON(c) {
		opts.Observer = applyJSON(out)
		report, err := cl.Apply(ctx, opts)
		return errorsJSON(out, report, err)
	}
	phases := opts.Phases
	if phases == nil {
		phases = pgha.StandardPhases()
	}
	opts.Observer = said(progress.Live(out, phases, applyText(out)))
	report, err := cl.Apply(ctx, opts)
	out.Printf("%s in %s\n", counted(len(report.Changes), "change"), seconds(report.Duration))
	if err != nil {
		return err
	}
	if len(report.LeftOut) > 0 {
		out.Printf("%s; the next pgha-cli apply without --without brings them in\n",
			out.Paint(terminal.Yellow, "left out: "+strings.Join(report.LeftOut, ", ")))
	}
	return showAfter(ctx, out, cl)
}

// filter stands before an observer and lets a part of the events through.
type filter func(pgha.Observer) pgha.Observer

// onceEach returns a filter that lets each warning through once, however many runs give it.
func onceEach() filter {
	type warning struct{ host, message string }
	said := map[warning]bool{}
	return func(next pgha.Observer) pgha.Observer {
		return func(e pgha.Event) {
			w := warning{e.Host, message(e)}
			if e.Kind == pgha.Warning && said[w] {
				return
			}
			said[w] = said[w] || e.Kind == pgha.Warning
			next(e)
		}
	}
}

// withoutFlag names hosts that apply and plan leave out.
func withoutFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "without",
		Usage: "leave this `HOST` as it is and work on the others; may be given more than once"}
}

// connectWithout connects to all hosts but those that are left out. What else does not answer is
// for the library to tell, which knows what is safe without it.
func connectWithout(c *cli.Context) pgha.ConnectOptions {
	return pgha.ConnectOptions{AllowUnreachable: true, Without: c.StringSlice("without")}
}

// savedPlan loads the plan that should be applied; nil without one.
func savedPlan(file string) (*pgha.Plan, error) {
	if file == "" {
		return nil, nil
	}
	plan, err := pgha.LoadPlan(file)
	return &plan, err
}

// applyText prints an event a line, changes indented below their phase's name.
func applyText(out *terminal.Terminal) pgha.Observer {
	start := time.Now()
	stamp := func() string {
		return out.Paint(terminal.Dim, fmt.Sprintf("%6.1fs", time.Since(start).Seconds()))
	}
	return func(e pgha.Event) {
		switch e.Kind {
		case pgha.PhaseStarted:
			out.Notef("%s %s\n", stamp(), out.Paint(terminal.Bold, e.Phase))
		case pgha.PhaseFinished:
			mark := out.Paint(terminal.Green, "✓")
			if e.Err != nil {
				mark = out.Paint(terminal.Red, "✗")
			}
			out.Notef("%s %s %s %s\n", stamp(), mark, e.Phase,
				out.Paint(terminal.Dim, seconds(e.Duration)))
		case pgha.Changed:
			out.Notef("%s   %-12s %s\n", stamp(), e.Host, e.Change)
		case pgha.Progress:
			if strings.HasPrefix(e.Message, "waiting") {
				out.Waitf(stamp, e.Message)
				return
			}
			out.Notef("%s   %s\n", stamp(), out.Paint(terminal.Dim, e.Message))
		case pgha.Warning:
			about := ""
			if e.Host != "" {
				about = e.Host + ": "
			}
			out.Notef("%s %s %s%s\n", stamp(), out.Paint(terminal.Yellow, "!"), about, message(e))
		}
	}
}

// message returns an event's message, with verbs as they are typed.
func message(e pgha.Event) string {
	if e.Next.IsZero() {
		return e.Message
	}
	return e.Next.Render(typed)
}

// eventLine is an event as a line of JSON. Fields are added, never renamed.
type eventLine struct {
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"`
	Phase    string    `json:"phase,omitempty"`
	Host     string    `json:"host,omitempty"`
	Message  string    `json:"message,omitempty"`
	Change   string    `json:"change,omitempty"`
	Seconds  float64   `json:"seconds,omitempty"`
	Error    string    `json:"error,omitempty"`
	Changes  *int      `json:"changes,omitempty"`
	HintText string    `json:"hint,omitempty"`
}

func applyJSON(out *terminal.Terminal) pgha.Observer {
	enc := json.NewEncoder(out.Stdout)
	return func(e pgha.Event) {
		line := eventLine{Time: e.Time, Kind: string(e.Kind), Phase: e.Phase, Host: e.Host,
			Message: message(e), Seconds: e.Duration.Seconds()}
		if e.Change != nil {
			line.Change = e.Change.String()
		}
		if e.Err != nil {
			line.Error = e.Err.Error()
		}
		// A closed pipe shows at the last line, where the error is returned.
		_ = enc.Encode(line)
	}
}

// errorsJSON ends the stream of events with one that sums up.
func errorsJSON(out *terminal.Terminal, report pgha.Report, err error) error {
	n := len(report.Changes)
	last := eventLine{Time: time.Now(), Kind: "finished", Seconds: report.Duration.Seconds(),
		Changes: &n}
	if err != nil {
		last.Error, last.HintText = textOf(err), hintOf(err)
	}
	return line(out, last, err)
}
