package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/drill/report"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/probe"
)

func drillCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "drill", Usage: "break the cluster on purpose, and measure what applications notice",
		ArgsUsage: "[SCENARIO...]",
		Description: "Writes through the address at a fixed rate, causes a fault, waits until " +
			"everything is whole again, and compares every\n" +
			"acknowledged row with every member: seconds without writes and what they were spent " +
			"on, rows lost, moments with two\n" +
			"writable members, and a verdict against the promise in the specification (slo). " +
			"Exits with 1 when it is broken.\n\n" +
			"   pgha-cli drill --list                               what can be practised, and what has to hold\n" +
			"   pgha-cli --lab drill --all --report drill.html      everything, on the lab\n" +
			"   pgha-cli drill switchover --consent orders          on the cluster called orders\n\n" +
			"On a cluster that is not a lab it wants the cluster's name as consent, and " +
			"practises only what --list calls safe.\n" +
			"What is broken on a host is given back by a timer of the host's own, even if this " +
			"program dies. Ctrl-C gives it back first.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", DisableDefaultText: true,
				Usage: "practise everything; outside a lab everything that is safe"},
			&cli.BoolFlag{Name: "list", DisableDefaultText: true,
				Usage: "list the scenarios and do nothing"},
			numberFlag("runs", drill.DefaultRuns, "", "`NUMBER` of runs of each scenario"),
			&cli.Float64Flag{Name: "rate", DefaultText: "20",
				Usage: "rows and reads a second, in `HZ`"},
			&cli.StringFlag{Name: "client", DefaultText: string(probe.KeepsConnection),
				Usage: "what the writer does with connections, as one `KIND` of application does: " +
					"keeps-connection, connects-each-time, pools"},
			&cli.StringFlag{Name: "through", DefaultText: string(drill.ThroughBalancer),
				Usage: "by whose ports of the address to write and read, as a `WAY`: balancer, " +
					"or pool where there is a pooler"},
			&cli.StringFlag{Name: "sync",
				Usage: "practise in this synchronous `MODE` (off, on, strict, quorum) and put " +
					"the cluster's back"},
			&cli.StringFlag{Name: "consent", Usage: "the `NAME` of the cluster that may be " +
				"broken; a lab needs none"},
			&cli.StringFlag{Name: "report",
				Usage: "write a report to this `FILE` (HTML), and the raw data beside it (CSV)"},
			&cli.DurationFlag{Name: "timeout", DefaultText: "no limit",
				Usage: "give up after this `TIME`, such as 30m; what is broken is given back first"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.Bool("list") {
				return listScenarios(c, out)
			}
			return runDrill(c, out)
		},
	}
}

// listScenarios prints what can be practised.
func listScenarios(c *cli.Context, out *terminal.Terminal) error {
	if wantsJSON(c) {
		return out.JSON(scenariosAnswer{drill.Scenarios()})
	}
	for _, s := range drill.Scenarios() {
		where := "lab only"
		if s.Safe {
			where = "safe"
		}
		out.Printf("%s %s\n  %s\n  %s %s\n", out.Paint(terminal.Bold, s.Name),
			out.Paint(terminal.Dim, "("+where+")"), s.Does, out.Paint(terminal.Dim, "must hold:"),
			s.Holds)
	}
	return nil
}

// runDrill practises, and prints what was measured.
func runDrill(c *cli.Context, out *terminal.Terminal) error {
	o := drill.Options{Scenarios: c.Args().Slice(), Runs: c.Int("runs"), Rate: c.Float64("rate"),
		Consent: c.String("consent"), Client: probe.Client(c.String("client")),
		Synchronous: patroni.SynchronousMode(c.String("sync")),
		Through:     drill.Through(c.String("through"))}
	if c.Bool("all") == (len(o.Scenarios) > 0) {
		return usagef("%s wants the names of scenarios, or --all; --list shows them",
			c.Command.HelpName)
	}
	if c.Bool("lab") {
		l, err := lab.Open(c.Context, labOptions(c, out))
		if err != nil {
			return err
		}
		o.Lab, o.Dial = l, l.DialContext
	}
	sp, err := loadSpec(c.Context, c, out, &pgha.ConnectOptions{})
	if err != nil {
		return err
	}
	for _, s := range drill.Scenarios() {
		if c.Bool("all") && s.Fits(sp) && (s.Safe || c.Bool("lab")) {
			o.Scenarios = append(o.Scenarios, s.Name)
		}
	}
	if err := o.Check(sp); err != nil {
		return err // before any host is contacted
	}
	o.Observer = applyText(out)
	o.Done = func(r drill.RunResult) { printVerdict(out, r) }
	var result drill.Result
	err = withCluster(c, out, pgha.ConnectOptions{Existing: true},
		func(ctx context.Context, cl *pgha.Cluster) (err error) {
			result, err = drill.Run(ctx, cl, o)
			return err
		})
	if len(result.Runs) == 0 {
		return err
	}
	if file := c.String("report"); file != "" {
		if failed := report.Write(file, result); failed != nil {
			err = errs.Join(err, failed)
		} else {
			out.Notef("report: %s\n", file)
		}
	}
	if wantsJSON(c) {
		err = printAnswer(out, result, err)
	} else {
		out.Printf("\n")
		err = errs.Join(err, printDrill(out, result))
	}
	if err == nil && slices.ContainsFunc(result.Runs,
		func(r drill.RunResult) bool { return !r.Outcome.Verdict.Kept }) {
		return exitCode(exitFailed)
	}
	return err
}

// printVerdict says how one run went.
func printVerdict(out *terminal.Terminal, r drill.RunResult) {
	o := r.Outcome
	if o.Verdict.Kept {
		wait := ""
		if r.Recording.Wait != nil {
			wait = fmt.Sprintf(", %s: %.1f s", r.Recording.Wait.What, o.WaitSeconds)
		}
		out.Notef("%s %s: %.2f s without writes, %s lost%s, full redundancy after %.1f s\n",
			out.Paint(terminal.Green, "kept"), o.Scenario, o.GapSeconds, counted(o.Lost, "row"),
			wait, o.RedundantSeconds)
		return
	}
	out.Notef("%s %s: %s\n", out.Paint(terminal.Red, "broken"), o.Scenario,
		strings.Join(o.Verdict.Broken, "; "))
}

// printDrill is the table of all runs.
func printDrill(out *terminal.Terminal, result drill.Result) error {
	tw := out.Table()
	fmt.Fprintln(tw,
		"SCENARIO\tWITHOUT WRITES\tLONGEST CALL\tDETECT\tELECT\tPROMOTE\tROUTE\tRECONNECT\tLOST\tUNKNOWN\tTWO "+
			"WRITERS\tREDUNDANT\tVERDICT")
	for _, r := range result.Runs {
		o := r.Outcome
		phase := map[drill.PhaseName]string{}
		for _, name := range drill.PhaseNames() {
			phase[name] = "-"
		}
		for _, p := range o.Phases {
			phase[p.Name] = fmt.Sprintf("%.2f", p.Seconds)
		}
		verdict, redundant := "kept", "never"
		if !o.Verdict.Kept {
			verdict = "BROKEN"
		}
		if o.RedundantSeconds >= 0 {
			redundant = fmt.Sprintf("%.1f s", o.RedundantSeconds)
		}
		fmt.Fprintf(tw, "%s\t%.2f s\t%.2f s\t%s\t%s\t%s\t%s\t%s\t%d of %d\t%d\t%d\t%s\t%s\n", o.Scenario,
			o.GapSeconds, o.LongestCallSeconds, phase[drill.Detection], phase[drill.Election],
			phase[drill.Promotion], phase[drill.Routing], phase[drill.Reconnect], o.Lost,
			o.Acknowledged,
			o.Unknown, len(o.DoubleWriters), redundant, verdict)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, r := range result.Runs {
		for _, broken := range r.Outcome.Verdict.Broken {
			out.Printf("%s, run %d: %s\n", r.Outcome.Scenario, r.Outcome.Run, broken)
		}
	}
	return nil
}
