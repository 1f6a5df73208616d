package drill

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestHolders wants two holders to be told only when the answers prove it.
func TestHolders(t *testing.T) {
	t.Parallel()
	type answer struct {
		seconds float64
		name    string
		holds   bool
	}
	for _, tc := range []struct {
		name    string
		answers []answer
		want    string
	}{
		{"one holds it", []answer{{0, "x", true}, {0.1, "y", false}, {0.2, "x", true},
			{0.3, "y", false}}, "x"},
		{
			"it moves",
			[]answer{
				{0, "x", true}, {0.1, "y", false}, {0.2, "x", true}, {0.3, "y", true},
				{0.4, "x", false},
				{0.5, "y", true},
			}, "x, y",
		},
		{
			"both hold it",
			[]answer{
				{0, "x", true}, {0.1, "y", true}, {0.2, "x", true}, {0.3, "y", true},
				{0.4, "x", false},
			}, "x, y, x+y, y",
		},
		{
			"one falls silent",
			[]answer{{0, "x", true}, {0.1, "y", false}, {0.8, "y", false}, {0.9, "y", true}},
			"x, -, y",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			h := newHolders([]string{"x", "y"}, func(_ time.Time, names []string) {
				if len(names) == 0 {
					names = []string{"-"}
				}
				got = append(got, strings.Join(names, "+"))
			})
			for _, a := range tc.answers {
				h.heard(a.name, at(a.seconds), a.holds)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, ", ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRivals wants a member to be alone only while no other one is out of recovery.
func TestRivals(t *testing.T) {
	t.Parallel()
	r := &rivals{primary: map[string]bool{}}
	for i, step := range []struct {
		name        string
		primary, is bool
	}{
		{"a", true, true}, {"b", false, false}, {"a", true, true}, {"b", true, false},
		{"a", true, false},
		{"a", false, false}, {"b", true, true},
	} {
		if got := r.alone(step.name, step.primary); got != step.is {
			t.Errorf("step %d: %s is alone: %v", i, step.name, got)
		}
	}
}
