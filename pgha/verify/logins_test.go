package verify

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestLogins runs logins.sh with a psql that some logins fail with: the first that does is named,
// and none follows it.
func TestLogins(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuse string // a pattern of the shell for psql's arguments
		want   string
		calls  int
	}{
		"all are let in": {"-", "", 4},
		"replication is refused": {"*host=10.0.0.2*replication=true*",
			"replicator to 10.0.0.2\n", 3},
		"rewinding is refused": {"*host=10.0.0.1*user='rewind_user'*",
			"rewind_user to 10.0.0.1\n", 2},
		"the certificate is not right": {"*sslmode=verify-full*", "replicator to 10.0.0.1\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := scripttest.Run{With: "sh", Script: loginScript,
				Args: []string{
					"5432", "/pgpass", "/ca.crt", "replicator", "rewind_user", "psql", "10.0.0.1",
					"10.0.0.2",
				},
				Fakes: map[string]string{
					"psql": `case "$*" in ` + strings.ReplaceAll(strings.ReplaceAll(c.refuse,
						" ", "' '"),
						"'rewind_user'", `"'rewind_user'"`) +
						`) echo refused >&2; exit 2;; esac; echo a row`,
				}}.Do(t)
			if r.Stdout != c.want || (r.Code == 0) != (c.want == "") || len(r.Calls) != c.calls {
				t.Errorf("%+v", r)
			}
			for _, call := range r.Calls {
				if !strings.Contains(call, "passfile=/pgpass") ||
					!strings.Contains(call, "sslrootcert=/ca.crt") {
					t.Errorf("not as strictly as replicas log in: %s", call)
				}
			}
		})
	}
}
