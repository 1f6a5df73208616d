package inspect

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/hosttest"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestJudgeRestart asks a host whose files have a library that is not there, one whose server
// would start, one without a server, and one that cannot try.
func TestJudgeRestart(t *testing.T) {
	t.Parallel()
	const files = "==> /data/postgresql.conf <==\n" +
		"shared_preload_libraries = 'nosuch'\nmax_connections = '100'\n" +
		"\n==> /data/pg_hba.conf <==\nlocal all all peer\n"
	const started = "== memory\nMemTotal: 4000000 kB\n== lacks\n== settings\n200\n== start\n" +
		`FATAL:  required WAL directory "pg_wal" does not exist` + "\n"
	for name, c := range map[string]struct {
		files, answer, field, problem string
		warning                       bool
	}{
		"a missing library": {
			files: files, answer: "== memory\nMemTotal: 4000000 kB\n== lacks\n== settings\n" +
				`FATAL:  could not access file "nosuch": No such file or directory` + "\n",
			field:   "postgresql.parameters.shared_preload_libraries",
			problem: "does not start with it",
		},
		"more than the host's memory": {
			files: files, answer: strings.Replace(started, "\n200\n", "\n9000\n", 1),
			field: "postgresql.parameters.max_connections", problem: "asks for 9000 MB",
		},
		"all is well": {files: files, answer: started},
		"no server":   {},
		"a full disk": {
			files: files, answer: "== memory\n== lacks\n== broken\nNo space left on device\n",
			problem: "could not be tried: No space left", warning: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hosttest.New("pg1", nil)
			h.Say("' present", func() string { return c.files })
			h.Say("sh -c", func() string { return c.answer })
			target := &remote.Target{Host: remote.Host{Name: "pg1"}, Executor: h}
			found, err := JudgeRestart(t.Context(), sitetest.New(t),
				[]Restarting{{Target: target, Waiting: []string{"max_connections"}}})
			if err != nil {
				t.Fatal(err)
			}
			if c.problem == "" {
				if len(found) > 0 {
					t.Errorf("found %+v", found)
				}
				return
			}
			if len(found) != 1 || found[0].Field != c.field || found[0].Warning != c.warning ||
				!strings.Contains(found[0].Problem, c.problem) {
				t.Errorf("found %+v", found)
			}
			if err := (PreflightReport{Findings: found}).Err(); (err == nil) != c.warning {
				t.Errorf("stops with %v", err)
			}
		})
	}
}
