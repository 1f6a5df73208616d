package doctor

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFold(t *testing.T) {
	t.Parallel()
	found := []Finding{
		{ID: "warned", Severity: Warning},
		{ID: "certificate", Host: "a", Severity: Warning,
			explains: []symptom{{"service", "a", ""}}},
		{ID: "service", Host: "a", Severity: Error,
			explains: []symptom{{"backend", "", ""}, {"certificate", "a", ""}}},
		{ID: "service", Host: "b", Severity: Error},
		{ID: "backend", Severity: Error},
	}
	got := map[string][]string{}
	var order []string
	for _, f := range fold(found) {
		order = append(order, string(f.Severity)+" "+f.Key())
		for _, s := range f.Symptoms {
			got[f.Key()] = append(got[f.Key()], s.Key())
		}
	}
	// A cause is as grave as what it leads to, and chains are laid flat below it.
	if diff := cmp.Diff([]string{"error certificate@a", "error service@b", "warning warned"},
		order); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string][]string{"certificate@a": {"service@a", "backend"}},
		got); diff != "" {
		t.Error(diff)
	}
}
