package main

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/drill"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for want, figures := range map[float64][]float64{
		7: {7}, 1.5: {2, 1}, 2: {3, 1, 2}, 4.5: {9, 4, 1, 5}, 0: {0, 0, 0}, -1: {5, -1, -9},
		// one slow run out of five does not move it
		3: {3, 2, 900, 4, 1},
	} {
		if got := medianOf(figures); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v: got %v, want %v", figures, got, want)
		}
	}
	figures := []float64{3, 1, 2}
	medianOf(figures)
	if figures[0] != 3 {
		t.Error("the figures are put into another order")
	}
}

// TestTable keeps the order in which names came, and knows the goals of those that have one.
func TestTable(t *testing.T) {
	t.Parallel()
	var empty strings.Builder
	if err := (&table{}).print(&empty); err != nil ||
		empty.String() != "SECONDS  MIN  MEDIAN  MAX  RUNS  GOAL\n" {
		t.Errorf("nothing measured: %q, %v", empty.String(), err)
	}
	var tb table
	for _, figure := range []struct {
		name string
		n    float64
	}{
		{"second apply", 3}, {"fresh apply", 60}, {"second apply", 2}, {"fresh apply: etcd", 7},
		{"second apply", 10}, {"second apply: changes", 0},
	} {
		tb.add(figure.name, figure.n)
	}
	var got strings.Builder
	if err := tb.print(&got); err != nil {
		t.Fatal(err)
	}
	want := `SECONDS                MIN    MEDIAN  MAX    RUNS  GOAL
second apply           2.00   3.00    10.00  3     <= 5, aim 2
fresh apply            60.00  60.00   60.00  1     <= 54, aim 40
fresh apply: etcd      7.00   7.00    7.00   1
second apply: changes  0.00   0.00    0.00   1     0
`
	var lines strings.Builder
	for line := range strings.Lines(got.String()) {
		lines.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	if diff := cmp.Diff(want, lines.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

// TestPrintedNowhere: figures that could not be written are not said to be there.
func TestPrintedNowhere(t *testing.T) {
	t.Parallel()
	var tb table
	tb.add("status", 1)
	var o outcomes
	o.add(operation{title: "x"}, drill.RunResult{})
	for name, err := range map[string]error{"table": tb.print(full{}),
		"outcomes": o.print(full{})} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestSentence is the line that stands there while the next run is under way.
func TestSentence(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]drill.RunResult{
		"1.25 s without writes (detection 1.00, election 0.25), longest call 0.50 s, 90 rows " +
			"acknowledged, 2 lost, 0 moments with two writers, whole after 3.0 s": {
			Outcome: drill.Outcome{GapSeconds: 1.254, LongestCallSeconds: 0.5, Acknowledged: 90,
				Phases: []drill.Phase{{Name: drill.Detection, Seconds: 1},
					{Name: drill.Election, Seconds: 0.254}}, Lost: 2, RedundantSeconds: 3}},
		"1.00 s without writes, longest call 0.00 s, waited 24.40 s, 9 rows acknowledged, 0 lost, " +
			"0 moments with two writers, whole after 3.0 s": {Outcome: drill.Outcome{GapSeconds: 1, WaitSeconds: 24.4,
			Acknowledged: 9, RedundantSeconds: 3}},
		"no leader": {Error: "no leader"},
	} {
		if got := sentence(r); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
