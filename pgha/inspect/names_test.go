package inspect

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestNameThatMoves: what a name resolves to is the address that the hosts have, and another one is
// a host that moved.
func TestNameThatMoves(t *testing.T) {
	t.Parallel()
	parsed := func(changes ...string) *spec.Spec {
		sp, err := parseTree(t, mergedTexts(t, append([]string{pairBase}, changes...)...))
		if err != nil {
			t.Fatal(err)
		}
		return sp
	}
	running := parsed()
	named := parsed("hosts: {pg2: {address: pg2.example.com}, lb1: {address: lb1.example.com}}")
	for name, c := range map[string]struct {
		pg2, lb1, refused string
	}{
		"where they are":       {"10.0.0.12", "10.0.0.21", ""},
		"a database elsewhere": {"10.0.0.99", "10.0.0.21", "10.0.0.99"},
	} {
		sp, err := named.Resolve(t.Context(), testkit.NamesOf(map[string]string{
			"pg2.example.com": c.pg2, "lb1.example.com": c.lb1,
		}))
		if err != nil {
			t.Fatal(err)
		}
		stops := stopping(verdict(t, sp, seenAs(running)))
		if refused := slices.ContainsFunc(stops,
			func(f preflight.Finding) bool {
				return strings.Contains(f.Problem,
					c.refused)
			}); refused != (c.refused != "") {
			t.Errorf("%s: %+v", name, stops)
		}
	}
}
