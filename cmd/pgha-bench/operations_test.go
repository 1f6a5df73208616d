package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/drill"
)

func TestSelected(t *testing.T) {
	t.Parallel()
	for only, want := range map[string][2]int{"": {len(operations), len(pooledOperations)},
		"switchover": {1, 0}, "haproxy-killed,power-fast": {2, 0}, "pool-400": {0, 1}} {
		if got, through, err := selected(only); err != nil || len(got) != want[0] ||
			len(through) != want[1] {
			t.Errorf("%q: %d operations, %d through the pooler, %v", only, len(got), len(through),
				err)
		}
	}
	if got, _, err := selected("haproxy-killed,power-fast"); err != nil ||
		got[0].name != "power-fast" {
		t.Errorf("%+v, %v: operations of one profile must stand together", got, err)
	}
	if _, _, err := selected("switchover,typo"); err == nil ||
		!strings.Contains(err.Error(), `"typo"`) {
		t.Errorf("got %v", err)
	}
}

// TestOperationsAreDrills: what is measured can be practised.
func TestOperationsAreDrills(t *testing.T) {
	t.Parallel()
	for _, o := range operations {
		if !slices.ContainsFunc(drill.Scenarios(), func(s drill.Scenario) bool {
			return s.Name == o.drill
		}) {
			t.Errorf("%s: there is no drill %s", o.name, o.drill)
		}
	}
}

// TestSettingsStandTogether: each change of settings is an apply.
func TestSettingsStandTogether(t *testing.T) {
	t.Parallel()
	changes := 0
	for i := 1; i < len(operations); i++ {
		if operations[i].patroni != operations[i-1].patroni {
			changes++
		}
	}
	if changes != 2 {
		t.Errorf("the settings change %d times", changes)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	power := operation{title: "power", goal: "<= 30"}
	run := func(seconds, call, wait float64, lost, unknown int) drill.RunResult {
		return drill.RunResult{Outcome: drill.Outcome{GapSeconds: seconds,
			LongestCallSeconds: call, WaitSeconds: wait, Acknowledged: 100, Lost: lost,
			Unknown: unknown}}
	}
	var o outcomes
	o.add(power, run(24, 1, 0, 0, 1))
	o.add(power, run(28, 2, 0, 0, 0))
	o.add(power, run(25, 1.5, 0, 1, 1))
	o.add(operation{title: "locks"}, run(1, 1, 24.4, 0, 0))
	o.add(operation{title: "locks"}, drill.RunResult{Error: "no"})
	o.add(operation{title: "never"}, drill.RunResult{Error: "no"})
	var got strings.Builder
	if err := o.print(&got); err != nil {
		t.Fatal(err)
	}
	want := `SECONDS WITHOUT WRITES  MIN    MEDIAN  MAX    LONGEST CALL  LONGEST WAIT  RUNS  FAILED  GOAL   ROWS LOST  OF   UNKNOWN
power                   24.00  25.00   28.00  2.00          -             3     0       <= 30  1          300  2
locks                   1.00   1.00    1.00   1.00          24.40         1     1              0          100  0
never                   -      -       -      -             -             0     1              -          -    -
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}
