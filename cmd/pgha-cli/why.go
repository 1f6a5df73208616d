package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/incident"
)

func whyCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "why",
		Usage: "explain what happened: what began it, how long nobody could write, what was " +
			"lost, when all was back",
		Description: "Reads the journals of all hosts, Patroni's history and the trail of " +
			"operations, and tells of each incident its\n" +
			"cause, its course and its cost. Times are this machine's. --evidence shows the " +
			"lines that each step was read from.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "since", Value: "1h",
				Usage: "from this `TIME` on: 1h (ago), 02:00 (the last one) or 2026-11-30T02:00"},
			&cli.StringFlag{Name: "until", DefaultText: "now", Usage: "up to this `TIME`"},
			&cli.BoolFlag{Name: "all", DisableDefaultText: true,
				Usage: "also what neither stopped writes nor took redundancy away, and " +
					"operations that changed nothing"},
			&cli.BoolFlag{Name: "evidence", Aliases: []string{"v"}, DisableDefaultText: true,
				Usage: "the journal's line for each step"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			now := time.Now()
			var opts incident.Options
			var err error
			if opts.Since, err = past("since", c.String("since"), now); err != nil {
				return err
			}
			if opts.Until, err = past("until", c.String("until"), now); err != nil {
				return err
			}
			if !opts.Until.IsZero() && !opts.Since.Before(opts.Until) {
				return usagef("--until is not after --since")
			}
			return withCluster(c, out, lookOptions(),
				func(ctx context.Context, cl *pgha.Cluster) error {
					opts.Warn = func(host string, err error) {
						out.Notef("%s %s: %v\n", out.Paint(terminal.Yellow, "!"), host, err)
						if hint := errs.NextOf(err).Render(typed); hint != "" {
							out.Notef("  %s\n", hint)
						}
					}
					account, err := incident.Explain(ctx, cl, opts)
					if err != nil {
						return err
					}
					left := 0
					if !c.Bool("all") {
						account.Incidents, left = noteworthy(account.Incidents)
					}
					if wantsJSON(c) {
						return out.JSON(account)
					}
					printAccount(out, account, c.Bool("evidence"), left)
					return nil
				})
		},
	}
}

// noteworthy leaves out what nobody noticed, and says how much that was.
func noteworthy(all []incident.Incident) (kept []incident.Incident, left int) {
	kept = slices.DeleteFunc(slices.Clone(all), func(in incident.Incident) bool {
		return in.Class == incident.Disturbance || in.Class == incident.Planned &&
			(len(in.Events) == 1 || firstOne(in))
	})
	return kept, len(all) - len(kept)
}

// firstOne tells whether an operation made the cluster: nobody missed it before.
func firstOne(in incident.Incident) bool {
	return len(in.Gaps) == 0 && slices.ContainsFunc(in.Events,
		func(e incident.Event) bool { return e.Kind == incident.ClusterMade })
}

func printAccount(out *terminal.Terminal, a incident.Account, evidence bool, left int) {
	for i, in := range a.Incidents {
		if i > 0 {
			out.Printf("\n")
		}
		printIncident(out, in, evidence)
	}
	if len(a.Incidents) == 0 {
		out.Printf("nothing happened since %s (%d lines read)\n",
			stamp(a.Since), a.Lines)
	}
	if left > 0 {
		out.Printf("\n%s without consequences left out: --all shows them\n", counted(left, "event"))
	}
	for _, note := range a.Notes {
		out.Notef("%s %s\n", out.Paint(terminal.Yellow, "!"), note)
	}
	for _, clock := range a.Clocks {
		if off := max(clock.OffsetSeconds, -clock.OffsetSeconds); off > clock.ErrorSeconds &&
			off > 0.05 {
			out.Notef("%s the clock of %s is off by %.3f s (give or take %.3f s); its times are "+
				"corrected by that\n",
				out.Paint(terminal.Yellow, "!"), clock.Host, clock.OffsetSeconds,
				clock.ErrorSeconds)
		}
	}
}

// printIncident prints the sentence, what is known about it, and its course.
func printIncident(out *terminal.Terminal, in incident.Incident, evidence bool) {
	colour := map[incident.Class]string{incident.Failure: terminal.Red,
		incident.Planned:     terminal.Green,
		incident.Disturbance: terminal.Yellow}[in.Class]
	out.Printf("%s %s\n", out.Paint(terminal.Bold, stamp(in.Began)),
		out.Paint(colour, harmless(in.Headline)))
	fact := func(name, format string, args ...any) {
		out.Printf("  %-10s %s\n", name, harmless(fmt.Sprintf(format, args...)))
	}
	fact("cause", "%s (%s)", strings.TrimPrefix(in.Cause.Host+": "+in.Cause.Text, ": "),
		in.Cause.Confidence)
	fact("", "%s", strings.ReplaceAll(in.Cause.Evidence, "\n", " "))
	if in.Lock != nil && in.NewLeader != in.OldLeader {
		fact("leader", "%s until %s: %s; %s from %s", dash(in.OldLeader), short(in.Lock.Time),
			in.Lock.Reason, in.NewLeader, short(in.Lock.Taken))
	}
	for _, gap := range in.Gaps {
		end := "still"
		if !gap.Open {
			end = short(gap.End) + " (" + gap.To + ")"
		}
		fact("no writes", "%.2f s from %s (%s) until %s", gap.Seconds, short(gap.Start),
			gap.From, end)
	}
	if in.Loss != nil {
		fact("loss", "%s", in.Loss.Text)
	}
	if len(in.Missing) > 0 {
		fact("missing", "%s", strings.Join(in.Missing, ", "))
	}
	out.Printf("\n")
	for _, e := range folded(in.Events, evidence) {
		text := harmless(e.Text)
		if e.Count > 1 {
			text += out.Paint(terminal.Dim, fmt.Sprintf(" (%d times)", e.Count))
		}
		if e.Derived {
			text += out.Paint(terminal.Dim, " (concluded)")
		}
		out.Printf("  %+8.2f  %-16s %-10s %s\n", e.Time.Sub(in.Began).Seconds(), dash(e.Host),
			e.Component, text)
		if evidence {
			out.Printf("            %s\n", out.Paint(terminal.Dim,
				harmless(strings.ReplaceAll(e.Evidence, "\n", " "))))
		}
	}
}

// folded puts what several hosts say of the same within a moment on one line, unless the lines
// themselves are wanted.
func folded(events []incident.Event, evidence bool) []incident.Event {
	if evidence {
		return events
	}
	var lines []incident.Event
	for _, e := range events {
		i := slices.IndexFunc(lines, func(l incident.Event) bool {
			return l.Text == e.Text && l.Component == e.Component && l.Host != e.Host &&
				e.Time.Sub(l.Time) < 3*time.Second
		})
		if i < 0 {
			lines = append(lines, e)
			continue
		}
		lines[i].Count = 1
		lines[i].Host = alike(lines[i].Host, e.Host)
	}
	return lines
}

// alike joins names that differ only at their end: haproxy-02 and haproxy-01 become haproxy-01,02.
func alike(names, name string) string {
	dash := strings.LastIndexByte(name, '-') + 1
	if dash == 0 || !strings.HasPrefix(names, name[:dash]) {
		if slices.Contains(strings.Split(names, ","), name) {
			return names
		}
		return names + "," + name
	}
	ends := append(strings.Split(names[dash:], ","), name[dash:])
	slices.Sort(ends)
	return name[:dash] + strings.Join(slices.Compact(ends), ",")
}

// stamp is a time of this machine's, with its zone.
func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

func short(t time.Time) string { return t.Local().Format("15:04:05.000") }
