package contents_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/contents"
	"github.com/pgha/toolkit/pgha/spec"
)

// specified parses a specification of one host with what is inside PostgreSQL.
func specified(t *testing.T, text string) *spec.Spec {
	t.Helper()
	sp, err := spec.Parse("pgha.yaml", []byte("version: 1\nhosts:\n"+
		"  - {name: db-1, address: 10.0.0.1, role: database}\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// inside is what a database of the server of read says of itself.
type inside struct{ database, text string }

// read is a server as the leader answers.
func read(t *testing.T, shared string, in ...inside) contents.Server {
	t.Helper()
	s, err := contents.Read(shared)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range in {
		if err := s.ReadInside(i.database, i.text); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

const wanted = `roles:
  - {name: shop, connection_limit: 60, member_of: [app], valid_until: 2027-12-31, settings: {statement_timeout: 30s, search_path: "shop, public", my.own: "it's"}}
  - {name: app, login: false}
  - {name: Copy-1, replication: true}
  - {name: gone, ensure: absent}
databases:
  - {name: shop, owner: shop, encoding: UTF8, locale: C.UTF-8, connection_limit: 80, schemas: [audit, {name: old, owner: app}], extensions: [pg_trgm, {name: postgis, schema: audit, package: postgresql-18-postgis-3}]}
  - {name: plain}
  - {name: postgres, extensions: [pg_stat_statements]}
  - {name: former, ensure: absent, with_tables: true}
`

// made is the server after the steps of wanted.
const made = `{"roles": {
	"shop": {"login": true, "connection_limit": 60, "valid_until": "2027-12-31T00:00:00Z",
		"settings": ["statement_timeout=30000", "search_path=shop, public", "my.own=it's"]},
	"app": {"connection_limit": -1}, "Copy-1": {"login": true, "replication": true, "connection_limit": -1}},
	"member_of": {"shop": ["app"]},
	"databases": {"shop": {"owner": "shop", "encoding": "UTF8", "locale": "C.utf8", "connection_limit": 80},
		"plain": {"owner": "postgres", "connection_limit": -1}, "postgres": {"owner": "postgres", "connection_limit": -1}}}`

var madeInside = []inside{
	{"shop", `{"schemas": {"public": "pg_database_owner", "audit": "shop", "old": "app"},
		"extensions": {"pg_trgm": {"schema": "public"}, "postgis": {"schema": "audit"}}, "available": {}}`},
	{"postgres", `{"schemas": {"public": "pg_database_owner"},
		"extensions": {"pg_stat_statements": {"schema": "public"}}, "available": {}}`},
}

// drifted is the server after somebody has been there.
const drifted = `{"roles": {
	"shop": {"connection_limit": -1, "valid_until": "", "replication": true,
		"settings": ["statement_timeout=60s", "search_path=\"shop, public\"", "work_mem=64MB"]},
	"app": {"login": true, "connection_limit": 3}, "Copy-1": {"login": true, "replication": true, "connection_limit": -1},
	"gone": {}},
	"databases": {"shop": {"owner": "postgres", "encoding": "UTF8", "locale": "C.UTF-8", "connection_limit": -1},
		"plain": {"owner": "app", "connection_limit": 7}, "postgres": {"owner": "postgres", "connection_limit": -1},
		"former": {"owner": "gone", "size": 367001600}}}`

var driftedInside = []inside{
	{"shop", `{"schemas": {"public": "pg_database_owner", "old": "postgres"},
		"extensions": {"postgis": {"schema": "public", "movable": true}}, "available": {"pg_trgm": []}}`},
	{"postgres", `{"schemas": {"public": "pg_database_owner"}, "extensions": {}, "available": {"pg_stat_statements": []}}`},
	{"former", `{"schemas": {}, "extensions": {}, "available": {}, "tables": ["public.a", "public.b"]}`},
}

// TestSteps compares the statements with testdata/steps.golden.
func TestSteps(t *testing.T) {
	t.Parallel()
	sp := specified(t, wanted)
	other := read(t, drifted, driftedInside...)
	role := other.Roles["Copy-1"]
	role.Password = contents.PasswordOther
	other.Roles["Copy-1"] = role
	var b strings.Builder
	for _, c := range []struct {
		name   string
		server contents.Server
	}{{"a new server", contents.Fresh(sp)}, {"one that somebody has changed", other}} {
		if problems := contents.Judge(sp, c.server); len(problems) > 0 {
			t.Errorf("%s: %v", c.name, problems)
		}
		fmt.Fprintf(&b, "== %s\n", c.name)
		for _, s := range contents.Steps(sp, c.server) {
			fmt.Fprintf(&b, "%s %s %s", s.Kind, s.Name, s.Action)
			if s.Database != "" {
				fmt.Fprintf(&b, " in %s", s.Database)
			}
			fmt.Fprintf(&b, " (new %t, alone %t, password %t)\n", s.New, s.Alone, s.SetsPassword)
			for line := range strings.Lines(s.Diff) {
				b.WriteString("    " + line)
			}
			for _, sql := range s.SQL {
				b.WriteString("  " + sql + ";\n")
			}
		}
	}
	const file = "testdata/steps.golden"
	if golden.Update() {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-golden +now):\n%s", diff)
	}
}

// TestNothingTheSecondTime: what is as it should be needs no step, in whatever words the server
// says so.
func TestNothingTheSecondTime(t *testing.T) {
	t.Parallel()
	sp := specified(t, wanted)
	server := read(t, made, madeInside...)
	for _, s := range contents.Steps(sp, server) {
		t.Errorf("%s %s %s\n%s%s", s.Kind, s.Name, s.Action, s.Diff, s.SQL)
	}
	if problems := contents.Judge(sp, server); len(problems) > 0 {
		t.Errorf("%v", problems)
	}
}

// TestWhatIsNotNamedStays: a server full of other things needs no step.
func TestWhatIsNotNamedStays(t *testing.T) {
	t.Parallel()
	sp := specified(t, "roles: [{name: app}]\ndatabases: [{name: shop}]\n")
	server := read(t, `{"roles": {"app": {"login": true, "connection_limit": 3, "valid_until":
		"2020-01-01T00:00:00Z", "settings": ["work_mem=1GB"]}, "other": {}}, "member_of": {"app": ["other"]},
		"databases": {"shop": {"owner": "other", "encoding": "LATIN1", "locale": "C", "connection_limit": 5}}}`)
	if steps := contents.Steps(sp, server); len(steps) > 0 {
		t.Errorf("%+v", steps)
	}
}

func TestSettingTakenAway(t *testing.T) {
	t.Parallel()
	sp := specified(t, "roles: [{name: app, settings: {work_mem: null, lock_timeout: null}}]\n")
	server := read(t, `{"roles": {"app": {"login": true, "settings": ["work_mem=1GB"]}}}`)
	steps := contents.Steps(sp, server)
	if len(steps) != 1 || len(steps[0].SQL) != 1 ||
		steps[0].SQL[0] != `ALTER ROLE "app" RESET "work_mem"` {
		t.Errorf("%+v", steps)
	}
}
