package labtest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// queryRows runs a query and returns its rows as JSON has them.
func (s site) queryRows(t *testing.T, args ...string) string {
	t.Helper()
	got := s.cli(t, append([]string{"query", "--output", "json"}, args...)...)
	var answer struct{ Rows json.RawMessage }
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != 0 {
		t.Fatalf("query %v: %v, exit code %d\n%s%s", args, err, got.code, got.stdout, got.stderr)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, answer.Rows); err != nil {
		t.Fatal(err)
	}
	return compact.String()
}

func testQuery(t *testing.T, s site) {
	leader, other := s.leader(t)
	address := func(member string) string {
		h, err := s.spec(t).Host(member)
		if err != nil {
			t.Fatal(err)
		}
		return h.Address
	}
	where := "SELECT host(inet_server_addr()) AS at, pg_is_in_recovery() AS replica"
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, `[{"at":"` + address(leader) + `","replica":false}]`},
		{[]string{"--member", other}, `[{"at":"` + address(other) + `","replica":true}]`},
		{[]string{"--member", s.hostOf(t, other)},
			`[{"at":"` + address(other) + `","replica":true}]`},
	} {
		if diff := cmp.Diff(test.want, s.queryRows(t, append(test.args, where)...)); diff != "" {
			t.Errorf("query %v (-want +got):\n%s", test.args, diff)
		}
	}
	if got := s.queryRows(t, "--role", "replica",
		"SELECT pg_is_in_recovery() AS r"); got != `[{"r":true}]` {
		t.Errorf("--role replica: %s", got)
	}
	if got := s.queryRows(t, "--database", "template1",
		"SELECT current_database() AS d"); got != `[{"d":"template1"}]` {
		t.Errorf("--database: %s", got)
	}
	values := "SELECT 9007199254740993 AS big, 1.50 AS n, NULL AS nothing, '{\"a\": [1]}'::jsonb " +
		"AS j, 'NaN'::float8 AS nan, E'a\\nb' AS text"
	if got := s.queryRows(t, "--role", "any",
		values); got != `[{"big":9007199254740993,"n":1.50,"nothing":null,"j":{"a":[1]},"nan":"NaN","text":"a\nb"}]` {
		t.Errorf("values: %s", got)
	}
	t.Run("writes", func(t *testing.T) { testQueryWrites(t, s, leader, other) })
	t.Run("errors", func(t *testing.T) { testQueryErrors(t, s) })
	t.Run("interrupted", func(t *testing.T) { testQueryInterrupted(t, s, leader) })
}

func testQueryWrites(t *testing.T, s site, leader, other string) {
	exists := func() string {
		return s.sql(t, leader, "SELECT to_regclass('query_wrote') IS NOT NULL")
	}
	got := s.cli(t, "query", "CREATE TABLE query_wrote ()")
	if got.code != 1 || !strings.Contains(got.stderr, "25006") ||
		!strings.Contains(got.stderr, "--write") ||
		exists() != "f" {
		t.Errorf("without --write: exit code %d, table %s\n%s", got.code, exists(), got.stderr)
	}
	if got := s.cli(t, "query", "--write", "--member", other,
		"CREATE TABLE query_wrote ()"); got.code != 1 ||
		!strings.Contains(got.stderr, "is a replica") {
		t.Errorf("on a replica: exit code %d\n%s", got.code, got.stderr)
	}
	if got := s.cli(t, "query", "--write", "CREATE TABLE query_wrote ()"); got.code != 0 ||
		exists() != "t" {
		t.Errorf("with --write: exit code %d, table %s\n%s", got.code, exists(), got.stderr)
	}
	if got := s.cli(t, "query", "--write", "DROP TABLE query_wrote"); got.code != 0 ||
		exists() != "f" {
		t.Errorf("drop: exit code %d, table %s\n%s", got.code, exists(), got.stderr)
	}
	if got := s.cli(t, "query", "--write", "VACUUM"); got.code != 0 || got.stdout != "VACUUM\n" {
		t.Errorf("VACUUM: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func testQueryErrors(t *testing.T, s site) {
	got := s.cli(t, "query", "SELECT 1\nFROM nowhere")
	want := "LINE 2: FROM nowhere\n" + strings.Repeat(" ", len("LINE 2: FROM ")) + "^\n"
	if got.code != 1 || !strings.Contains(got.stderr, want) ||
		!strings.Contains(got.stderr, "(SQLSTATE 42P01)") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
	for sql, words := range map[string]string{
		"SELECT 1; SELECT 2":        "more than one statement",
		"COPY (SELECT 1) TO STDOUT": "COPY",
		" ":                         "no statement",
	} {
		if got := s.cli(t, "query", sql); got.code != 3 || !strings.Contains(got.stderr, words) {
			t.Errorf("%q: exit code %d, want 3 and %q\n%s", sql, got.code, words, got.stderr)
		}
	}
	if got := s.cli(t, "query", "--member", "postgresql-1", "SELECT 1"); got.code != 3 ||
		!strings.Contains(got.stderr, "did you mean postgresql-01?") {
		t.Errorf("a misspelt member: exit code %d\n%s", got.code, got.stderr)
	}
	if got := s.cli(t, "query", "--max-rows", "3",
		"SELECT generate_series(1, 10)"); strings.Count(got.stdout,
		"\n") != 5 || !strings.Contains(got.stderr, "first 3 rows") {
		t.Errorf("--max-rows 3: %s%s", got.stdout, got.stderr)
	}
}

// testQueryInterrupted wants a statement to end on the server when its reader goes.
func testQueryInterrupted(t *testing.T, s site, leader string) {
	const sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(300)' " +
		"AND state = 'active'"
	gone := func(what string) {
		t.Helper()
		await(t, 3*time.Second, "the statement to end on the server after "+what,
			func() (bool, string) {
				got := s.sql(t, leader, sleeping)
				return got == "0", got
			})
	}
	cmd := exec.CommandContext(t.Context(), binary, "--lab", "--lab-name", s.Name(), "--spec",
		s.specFile,
		"query", "SELECT pg_sleep(300)")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, 20*time.Second, "the statement to run", func() (bool, string) {
		got := s.sql(t, leader, sleeping)
		return got == "1", got
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("after Ctrl-C: exit code %d", code)
	}
	gone("Ctrl-C")
	if got := s.cli(t, "query", "--timeout", "3s", "SELECT pg_sleep(300)"); got.code != 4 {
		t.Errorf("--timeout 3s: exit code %d\n%s", got.code, got.stderr)
	}
	gone("a time-out")
}
