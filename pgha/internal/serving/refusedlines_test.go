package serving

import (
	"slices"
	"testing"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/spec"
)

func TestMembersToAsk(t *testing.T) {
	t.Parallel()
	sp := &spec.Spec{}
	for _, name := range []string{"a", "b"} {
		sp.Hosts = append(sp.Hosts, spec.Host{Name: "host-" + name, Member: name,
			Role: spec.RoleDatabase})
	}
	told := func(lines []string) preflight.Facts {
		return preflight.Facts{Running: change.Host{Refused: lines}}
	}
	nothing := told([]string{})
	for name, test := range map[string]struct {
		facts   map[string]preflight.Facts
		changed bool
		want    []string
	}{
		"nobody was asked": {nil, false, []string{"a", "b"}},
		"none refuses anything": {map[string]preflight.Facts{"host-a": nothing, "host-b": nothing},
			false, nil},
		"something was changed": {
			map[string]preflight.Facts{"host-a": nothing, "host-b": nothing}, true,
			[]string{"a", "b"},
		},
		"one refuses a line": {
			map[string]preflight.Facts{"host-a": nothing, "host-b": told([]string{"line 1"})},
			false, []string{"b"},
		},
		"one did not answer": {
			map[string]preflight.Facts{"host-a": told(nil), "host-b": nothing}, false,
			[]string{"a"},
		},
	} {
		if got := membersToAsk(sp, test.facts, test.changed); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
