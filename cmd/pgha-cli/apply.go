package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/pgha"
)

func preflightCommand(out *terminal) *cli.Command {
	return &cli.Command{
		Name: "preflight", Usage: "check the hosts without changing them",
		Description: "Looks at every host's system, clock, disk, ports and packages, and tries every connection that one host\n" +
			"has to open to another, VRRP included. Warns of settings that do not go together, or not with the disks and the\n" +
			"network, which it measures; advise tells more.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			return withCluster(c, out, pgha.ConnectOptions{}, func(ctx context.Context, cl *pgha.Cluster) error {
				report, err := cl.Preflight(ctx, pgha.PreflightOptions{Ports: true, Measure: true})
				if err != nil {
					return err
				}
				if wantsJSON(c) {
					if err := out.json(report); err != nil {
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

func printPreflight(out *terminal, cl *pgha.Cluster, r pgha.PreflightReport) {
	for _, t := range cl.Targets() {
		f := r.Facts[t.Name]
		release := f.Release
		if release == "" {
			release = f.Codename
		}
		out.printf("%-14s %s %s %s, clock %+dms, %d GiB free\n", t.Name, f.Distribution, release, f.Architecture, f.ClockOffset.Milliseconds(), f.FreeBytes>>30)
	}
	for _, f := range r.Findings {
		mark := out.paint(red, "✗")
		if f.Warning {
			mark = out.paint(yellow, "!")
		}
		out.printf("%s %s: %s\n  %s\n", mark, cmp.Or(f.Host, "the cluster"), f.Text(),
			out.paint(dim, f.Remedy))
	}
	if r.Err() == nil {
		out.printf("%s ready to apply: %d hosts, %d connections tried\n", out.paint(green, "✓"), len(r.Facts), r.RoutesTried)
	}
}

func applyCommand(out *terminal) *cli.Command {
	return &cli.Command{
		Name: "apply", Usage: "make the hosts the cluster that the specification describes",
		Description: "Safe to run at any time: it looks first and changes only what differs. After an interruption run it again.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "plan", Usage: "do what this `FILE` of plan --save says, or nothing if the hosts have changed since"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			plan, err := savedPlan(c.String("plan"))
			if err != nil {
				return err
			}
			return withCluster(c, out, pgha.ConnectOptions{}, func(ctx context.Context, cl *pgha.Cluster) error {
				observer := applyText(out)
				if wantsJSON(c) {
					observer = applyJSON(out)
				}
				report, err := cl.Apply(ctx, pgha.ApplyOptions{Plan: plan, Observer: observer})
				if wantsJSON(c) {
					return errorsJSON(out, report, err)
				}
				out.printf("%s in %s\n", counted(len(report.Changes), "change"), seconds(report.Duration))
				if err != nil {
					return err
				}
				status, err := cl.Status(ctx)
				if err != nil {
					return err
				}
				out.printf("\n")
				printStatus(out, status)
				return nil
			})
		},
	}
}

// savedPlan loads the plan that shall be applied; nil without one.
func savedPlan(file string) (*pgha.Plan, error) {
	if file == "" {
		return nil, nil
	}
	plan, err := pgha.LoadPlan(file)
	return &plan, err
}

// applyText prints an event a line, changes indented below their phase's name.
func applyText(out *terminal) pgha.Observer {
	start := time.Now()
	stamp := func() string { return out.paint(dim, fmt.Sprintf("%6.1fs", time.Since(start).Seconds())) }
	return func(e pgha.Event) {
		switch e.Kind {
		case pgha.PhaseStarted:
			out.notef("%s %s\n", stamp(), out.paint(bold, e.Phase))
		case pgha.PhaseFinished:
			mark := out.paint(green, "✓")
			if e.Err != nil {
				mark = out.paint(red, "✗")
			}
			out.notef("%s %s %s %s\n", stamp(), mark, e.Phase, out.paint(dim, seconds(e.Duration)))
		case pgha.Changed:
			out.notef("%s   %-12s %s\n", stamp(), e.Host, e.Change)
		case pgha.Progress:
			if strings.HasPrefix(e.Message, "waiting") {
				out.waitf(stamp, e.Message)
				return
			}
			out.notef("%s   %s\n", stamp(), out.paint(dim, e.Message))
		case pgha.Warning:
			about := ""
			if e.Host != "" {
				about = e.Host + ": "
			}
			out.notef("%s %s %s%s\n", stamp(), out.paint(yellow, "!"), about, e.Message)
		}
	}
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

func applyJSON(out *terminal) pgha.Observer {
	enc := json.NewEncoder(out.stdout)
	return func(e pgha.Event) {
		line := eventLine{Time: e.Time, Kind: string(e.Kind), Phase: e.Phase, Host: e.Host, Message: e.Message, Seconds: e.Duration.Seconds()}
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
func errorsJSON(out *terminal, report pgha.Report, err error) error {
	n := len(report.Changes)
	line := eventLine{Time: time.Now(), Kind: "finished", Seconds: report.Duration.Seconds(), Changes: &n}
	if err != nil {
		line.Error, line.HintText = err.Error(), hintOf(err)
	}
	if encErr := json.NewEncoder(out.stdout).Encode(line); encErr != nil {
		return encErr
	}
	if err != nil {
		return exitCode(codeOf(err))
	}
	return nil
}
