package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/pgha"
)

// lookTimeout is how long status and verify wait for a host: somebody wants to know what is wrong, and now.
const lookTimeout = 3 * time.Second

func statusCommand(out *terminal) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "members, etcd, balancers, the address's holder and certificates",
		Description: "Exits with 1 when something is not as it should be.",
		Flags: []cli.Flag{
			outputFlag(),
			&cli.BoolFlag{Name: "explain", DisableDefaultText: true, Usage: "and how long each fault keeps the cluster from its work, with the arithmetic"},
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, DisableDefaultText: true, Usage: "again every two seconds, until Ctrl-C"},
		},
		Action: func(c *cli.Context) error {
			opts := pgha.ConnectOptions{AllowUnreachable: true, ReadOnly: true, Timeout: lookTimeout}
			return withCluster(c, out, opts, func(ctx context.Context, cl *pgha.Cluster) error {
				for {
					s, err := cl.Status(ctx)
					if err != nil {
						return err
					}
					if c.Bool("watch") && out.colour {
						out.printf("\x1b[H\x1b[2J")
					}
					if err := showStatus(c, out, s, cl.Spec); err != nil {
						return err
					}
					if !c.Bool("watch") {
						if !s.Healthy() {
							return exitCode(exitFailed)
						}
						return nil
					}
					select {
					case <-ctx.Done():
						return nil
					case <-time.After(2 * time.Second):
					}
				}
			})
		},
	}
}

func showStatus(c *cli.Context, out *terminal, s pgha.Status, sp *pgha.Spec) error {
	switch explain := c.Bool("explain"); {
	case wantsJSON(c) && explain:
		return out.json(explainedStatus{s, pgha.Timings(sp)})
	case wantsJSON(c):
		return out.json(s)
	default:
		printStatus(out, s)
		if explain {
			printTimings(out, pgha.Timings(sp))
		}
	}
	return nil
}

func printStatus(out *terminal, s pgha.Status) {
	verdict := out.paint(green, "healthy")
	if !s.Healthy() {
		verdict = out.paint(red, "not healthy")
	}
	out.printf("cluster %s: %s\n", s.Cluster, verdict)
	if s.Paused {
		out.printf("%s\n", out.paint(yellow, "PAUSED: nobody is promoted if the leader fails, until pgha-cli resume"))
	}
	if o := s.Operation; o != nil {
		out.printf("%s\n", out.paint(yellow, fmt.Sprintf("%s is at it: %s since %s", o.Holder, o.Purpose, o.Since.Local().Format(time.TimeOnly))))
	}
	if s.UnfinishedReset != "" {
		out.printf("%s\n", out.paint(red, printable(s.UnfinishedReset)))
	}
	if at := s.ScheduledSwitchover; at != nil {
		out.printf("%s\n", out.paint(yellow, fmt.Sprintf("a switchover from %s to %s is scheduled for %s; pgha-cli switchover --cancel takes it back",
			at.From, cmp.Or(at.To, "whom Patroni picks"), at.At.Local().Format(time.DateTime))))
	}
	w := tabwriter.NewWriter(out.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nMEMBER\tHOST\tROLE\tSTATE\tTIMELINE\tLAG\tREST")
	for _, m := range s.Members {
		lag := "-"
		if m.LagBytes != nil {
			lag = fmt.Sprintf("%d B", *m.LagBytes)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", m.Name, m.Host, dash(m.Role), dash(m.State), m.Timeline, lag, rest(m.Endpoints))
	}
	fmt.Fprintln(w, "\nETCD\tHEALTH\tLEADER\tVERSION\tSIZE")
	for _, e := range s.Etcd {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d KiB\n", e.Name, healthy(e.Healthy, e.Error), mark(e.Leader), dash(e.Version), e.DBSize>>10)
	}
	if len(s.Balancers) > 0 {
		fmt.Fprintln(w, "\nBALANCER\tADDRESS\tWRITES TO\tREADS FROM\tHAPROXY")
		for _, b := range s.Balancers {
			holds := "-"
			if b.HoldsVIP && s.VIP != nil {
				holds = s.VIP.Address
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", b.Host, holds, dash(strings.Join(b.Primary, ",")), dash(strings.Join(b.Replicas, ",")), cmp.Or(b.Error, b.Version))
		}
	}
	w.Flush()
	if len(s.Certificates) > 0 {
		first := slices.MinFunc(s.Certificates, func(a, b pgha.CertificateStatus) int { return cmp.Compare(a.DaysLeft, b.DaysLeft) })
		out.printf("\n%d certificates; the first to end: %s, in %d days\n", len(s.Certificates), first.Name, first.DaysLeft)
	}
	for _, m := range s.Members {
		if m.PendingRestart {
			out.printf("%s %s waits for a restart: %s; pgha-cli restart --pending\n", out.paint(yellow, "!"), m.Name, strings.Join(m.PendingReason, ", "))
		}
		if m.ScheduledRestart != "" {
			out.printf("%s %s will be restarted at %s; pgha-cli restart %s --cancel takes it back\n", out.paint(yellow, "!"), m.Name, m.ScheduledRestart, m.Name)
		}
	}
	for _, m := range s.Stranded {
		out.printf("%s %s may not come back by itself: %s\n  %s\n", out.paint(red, "✗"), m.Member, m.Reason, out.paint(dim, m.Remedy))
	}
	for _, part := range [](map[string]string){s.Unreachable, s.Errors} {
		for _, name := range slices.Sorted(keys(part)) {
			out.printf("%s %s\n", out.paint(red, "✗"), part[name])
		}
	}
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func rest(codes map[string]int) string {
	var parts []string
	for _, path := range []string{"/primary", "/replica", "/health"} {
		parts = append(parts, path+" "+strconv.Itoa(codes[path]))
	}
	return strings.Join(parts, "  ")
}

func healthy(ok bool, problem string) string {
	if ok {
		return "healthy"
	}
	return cmp.Or(problem, "unhealthy")
}

func mark(yes bool) string {
	if yes {
		return "yes"
	}
	return "-"
}

func dash(s string) string { return cmp.Or(s, "-") }
