package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/advisor"
)

func adviseCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "advise", Usage: "what the loss of each host would do now, and which settings do " +
			"not go together",
		Description: "For each host, and for etcd's quorum: seconds without writes, writes at " +
			"risk, and whether the cluster would survive one more\n" +
			"loss. Then the settings that contradict each other, the promises (slo), or what was " +
			"measured: etcd's disk, the way\n" +
			"between hosts, memory, disks, the leader's settings, slots and lag. It measures for " +
			"one to two seconds and changes\n" +
			"nothing. --spec-only contacts no host and describes a healthy cluster.\n\n" +
			"Exits with 1 when there is a warning, or the cluster is not whole. preflight and " +
			"plan warn by the same rules, " +
			"stop and rolling-reboot refuse by them.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "spec-only", DisableDefaultText: true,
				Usage: "look at the specification alone, and contact no host"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.Bool("spec-only") {
				sp, err := readSpec(c, out, &pgha.ConnectOptions{})
				if err != nil {
					return err
				}
				return showAdvice(c, out, pgha.AdviseSpec(sp))
			}
			return withCluster(c, out, lookOptions(),
				func(ctx context.Context, cl *pgha.Cluster) error {
					a, err := cl.Advise(ctx, pgha.AdviseOptions{})
					if err != nil {
						return err
					}
					return showAdvice(c, out, a)
				})
		},
	}
}

func showAdvice(c *cli.Context, out *terminal.Terminal, a pgha.Advice) error {
	if wantsJSON(c) {
		if err := out.JSON(typedAdvice(a)); err != nil {
			return err
		}
	} else {
		printAdvice(out, a)
	}
	if len(a.Warnings()) > 0 || len(a.Problems) > 0 {
		return exitCode(exitFailed)
	}
	return nil
}

// adviceReport is an Advice as JSON has it: verbs are commands of this program.
type adviceReport struct {
	pgha.Advice
	Remarks []adviceRemark `json:"remarks"`
}

type adviceRemark struct {
	advisor.Remark
	Set string `json:"set"`
}

func typedAdvice(a pgha.Advice) adviceReport {
	return adviceReport{a, each(a.Remarks, func(r advisor.Remark) adviceRemark {
		return adviceRemark{r, r.Set.Render(typed)}
	})}
}

func printAdvice(out *terminal.Terminal, a pgha.Advice) {
	title := "What the loss of one of these would do now"
	if !a.Live {
		title = "What the loss of one of these would do to a healthy cluster of this specification"
	}
	out.Printf("%s\n", out.Paint(terminal.Bold, title))
	for _, p := range a.Problems {
		out.Printf("%s not whole: %s\n", out.Paint(terminal.Yellow, "!"), p)
	}
	printLosses(out, a.Losses)
	for _, r := range a.Remarks {
		out.Printf("\n")
		printRemark(out, r)
	}
	for _, what := range slices.Sorted(maps.Keys(a.Errors)) {
		out.Printf("%s not measured, %s: %s\n", out.Paint(terminal.Yellow, "!"), what,
			a.Errors[what])
	}
	switch n := len(a.Warnings()); {
	case n > 0:
		out.Printf("\n%s\n", out.Paint(terminal.Yellow, counted(n, "warning")))
	case len(a.Problems) > 0:
		out.Printf("\n%s\n", out.Paint(terminal.Yellow,
			"no warning about settings, but the cluster is not whole"))
	default:
		out.Printf("\n%s no warning\n", out.Paint(terminal.Green, "✓"))
	}
}

// printLosses prints the table, and under it what does not fit into one.
func printLosses(out *terminal.Terminal, losses []advisor.Loss) {
	w := out.Table()
	fmt.Fprintln(w, "\nLOST\tSECONDS WITHOUT WRITES\tROWS AT RISK\tSURVIVES THE NEXT LOSS")
	var below []string
	for _, l := range losses {
		number := func(text string) string {
			if text == "" {
				return ""
			}
			below = append(below, text)
			return fmt.Sprintf(" [%d]", len(below))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.What, outage(l)+number(l.Note),
			atRisk(l)+number(riskText(l.Risk)),
			next(l)+number(fatalText(l)))
	}
	w.Flush()
	for i, text := range below {
		out.Printf("%s\n", out.Paint(terminal.Dim, fmt.Sprintf("[%d] %s", i+1, text)))
	}
}

// outage is the time without writes.
func outage(l advisor.Loss) string {
	switch {
	case l.Blocked != "" && l.Worst > 0:
		return fmt.Sprintf("until mended, after %s to %s: %s", hundredths(l.Typical),
			hundredths(l.Worst), l.Blocked)
	case l.Blocked != "":
		return "until mended: " + l.Blocked
	case l.Worst == 0:
		return "none"
	}
	return fmt.Sprintf("%s, at worst %s", tenths(l.Typical), tenths(l.Worst))
}

func tenths(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }

// atRisk is what is lost of what was acknowledged.
func atRisk(l advisor.Loss) string {
	r := l.Risk
	switch {
	case r.Because == "" || r.MostBytes != nil && *r.MostBytes == 0:
		return "0"
	case r.Rows != nil:
		return fmt.Sprintf("%d now", *r.Rows)
	case r.Bytes != nil:
		return fmt.Sprintf("%d bytes of WAL now", *r.Bytes)
	}
	return "the last ones"
}

func riskText(r advisor.Risk) string {
	switch {
	case r.Because == "":
		return ""
	case r.MostBytes == nil || *r.MostBytes == 0:
		return r.Because
	case r.Bytes != nil:
		return fmt.Sprintf("%d bytes of WAL now, at most %d: %s", *r.Bytes, *r.MostBytes, r.Because)
	}
	return fmt.Sprintf("at most %d bytes of WAL: %s", *r.MostBytes, r.Because)
}

func next(l advisor.Loss) string {
	switch {
	case l.SurvivesNext():
		return "yes"
	case l.Blocked != "":
		return "-"
	}
	return "no"
}

func fatalText(l advisor.Loss) string {
	parts := make([]string, 0, len(l.Fatal))
	for _, f := range l.Fatal {
		parts = append(parts, fmt.Sprintf("then not %s: %s", strings.Join(f.Hosts, " or "), f.Why))
	}
	return strings.Join(parts, "; ")
}

func printRemark(out *terminal.Terminal, r advisor.Remark) {
	mark := map[advisor.Severity]string{advisor.Critical: out.Paint(terminal.Red, "✗"),
		advisor.Warning: out.Paint(terminal.Yellow, "!"),
		advisor.Note:    out.Paint(terminal.Dim, "·")}[r.Severity]
	out.Printf("%s %s %s\n  because %s\n  set     %s\n", mark, r.What,
		out.Paint(terminal.Dim, "("+string(r.Severity)+" "+r.ID+")"), r.Why, r.Set.Render(typed))
}
