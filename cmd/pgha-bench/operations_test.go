package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/probe"
)

func TestSelected(t *testing.T) {
	t.Parallel()
	for only, want := range map[string]int{"": len(scenarios), "switchover": 1,
		"haproxy-killed,power-fast": 2} {
		if got, err := selected(only); err != nil || len(got) != want {
			t.Errorf("%q: %d operations, %v", only, len(got), err)
		}
	}
	if got, err := selected("haproxy-killed,power-fast"); err != nil ||
		got[0].name != "power-fast" {
		t.Errorf("%+v, %v: operations of one profile must stand together", got, err)
	}
	if _, err := selected("switchover,typo"); err == nil ||
		!strings.Contains(err.Error(), `"typo"`) {
		t.Errorf("got %v", err)
	}
}

// TestProfilesStandTogether: each change of profile is an apply.
func TestProfilesStandTogether(t *testing.T) {
	t.Parallel()
	changes := 0
	for i := 1; i < len(scenarios); i++ {
		if scenarios[i].profile != scenarios[i-1].profile {
			changes++
		}
	}
	if changes != 1 {
		t.Errorf("the profile changes %d times", changes)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	power := scenario{title: "power", goal: "<= 30"}
	run := func(seconds float64, etcdToo bool, lost, arrived []int64) measurement {
		return measurement{gap: probe.Gap{Seconds: seconds}, call: time.Second, acked: 100, etcdToo: etcdToo,
			rows: probe.Comparison{Lost: lost, Arrived: arrived, Vanished: []int64{7},
				Unexplained: []int64{9}}}
	}
	var o outcomes
	o.add(power, run(24, false, nil, nil))
	o.add(power, run(35, true, []int64{1, 2}, nil))
	o.add(power, run(28, false, nil, []int64{3}))
	o.add(power, run(25, false, []int64{4}, nil))
	var got strings.Builder
	if err := o.print(&got); err != nil {
		t.Fatal(err)
	}
	want := `SECONDS WITHOUT WRITES  MIN    MEDIAN  MAX    LONGEST CALL  RUNS  GOAL   ROWS LOST  OF   UNKNOWN  UNEXPLAINED
power                   24.00  25.00   28.00  1.00          3     <= 30  1          300  4        3
power (and led etcd)    35.00  35.00   35.00  1.00          1     <= 30  2          100  1        1
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}
