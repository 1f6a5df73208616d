package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha/drill"
)

func TestPrintDrill(t *testing.T) {
	t.Parallel()
	result := drill.Result{Runs: []drill.RunResult{
		{Outcome: drill.Outcome{Scenario: "switchover", Run: 1, GapSeconds: 1.754,
			LongestCallSeconds: 1.507,
			Acknowledged:       473,
			Unknown:            1, RedundantSeconds: 14,
			Phases: []drill.Phase{
				{Name: drill.Detection, Seconds: 1.11}, {Name: drill.Election, Seconds: 0.22},
				{Name: drill.Routing, Seconds: 0.424},
			}, Verdict: drill.Verdict{Kept: true}}},
		{Outcome: drill.Outcome{Scenario: "leader-partitioned", Run: 2, GapSeconds: 7.1,
			Acknowledged: 1637,
			Lost:         506, RedundantSeconds: -1,
			DoubleWriters: []drill.Span{{}},
			Verdict: drill.Verdict{Broken: []string{"506 acknowledged rows lost",
				"never redundant"}}}},
	}}
	want := strings.TrimLeft(`
SCENARIO            WITHOUT WRITES  LONGEST CALL  DETECT  ELECT  PROMOTE  ROUTE  RECONNECT  LOST         UNKNOWN  TWO WRITERS  REDUNDANT  VERDICT
switchover          1.75 s          1.51 s        1.11    0.22   -        0.42   -          0 of 473     1        0            14.0 s     kept
leader-partitioned  7.10 s          0.00 s        -       -      -        -      -          506 of 1637  0        1            never      BROKEN
leader-partitioned, run 2: 506 acknowledged rows lost
leader-partitioned, run 2: never redundant
`, "\n")
	var b strings.Builder
	if err := printDrill(&terminal.Terminal{Stdout: &b}, result); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
