package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/internal/scalar"
	"github.com/pgha/toolkit/pgha"
)

// lookTimeout is how long status and verify wait for a host: somebody wants to know what is wrong,
// and now.
const lookTimeout = 3 * time.Second

// lookOptions are for commands that only look, whatever is down.
func lookOptions() pgha.ConnectOptions {
	return pgha.ConnectOptions{AllowUnreachable: true, ReadOnly: true, Timeout: lookTimeout}
}

// changeOptions are for operations on a cluster that runs.
func changeOptions() pgha.ConnectOptions {
	return pgha.ConnectOptions{AllowUnreachable: true, Existing: true, Timeout: lookTimeout}
}

func statusCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "members, etcd, balancers, the address's holder and certificates",
		Description: "Exits with 1 when something is not as it should be.",
		Flags: []cli.Flag{
			outputFlag(),
			&cli.BoolFlag{Name: "explain", DisableDefaultText: true,
				Usage: "and how long each fault keeps the cluster from its work, with the " +
					"arithmetic"},
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, DisableDefaultText: true,
				Usage: "again every two seconds, until Ctrl-C"},
		},
		Action: func(c *cli.Context) error {
			return withCluster(c, out, lookOptions(),
				func(ctx context.Context, cl *pgha.Cluster) error {
					for {
						s, err := cl.Status(ctx)
						if err != nil {
							return err
						}
						if c.Bool("watch") {
							out.Clear()
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

func showStatus(c *cli.Context, out *terminal.Terminal, s pgha.Status, sp *pgha.Spec) error {
	explain := c.Bool("explain")
	if wantsJSON(c) {
		shown := shownStatus{Status: s, Healthy: s.Healthy(),
			Problems: append([]string{}, s.Problems()...)}
		if explain {
			shown.Timings = pgha.Timings(sp)
		}
		return out.JSON(shown)
	}
	printStatus(out, s)
	if explain {
		printTimings(out, pgha.Timings(sp))
	}
	return nil
}

func printStatus(out *terminal.Terminal, s pgha.Status) {
	verdict := out.Paint(terminal.Green, "healthy")
	if !s.Healthy() {
		verdict = out.Paint(terminal.Red, "not healthy")
	}
	if n := pending(s); n > 0 {
		verdict += ", " + out.Paint(terminal.Yellow, counted(n, "restart")+" pending")
	}
	out.Printf("cluster %s: %s\n", s.Cluster, verdict)
	for _, problem := range s.Problems() {
		out.Printf("%s %s\n", out.Paint(terminal.Red, "✗"), problem)
	}
	if s.UnfinishedReset != "" {
		out.Printf("  run pgha-cli reset again\n")
	}
	if s.Paused {
		out.Printf("  PAUSED until pgha-cli resume\n")
	}
	printWaiting(out, s)
	printBackups(out, s)
	if o := s.Operation; o != nil {
		out.Printf("%s\n", out.Paint(terminal.Yellow,
			fmt.Sprintf("%s is at it: %s since %s", o.Holder,
				o.Purpose, o.Since.Local().Format(time.TimeOnly))))
	}
	if s.Interrupted != nil {
		out.Printf("%s\n", out.Paint(terminal.Yellow, s.Interrupted.String()))
	}
	if at := s.ScheduledSwitchover; at != nil {
		out.Printf("%s\n", out.Paint(terminal.Yellow,
			fmt.Sprintf("a switchover from %s to %s is scheduled for %s; pgha-cli switchover "+
				"--cancel takes it back",
				at.From, cmp.Or(at.To, "the one that Patroni picks"),
				stamp(at.At))))
	}
	w := out.Table()
	fmt.Fprintln(w, "\nMEMBER\tHOST\tROLE\tSTATE\tTIMELINE\tLAG\tREST")
	for _, m := range s.Members {
		lag := "-"
		if m.LagBytes != nil {
			lag = fmt.Sprintf("%d B", *m.LagBytes)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", m.Name, m.Host, dash(m.Role), dash(m.State),
			m.Timeline, lag, rest(m.Endpoints))
	}
	fmt.Fprintln(w, "\nETCD\tHEALTH\tLEADER\tVERSION\tSIZE")
	for _, e := range s.Etcd {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d KiB\n", e.Name, etcdHealth(e), mark(e.Leader),
			dash(e.Version), e.DBSize>>10)
	}
	if len(s.Balancers) > 0 {
		fmt.Fprintln(w, "\nBALANCER\tADDRESS\tWRITES TO\tREADS FROM\tHAPROXY")
		for _, b := range s.Balancers {
			holds, haproxy := "-", b.Version
			if b.Error != "" {
				haproxy = "not well"
			}
			if b.HoldsVIP && s.VIP != nil {
				holds = s.VIP.Address
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", b.Host, holds,
				dash(strings.Join(b.Primary, ",")),
				dash(strings.Join(b.Replicas, ",")), haproxy)
		}
	}
	printPoolers(w, s.Poolers)
	w.Flush()
	if len(s.Certificates) > 0 {
		first := slices.MinFunc(s.Certificates,
			func(a, b pgha.CertificateStatus) int { return a.NotAfter.Compare(b.NotAfter) })
		out.Printf("\n%d certificates; %s\n", len(s.Certificates), ending(first, s.Time))
	}
	for _, c := range s.Certificates {
		if c.EndsSoon && c.Error == "" {
			out.Printf("%s the authority of %s ends in %d days: pgha-cli certificates rotate-ca %s\n",
				out.Paint(terminal.Yellow, "!"), c.Authority, c.DaysLeft, c.Authority)
		}
	}
	printState(out, s.State)
	for _, m := range s.Stranded {
		out.Printf("%s %s may not come back by itself: %s\n  %s\n", out.Paint(terminal.Red, "✗"),
			m.Member, m.Reason, out.Paint(terminal.Dim, m.Remedy))
	}
}

// pending counts the members whose settings wait for a restart.
func pending(s pgha.Status) int {
	n := 0
	for _, m := range s.Members {
		if m.PendingRestart {
			n++
		}
	}
	return n
}

// printWaiting names the members that wait for a restart, or for the time of one.
func printWaiting(out *terminal.Terminal, s pgha.Status) {
	for _, m := range s.Members {
		if m.PendingRestart {
			out.Printf("%s %s waits for a restart: %s; pgha-cli restart --pending\n",
				out.Paint(terminal.Yellow, "!"), m.Name, strings.Join(m.PendingReason, ", "))
		}
		if m.ScheduledRestart != "" {
			out.Printf(
				"%s %s will be restarted at %s; pgha-cli restart %s --cancel takes it back\n",
				out.Paint(terminal.Yellow, "!"), m.Name, m.ScheduledRestart, m.Name)
		}
	}
}

// printBackups says what there is of backups, and what is not as promised.
func printBackups(out *terminal.Terminal, s pgha.Status) {
	b := s.Backup
	if b == nil {
		return
	}
	for _, w := range b.Warnings {
		out.Printf("%s backups: %s\n", out.Paint(terminal.Yellow, "!"), w)
	}
	if b.Kept != nil {
		out.Printf("%s %s; pgha-cli restore confirm deletes that, pgha-cli restore undo brings it back\n",
			out.Paint(terminal.Yellow, "!"), b.Kept)
	}
	if b.Newest != nil {
		out.Printf("newest backup: %s, %s old\n", b.Newest.Label,
			s.Time.Sub(b.Newest.Stop).Round(time.Minute))
	}
}

// ending says when a certificate ends, or how long ago it did.
func ending(c pgha.CertificateStatus, now time.Time) string {
	if c.NotAfter.IsZero() && c.Error != "" {
		return c.Name + " " + c.Error
	}
	left := c.NotAfter.Sub(now)
	if left < 0 {
		return fmt.Sprintf("%s ended %s ago", c.Name, span(-left))
	}
	return fmt.Sprintf("the first to end: %s, in %s", c.Name, span(left))
}

// span says whole days, and of less than two of them the hours and minutes.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day {
		return counted(int(d/day), "day")
	}
	return scalar.Short(d.Round(time.Minute))
}

// rest says to which of the balancers' questions Patroni answers yes, and where to none, what it
// answers instead.
func rest(codes map[string]int) string {
	var yes []string
	for _, path := range []string{"/primary", "/replica", "/health"} {
		if codes[path] == http.StatusOK {
			yes = append(yes, path)
		}
	}
	switch {
	case len(yes) > 0:
		return strings.Join(yes, " ")
	case codes["/health"] == 0:
		return "no answer"
	}
	return "/health " + strconv.Itoa(codes["/health"])
}

// etcdHealth is short: the reason stands among the problems.
func etcdHealth(e pgha.EtcdStatus) string {
	switch {
	case e.Healthy:
		return "healthy"
	case e.Alarm != "":
		return e.Alarm
	}
	return "not well"
}

func mark(yes bool) string {
	if yes {
		return "yes"
	}
	return "-"
}

func dash(s string) string { return cmp.Or(s, "-") }

// shownStatus is a status with its verdict, and on demand what the times in the specification
// promise.
type shownStatus struct {
	pgha.Status
	Healthy  bool          `json:"healthy"`
	Problems []string      `json:"problems"`
	Timings  []pgha.Timing `json:"timings,omitempty"`
}

// printTimings prints each fault with what its time is made of.
func printTimings(out *terminal.Terminal, timings []pgha.Timing) {
	out.Printf("\n%s\n",
		out.Paint(terminal.Bold,
			"What the times in the specification promise, from the fault until the cluster is "+
				"ready:"))
	w := out.Table()
	for _, t := range timings {
		fmt.Fprintf(w, "\n%s\n  \tTYPICAL\tBEST\tWORST\tBECAUSE\n", t.Fault)
		for _, p := range t.Parts {
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", p.What, hundredths(p.Typical),
				hundredths(p.Min),
				hundredths(p.Max), p.Source)
		}
		fmt.Fprintf(w, "  in all\t%s\t\t%s\t%s\n", hundredths(t.Typical),
			hundredths(t.Worst), t.Note)
	}
	w.Flush()
}

// hundredths renders a duration that may be a fraction of a second.
func hundredths(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

// seconds renders a duration for people.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// printPoolers has a line for each PgBouncer.
func printPoolers(w io.Writer, all []pgha.PoolerStatus) {
	if len(all) > 0 {
		fmt.Fprintln(w, "\nPOOLER\tPORT\tSTATE\tCLIENTS\tWAITING\tSESSIONS\tVERSION")
	}
	for _, p := range all {
		state := "serves"
		switch {
		case p.Error != "":
			state = "not well"
		case p.Paused:
			state = "PAUSED"
		}
		fmt.Fprintf(w, "%s\t%d %s\t%s\t%d\t%d\t%d of %d\t%s\n", p.Host, p.Port, p.Purpose, state,
			p.Active+p.Waiting, p.Waiting, p.Sessions, p.MaxSessions,
			dash(strings.TrimPrefix(p.Version, "PgBouncer ")))
	}
}

// printState says how many copies there are of the cluster's keys and passwords.
func printState(out *terminal.Terminal, s *pgha.StateStatus) {
	switch {
	case s == nil:
	case !s.Shared:
		out.Printf("state: one copy, on this machine; with secrets.age the cluster keeps others\n")
	case len(s.Lacking) > 0:
		out.Printf("%s state: %s; none, or an older one, in %s: the next apply writes it\n",
			out.Paint(terminal.Yellow, "!"), copies(s.Copies), strings.Join(s.Lacking, ", "))
	default:
		out.Printf("state: %s of generation %d\n", copies(s.Copies), s.Generation)
	}
}

// copies counts them.
func copies(n int) string {
	if n == 1 {
		return "one copy"
	}
	return fmt.Sprintf("%d copies", n)
}
