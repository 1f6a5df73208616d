package change_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/spec"
)

func TestReadRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer string
		want   []string
		told   bool
	}{
		"nothing": {"== databases\nencoding UTF8\nrefused []\n", []string{}, true},
		"two lines": {
			"== databases\nrefused [\"a line 1: x\", \"b\\nc\"]\n",
			[]string{"a line 1: x", "b\nc"}, true,
		},
		"no answer":        {"== databases\nencoding UTF8\n", nil, false},
		"cut off":          {"== databases\nrefused [\"a\n", nil, false},
		"of another part":  {"== etcd\nrefused []\n", nil, false},
		"no database host": {"", nil, false},
	} {
		got := change.Read(test.answer).Refused
		if !slices.Equal(got, test.want) || (got != nil) != test.told {
			t.Errorf("%s: %q, told %v", name, got, got != nil)
		}
	}
}

// TestQuestionQuotes gives the roles names that end a literal of SQL, of an array, or an argument.
func TestQuestionQuotes(t *testing.T) {
	t.Parallel()
	sp := spec.New()
	sp.PostgreSQL.Superuser, sp.PostgreSQL.ReplicationUser, sp.PostgreSQL.RewindUser = `o'neil`,
		`a"b`, `c\d`
	argv := change.Question(sp, spec.Host{Role: spec.RoleDatabase})
	const want = `ANY ('{"o''neil","a\"b","c\\d"}'::text[])`
	if !slices.ContainsFunc(argv, func(a string) bool { return strings.HasSuffix(a, want) }) {
		t.Errorf("no question ends with %s", want)
	}
	if balancer := change.Question(sp, spec.Host{Role: spec.RoleBalancer}); len(
		balancer) >= len(argv) {
		t.Error("a balancer is asked as a database is")
	}
}
