package contents_test

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/contents"
	"github.com/pgha/toolkit/pgha/spec"
)

// realServer starts a PostgreSQL of this machine's packages that listens on a socket alone, and
// returns its directory. Where there is none, or no user postgres to run it, the test is skipped.
func realServer(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	account, missing := user.Lookup("postgres")
	if err != nil || missing != nil || len(found) == 0 || os.Geteuid() != 0 {
		t.Skip("needs root, user postgres and the server's programs")
	}
	dir, err := os.MkdirTemp("", "pgha-contents-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	run := func(program string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()),
			filepath.Join(filepath.Dir(found[len(found)-1]), program), args...)
		cmd.Dir, cmd.Env = dir, []string{"LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid),
			Gid: uint32(gid)}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", program, err, out)
		}
	}
	data := filepath.Join(dir, "data")
	run("initdb", "-D", data, "-A", "trust", "-N", "-U", "postgres")
	run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o",
		"-c fsync=off -c listen_addresses='' -c unix_socket_directories="+dir, "start")
	t.Cleanup(func() { run("pg_ctl", "-D", data, "-m", "immediate", "stop") })
	return dir
}

// inDatabase hands a session with a database to f.
func inDatabase(t *testing.T, dir, database string, f func(context.Context, *pgx.Conn)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, "host="+dir+" user=postgres dbname="+database+
		" options='-c search_path=pg_catalog'")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	f(ctx, conn)
}

// lookAt asks the server as the toolkit asks a leader.
func lookAt(t *testing.T, dir string, sp *spec.Spec) contents.Server {
	t.Helper()
	var s contents.Server
	roles, databases, going := contents.Names(sp)
	var text string
	inDatabase(t, dir, "postgres", func(ctx context.Context, c *pgx.Conn) {
		if err := c.QueryRow(ctx, contents.SharedSQL, roles, databases,
			going).Scan(&text); err != nil {
			t.Fatal(err)
		}
	})
	s = read(t, text)
	for _, database := range contents.ToAsk(sp, s) {
		inDatabase(t, dir, database, func(ctx context.Context, c *pgx.Conn) {
			if err := c.QueryRow(ctx, contents.InsideSQL, going).Scan(&text); err != nil {
				t.Fatal(err)
			}
			if err := s.ReadInside(database, text); err != nil {
				t.Fatal(err)
			}
		})
	}
	return s
}

// bringAbout takes the steps that the server needs, and fails the test if it needs more after them.
func bringAbout(t *testing.T, dir string, sp *spec.Spec) (steps []contents.Step) {
	t.Helper()
	s := lookAt(t, dir, sp)
	if problems := contents.Judge(sp, s); len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	steps = contents.Steps(sp, s)
	for _, step := range steps {
		database := step.Database
		if database == "" {
			database = "postgres"
		}
		inDatabase(t, dir, database, func(ctx context.Context, c *pgx.Conn) {
			statements := step.SQL
			if !step.Alone {
				statements = slices.Concat([]string{"BEGIN"}, statements, []string{"COMMIT"})
			}
			for _, sql := range statements {
				if _, err := c.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
		})
	}
	for _, step := range contents.Steps(sp, lookAt(t, dir, sp)) {
		t.Errorf("needed again: %s %s %s\n%s%s", step.Kind, step.Name, step.Action, step.Diff,
			step.SQL)
	}
	return steps
}

// TestRealServer makes roles and databases on a real server, mends what is changed there, and drops
// them again; each time nothing is left to do.
func TestRealServer(t *testing.T) {
	t.Parallel()
	dir := realServer(t)
	const text = `postgresql: {version: 15}
roles:
  - {name: shop, connection_limit: 60, member_of: [app, pg_monitor], valid_until: "2027-12-31 18:00:00+01:00", settings: {statement_timeout: 30s, search_path: '"$user", audit', my.own: "it's"}}
  - {name: app, login: false}
  - {name: Copy-1, replication: true}
databases:
  - {name: Shop, owner: shop, encoding: LATIN1, locale: C, connection_limit: 80, schemas: [audit, {name: old, owner: app}], extensions: [{name: cube, schema: audit}]}
`
	sp := specified(t, text)
	if steps := bringAbout(t, dir, sp); len(steps) != 7 {
		t.Errorf("%d steps: %+v", len(steps), steps)
	}
	inDatabase(t, dir, "Shop", func(ctx context.Context, c *pgx.Conn) {
		for _, sql := range []string{`ALTER ROLE shop NOLOGIN SUPERUSER VALID UNTIL 'infinity'`,
			`ALTER ROLE shop SET search_path = 'one, two'`, `REVOKE app FROM shop`,
			`ALTER DATABASE "Shop" OWNER TO postgres`, `ALTER SCHEMA old OWNER TO postgres`,
			`ALTER EXTENSION cube SET SCHEMA public`, `CREATE TABLE public.kept ()`} {
			if _, err := c.Exec(ctx, sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
	})
	if steps := bringAbout(t, dir, sp); len(steps) != 4 {
		t.Errorf("%d steps: %+v", len(steps), steps)
	}
	const gone = "postgresql: {version: 15}\nroles: [{name: shop, ensure: absent}, {name: app, ensure: absent}]\n"
	owner := specified(t, gone)
	var problems []string
	for _, p := range contents.Judge(owner, lookAt(t, dir, owner)) {
		problems = append(problems, p.Problem)
	}
	if all := strings.Join(problems, "\n"); !strings.Contains(all, "owns database Shop") ||
		!strings.Contains(all, "owns schema old in database Shop") {
		t.Errorf("owners may be dropped: %s", all)
	}
	database := specified(t, "databases: [{name: Shop, ensure: absent}]\n")
	if p := contents.Judge(database, lookAt(t, dir, database)); len(p) != 1 ||
		!strings.Contains(p[0].Problem, "public.kept") {
		t.Errorf("a database with tables may be dropped: %+v", p)
	}
	bringAbout(t, dir, specified(t,
		gone+"databases: [{name: Shop, ensure: absent, with_tables: true}]\n"))
}
