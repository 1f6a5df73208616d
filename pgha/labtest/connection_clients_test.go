package labtest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// stranger is the account of this machine that the clients run as: it may read nothing of root's.
const stranger = "nobody"

// client runs what the CLI prints for a form, as it is printed, and asks one statement.
type client struct {
	form string
	// What has to be there: a program, and a module of Python's, Node's or Go's (the directory of
	// its go.mod), or a file.
	program, module, file string
	// source is the program's text, with the printed code in the place of CODE; "" for a command
	// line of psql's. It goes into the file name.
	source, name string
	run          []string
}

// java runs the compiled program.
var java = []string{"java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", debianJDBC + ":.", "Client"}

const (
	debianJDBC = "/usr/share/java/postgresql.jar"
	dbapi      = "import sys\nCODE\ncursor = connection.cursor()\ncursor.execute(sys.argv[1])\n" +
		"print(str(cursor.fetchone()[0])[0].lower())\n"
)

// clients are all forms but Npgsql's: Debian has no .NET.
func clients() []client {
	return []client{
		{form: "psql", program: "psql"},
		{form: "uri", program: "psql"},
		{form: "multi-host", program: "psql"},
		{form: "service", program: "psql"},
		{form: "psycopg", program: "/usr/bin/python3", module: "psycopg", name: "client.py",
			source: dbapi, run: []string{"/usr/bin/python3", "client.py"}},
		{form: "psycopg2", program: "/usr/bin/python3", module: "psycopg2", name: "client.py",
			source: dbapi, run: []string{"/usr/bin/python3", "client.py"}},
		{form: "sqlalchemy", program: "/usr/bin/python3", module: "sqlalchemy", name: "client.py",
			source: "import sys\nCODE\nwith engine.connect() as connection:\n" +
				"    print(str(connection.execute(sqlalchemy.text(sys.argv[1])).scalar())[0].lower())\n",
			run: []string{"/usr/bin/python3", "client.py"}},
		{form: "asyncpg", program: "/usr/bin/python3", module: "asyncpg", name: "client.py",
			source: "import asyncio, sys\nasync def main():\n    CODE\n" +
				"    print(str(await connection.fetchval(sys.argv[1]))[0].lower())\nasyncio.run(main())\n",
			run: []string{"/usr/bin/python3", "client.py"}},
		{form: "pgx", program: "go", name: "main.go", source: pgxSource,
			run: []string{"./client"}},
		{form: "lib-pq", program: "go", module: "testdata/libpq", name: "main.go", source: libpqSource,
			run: []string{"./client"}},
		{form: "node-postgres", program: "node", module: "pg", name: "client.mjs",
			source: "CODE\nawait client.connect()\n" +
				"const got = await client.query({text: process.argv[2], rowMode: \"array\"})\n" +
				"console.log(String(got.rows[0][0])[0])\nawait client.end()\n",
			run: []string{"node", "client.mjs"}},
		{form: "postgres.js", program: "node", module: "postgres", name: "client.mjs",
			source: "CODE\nconst got = await sql.unsafe(process.argv[2]).values()\n" +
				"console.log(String(got[0][0])[0])\nawait sql.end()\n",
			run: []string{"node", "client.mjs"}},
		{form: "jdbc", program: "javac", file: debianJDBC, name: "Client.java",
			source: javaSource, run: java},
		{form: "jdbc-multi-host", program: "javac", file: debianJDBC, name: "Client.java",
			source: javaSource, run: java},
	}
}

const pgxSource = `package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	CODE
	if err != nil {
		return err
	}
	var answer any
	if err := connection.QueryRow(ctx, os.Args[1]).Scan(&answer); err != nil {
		return err
	}
	fmt.Println(fmt.Sprint(answer)[:1])
	return nil
}
`

const libpqSource = `package main

import (
	"database/sql"
	"fmt"
	"os"

	_ "github.com/lib/pq"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	CODE
	if err != nil {
		return err
	}
	defer db.Close()
	var answer string
	if err := db.QueryRow(os.Args[1]).Scan(&answer); err != nil {
		return err
	}
	fmt.Println(answer[:1])
	return nil
}
`

const javaSource = `import java.sql.*;

public class Client {
	public static void main(String[] args) throws Exception {
		CODE
		ResultSet rows = connection.createStatement().executeQuery(args[0]);
		rows.next();
		System.out.println(rows.getString(1).substring(0, 1));
	}
}
`

// missing says what is not installed that the client needs, "" if nothing is.
func (c client) missing() string {
	if _, err := exec.LookPath(c.program); err != nil {
		return c.program
	}
	if _, err := os.Stat(c.file); c.file != "" && err != nil {
		return c.file
	}
	switch {
	case c.module == "":
	case c.program == "node" && nodeModule(c.module) == "":
		return "Node's package " + c.module
	case c.program == "go" && exec.Command("go", "-C", c.module, "mod", "download").Run() != nil:
		return "the Go module of " + c.module
	case strings.Contains(c.program, "python") &&
		exec.Command(c.program, "-c", "import "+c.module).Run() != nil:
		return "Python's module " + c.module
	}
	return ""
}

// nodeModule finds an installed package of Node's: Debian's, one of npm install --global, or in
// PGHA_NODE_MODULES.
func nodeModule(name string) string {
	for _, dir := range []string{os.Getenv("PGHA_NODE_MODULES"), "/usr/local/lib/node_modules",
		"/usr/lib/node_modules", "/usr/share/nodejs"} {
		if info, err := os.Stat(filepath.Join(dir, name)); dir != "" && err == nil && info.IsDir() {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

// prepared is a client with a form's code in its program.
type prepared struct {
	client
	dir  string
	argv []string
	env  []string
}

// prepare writes the program of a form and builds it, in a directory that everybody may read.
func (c client) prepare(t *testing.T, code string, environment map[string]string) prepared {
	t.Helper()
	p := prepared{client: c, dir: openDir(t), argv: c.run, env: []string{"HOME=/nonexistent",
		"LANG=C.UTF-8", "PATH=" + os.Getenv("PATH")}}
	for name, value := range environment {
		p.env = append(p.env, name+"="+value)
	}
	if c.source == "" {
		p.argv = []string{"sh", "-c", "exec " + code + ` -X -At -c "$0"`}
		return p
	}
	indented := strings.ReplaceAll(code, "\n", "\n"+indentOf(c.source))
	file := filepath.Join(p.dir, c.name)
	source := strings.Replace(c.source, "CODE", indented, 1)
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if module := nodeModule(c.module); c.program == "node" && module != "" {
		link(t, module, filepath.Join(p.dir, "node_modules", c.module))
	}
	if c.program == "go" || c.program == "javac" {
		c.compile(t, p.dir)
	}
	return p
}

// compile builds a program of Java's, or one of Go's with the requirements of its module, or else
// of this one.
func (c client) compile(t *testing.T, dir string) {
	t.Helper()
	module := "."
	if c.module != "" {
		module = c.module
	}
	cmd := exec.CommandContext(t.Context(), "go", "-C", module, "build", "-o",
		filepath.Join(dir, "client"), filepath.Join(dir, c.name))
	if c.program == "javac" {
		cmd = exec.CommandContext(t.Context(), "javac", "-d", dir, filepath.Join(dir, c.name))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: build: %v\n%s", c.form, err, out)
	}
}

// indentOf is the white space before CODE.
func indentOf(source string) string {
	before, _, _ := strings.Cut(source, "CODE")
	return before[strings.LastIndexByte(before, '\n')+1:]
}

func link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(from, to); err != nil {
		t.Fatal(err)
	}
}

// openDir is a temporary directory that every account may enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgha-client-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// ask runs the client in the lab's network as the stranger.
func (p prepared) ask(ctx context.Context, s site, statement string) outcome {
	argv := append([]string{"setpriv", "--reuid", stranger, "--regid", "nogroup", "--clear-groups",
		"env", "--chdir", p.dir, "-i"}, p.env...)
	argv = append(append(argv, p.argv...), statement)
	var stdout, stderr bytes.Buffer
	start := time.Now()
	code, err := s.Run(ctx, argv, lab.Stdio{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	if err != nil {
		stderr.WriteString(err.Error())
	}
	return outcome{stdout.String(), stderr.String(), code, time.Since(start)}
}

// exported is the connection that root has exported for the stranger.
func (s site) exported(t *testing.T, more ...string) pgha.Connection {
	t.Helper()
	dir := filepath.Join(openDir(t), "pg")
	args := append([]string{"connection", "--export", dir, "--owner", stranger, "--output", "json"},
		more...)
	got := s.cli(t, args...)
	var conn pgha.Connection
	if err := json.Unmarshal([]byte(got.stdout), &conn); err != nil || got.code != 0 {
		t.Fatalf("connection: %v, exit code %d: %s%s", err, got.code, got.stdout, got.stderr)
	}
	if _, err := user.Lookup(stranger); err != nil {
		t.Skip(err)
	}
	return conn
}

// installed prepares every client that is installed, and names the others.
func installed(t *testing.T, conn pgha.Connection, read bool) []prepared {
	t.Helper()
	var all []prepared
	for _, c := range clients() {
		if missing := c.missing(); missing != "" {
			t.Logf("%s is left out: %s is not installed", c.form, missing)
			continue
		}
		f, known := conn.Form(c.form)
		if !known || f.Missing != "" {
			t.Fatalf("there is no form %s: %s", c.form, f.Missing)
		}
		code := f.Write.Code
		if read {
			code = f.Read.Code
		}
		all = append(all, c.prepare(t, code, f.Environment))
	}
	return all
}

// testClients logs in with every string as it is printed, on both ways, before and after a
// switchover, as an account that may read nothing but what was exported for it; and as a role, and
// to a database, with names that need every escape.
func testClients(t *testing.T, s site) {
	conn := s.exported(t)
	ways := map[string][]prepared{"f": installed(t, conn, false), "t": installed(t, conn, true)}
	s.askAll(t, "before a switchover", "SELECT pg_is_in_recovery()", ways)
	if got := s.cli(t, "switchover", "--yes"); got.code != 0 {
		t.Fatalf("switchover: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.awaitHealthy(t)
	s.askAll(t, "after a switchover", "SELECT pg_is_in_recovery()", ways)

	const role, database = `it's "Jürgen" @:/%41?&=+;#\ ${x}`, `/shop #1 @ "it's" 100%+;=&?\ 表`
	const password = `a:b\c 'd' "e"`
	leader, _ := s.leader(t)
	run := func(sql string) { s.sql(t, leader, sql) }
	run("CREATE ROLE " + pgx.Identifier{role}.Sanitize() + " LOGIN PASSWORD E'" +
		strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password) + "'")
	run("CREATE DATABASE " + pgx.Identifier{database}.Sanitize())
	hostile := s.exported(t, "--role", role, "--database", database)
	line := strings.NewReplacer(`\`, `\\`, ":", `\:`)
	giveFile(t, hostile.PassFile, "*:*:*:"+line.Replace(role)+":"+line.Replace(password)+"\n")
	giveFile(t, hostile.PasswordFile, password+"\n")
	// asyncpg 0.27 does not take the escapes out of a password file (findings).
	hostiles := slices.DeleteFunc(installed(t, hostile, false), func(p prepared) bool {
		return p.form == "asyncpg"
	})
	s.askAll(t, "hostile names", "SELECT current_database() <> '"+
		strings.ReplaceAll(database, "'", "''")+"' OR current_user <> '"+
		strings.ReplaceAll(role, "'", "''")+"'",
		map[string][]prepared{"f": hostiles})
	run("DROP DATABASE " + pgx.Identifier{database}.Sanitize())
	run("DROP ROLE " + pgx.Identifier{role}.Sanitize())
}

// giveFile writes a file that the stranger alone may read.
func giveFile(t *testing.T, path, content string) {
	t.Helper()
	writeFile(t, path, []byte(content))
	if out, err := exec.Command("chown", stranger, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// askAll asks with every client, some at the same time; the ways are named by the answer that is
// wanted.
func (s site) askAll(t *testing.T, when, statement string, ways map[string][]prepared) {
	t.Helper()
	var wg sync.WaitGroup
	turns := make(chan struct{}, 4) // a slow machine would run none of them in time
	for want, all := range ways {
		for _, p := range all {
			wg.Go(func() {
				turns <- struct{}{}
				defer func() { <-turns }()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				got := p.ask(ctx, s, statement)
				if got.code != 0 || strings.TrimSpace(got.stdout) != want {
					t.Errorf("%s, %s: got %q, want %q, exit code %d\n%s", when, p.form,
						strings.TrimSpace(got.stdout), want, got.code, got.stderr)
				}
				t.Logf("%s, %s answers %s in %s", when, p.form, want,
					got.took.Round(10*time.Millisecond))
			})
		}
	}
	wg.Wait()
}

// waiting are clients of which each has a statement that waits for its answer.
type waiting struct {
	conn  pgha.Connection
	ends  chan ended
	n     int
	alone bool // nobody answers in the place of what has died
}

// ended is a client whose statement has ended.
type ended struct {
	form string
	outcome
	at time.Time
}

// wait starts a long statement with every client that comes through the address, and returns when
// all of them run.
func (s site) wait(t *testing.T) *waiting {
	t.Helper()
	w := &waiting{conn: s.exported(t), ends: make(chan ended, len(clients()))}
	var slow []prepared // they end what is only slow, so that their time has begun
	for _, p := range installed(t, w.conn, false) {
		switch f, _ := w.conn.Form(p.form); {
		case strings.HasSuffix(p.form, "multi-host"):
		case f.Limits.Slow:
			slow = append(slow, p)
		default:
			w.start(t, s, p)
		}
	}
	w.awaitRunning(t, s)
	for _, p := range slow {
		w.start(t, s, p)
	}
	w.awaitRunning(t, s)
	return w
}

func (w *waiting) start(t *testing.T, s site, p prepared) {
	w.n++
	go func() {
		got := p.ask(t.Context(), s, "SELECT 1 FROM pg_sleep(600)")
		w.ends <- ended{p.form, got, time.Now()}
	}()
}

func (w *waiting) awaitRunning(t *testing.T, s site) {
	t.Helper()
	leader, _ := s.leader(t)
	await(t, time.Minute, "the statements to run", func() (bool, string) {
		got := s.sql(t, leader,
			"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%FROM pg_sleep(600)'")
		return got == strconv.Itoa(w.n), got
	})
}

// end wants every statement to have ended with an error soon after a moment: within the client's
// own limit where nobody answers, else within deadWithin.
func (w *waiting) end(t *testing.T, since time.Time) {
	t.Helper()
	for range w.n {
		end := <-w.ends
		waited, within := end.at.Sub(since), deadWithin
		if f, _ := w.conn.Form(end.form); w.alone {
			within = time.Duration(f.Limits.Waiting)*time.Second + 10*time.Second
		}
		said := strings.Split(strings.TrimSpace(end.stderr), "\n")
		t.Logf("%s ended after %s: %s", end.form, waited.Round(100*time.Millisecond),
			said[len(said)-1])
		if waited > within || end.code == 0 {
			t.Errorf("%s waited for %s and ended with %d:\n%s", end.form, waited, end.code,
				end.stderr)
		}
	}
}
