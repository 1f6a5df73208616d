package labtest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
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
	"github.com/pgha/toolkit/pgha/probe"
)

// TestPooler puts a pooler in front of a cluster that runs, and looks at it as its clients do: with
// every string that is printed for them, while the leadership moves, and while the one who moves it
// is killed. Then it takes the pooler away again.
func TestPooler(t *testing.T) {
	t.Parallel()
	wantTime(t, 9*time.Minute)
	s := newSite(t, startLab(t, lab.Options{Name: "e2e-pooler", Installed: true}),
		func(text string) string { // a busy machine keeps no promise in seconds
			return text + "slo: {failover: 90s, switchover: 30s, lost_rows: 0}\n"
		})
	s.apply(t, pgha.ApplyOptions{})
	plain, err := os.ReadFile(s.specFile)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.specFile, append(slices.Clone(plain), "pooler: {stats_roles: [metrics]}\n"...))
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	s.applyNothing(t)
	for _, p := range []part{
		{"strings", testPoolStrings}, {"refused", testPoolRefuses}, {"statistics", testPoolStatistics},
		{"held switchover", testHeldSwitchover}, {"held restart", testHeldRestart},
		{"password", rare(testPoolPassword)}, {"drills", rare(testPoolDrills)},
		{"held reboot", rare(testHeldReboot)}, {"readers", rare(testKilledWhileReadersHeld)},
		{"removed database", rare(testPoolRemovedDatabase)}, {"busy", testBusyPool},
		{"killed", testKilledWhileHeld}, {"hangs", testPoolHangs},
	} {
		runPart(t, p.name, func(t *testing.T) {
			s.awaitHealthy(t)
			p.run(t, s)
			s.awaitHealthy(t)
		})
	}
	s.verify(t)
	writeFile(t, s.specFile, plain)
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	s.applyNothing(t)
	for _, h := range s.Hosts() {
		if left, _ := s.inHost(t, h.Name, "ls -d /etc/systemd/system/pgha-pooler* "+
			"/etc/pgha-pooler/users.txt 2>/dev/null; ss -Hltn 'sport = 6432'"); left != "" {
			t.Errorf("%s has still:\n%s", h.Name, left)
		}
	}
}

// testPoolStrings logs in with each string as it is printed, before and after a switchover.
func testPoolStrings(t *testing.T, s site) {
	conn := s.exported(t, "--pool")
	ways := map[string][]prepared{}
	for want, read := range map[string]bool{"f": false, "t": true} {
		for _, c := range clients() {
			f, _ := conn.Form(c.form)
			code := f.Write.Code
			if read {
				code = f.Read.Code
			}
			if missing := c.missing(); missing != "" || f.Missing != "" {
				t.Logf("%s is left out: %s%s", c.form, missing, f.Missing)
				continue
			}
			ways[want] = append(ways[want], c.prepare(t, code, f.Environment))
		}
	}
	s.askAll(t, "through the pooler", "SELECT pg_is_in_recovery()", ways)
	if got := s.cli(t, "switchover", "--yes"); got.code != 0 {
		t.Fatalf("switchover: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.awaitHealthy(t)
	s.askAll(t, "after a switchover", "SELECT pg_is_in_recovery()", ways)
}

// poolDSN is the string for psql to a port of the pooler's, with something else in it.
func (s site) poolDSN(t *testing.T, more ...string) string {
	t.Helper()
	got := s.cli(t, append([]string{"connection", "--pool", "--form", "psql"}, more...)...)
	if got.code != 0 {
		t.Fatalf("connection: %s%s", got.stdout, got.stderr)
	}
	return strings.TrimSpace(got.stdout)
}

// inLab runs a program of this machine in the lab's network.
func (s site) inLab(ctx context.Context, t *testing.T, argv ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code, err := s.Run(ctx, argv, lab.Stdio{In: strings.NewReader(""), Out: &out, Err: &out})
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), code
}

// testPoolRefuses tries every way in that there must not be.
func testPoolRefuses(t *testing.T, s site) {
	secret, err := os.ReadFile(filepath.Join(s.StateDir(), "secrets", "pooler"))
	if err != nil {
		t.Fatal(err)
	}
	for _, read := range []bool{false, true} {
		var more []string
		if read {
			more = []string{"--read"}
		}
		dsn := s.poolDSN(t, more...)
		for what, c := range map[string]struct{ from, to, sql, want string }{
			"without TLS":      {"sslmode=verify-full", "sslmode=disable", "SELECT 1", "SSL required"},
			"an unknown role":  {"user=postgres", "user=nobody", "SELECT 1", "no such user"},
			"a wrong password": {" passfile=", " password=wrong passfile=", "SELECT 1", "SASL"},
			"the lookup role": {"user=postgres", "password=" + string(secret) + " user=pgha_pooler",
				"SELECT 1", "rejected"},
			"the replication role": {"user=postgres", "user=replicator", "SELECT 1", "rejected"},
			"the console":          {"dbname=postgres", "dbname=pgbouncer", "SHOW VERSION", "FATAL"},
			"the lookups":          {"dbname=postgres", "dbname=pgha_lookup", "SELECT 1", "rejected"},
		} {
			out, code := s.inLab(t.Context(), t, "psql", "-XAtc", c.sql, edited(t, dsn, c.from, c.to))
			if code == 0 || !strings.Contains(out, c.want) {
				t.Errorf("%s, read %v: exit code %d, want %q\n%s", what, read, code, c.want, out)
			}
		}
	}
	// Past the pooler the role gets in, from the balancers alone, and can do nothing.
	got := s.cli(t, "connection", "--form", "psql")
	direct := edited(t, strings.TrimSpace(got.stdout), "user=postgres", "password="+string(secret)+
		" user=pgha_pooler")
	for sql, want := range map[string]string{
		"SELECT count(*) FROM pg_authid":                       "permission denied",
		"SELECT count(*) FROM pgha_pooler.lookup('nobody')":    "0",
		"SELECT secret FROM pgha_pooler.lookup('pgha_pooler')": "",
		"SELECT lo_create(0); CREATE TABLE public.x ()":        "permission denied",
	} {
		if out, _ := s.inLab(t.Context(), t, "psql", "-XAtc", sql, direct); !strings.Contains(out,
			want) || want == "" && strings.TrimSpace(out) != "" {
			t.Errorf("%s: %q, want %q", sql, out, want)
		}
	}
	if out, code := s.inLab(t.Context(), t, "psql", "-XAtc", "SELECT 1", edited(t, direct,
		"dbname=postgres", "dbname=template1")); code == 0 {
		t.Errorf("the lookup role gets into another database: %s", out)
	}
}

// testPoolStatistics reads them as a monitoring would: from each balancer, over TLS that is
// verified, with a role that may do nothing else there.
func testPoolStatistics(t *testing.T, s site) {
	leader, _ := s.leader(t)
	s.sql(t, leader, "CREATE ROLE metrics LOGIN PASSWORD 'figures'")
	defer s.sql(t, leader, "DROP ROLE metrics")
	vip := s.status(t).VIP.Address
	for _, read := range []string{"--read=false", "--read"} {
		dsn := edited(t, s.poolDSN(t, read), "user=postgres", "password=figures user=metrics")
		console := edited(t, dsn, "dbname=postgres", "dbname=pgbouncer")
		for _, h := range s.Hosts() {
			if h.Role != lab.RoleBalancer {
				continue
			}
			there := edited(t, console, vip, h.Address)
			for _, sql := range []string{"SHOW STATS", "SHOW POOLS", "SHOW DATABASES"} {
				out, code := s.inLab(t.Context(), t, "psql", "-XAtc", sql, there)
				if code != 0 || !strings.Contains(out, "pgha_lookup|") {
					t.Errorf("%s on %s: exit code %d\n%s", sql, h.Name, code, out)
				}
			}
			for _, sql := range []string{"PAUSE", "RELOAD", "SET max_client_conn = 1"} {
				if out, code := s.inLab(t.Context(), t, "psql", "-XAtc", sql, there); code == 0 ||
					!strings.Contains(out, "admin") {
					t.Errorf("%s on %s: exit code %d\n%s", sql, h.Name, code, out)
				}
			}
		}
		for what, c := range map[string]struct{ from, to, want string }{
			"without TLS":      {"sslmode=verify-full", "sslmode=disable", "SSL required"},
			"a wrong password": {"password=figures", "password=wrong", "SASL"},
			"another role":     {"password=figures user=metrics", "user=postgres", "FATAL"},
		} {
			out, code := s.inLab(t.Context(), t, "psql", "-XAtc", "SHOW STATS", edited(t, console,
				c.from, c.to))
			if code == 0 || !strings.Contains(out, c.want) {
				t.Errorf("%s: exit code %d, want %q\n%s", what, code, c.want, out)
			}
		}
	}
}

// benchBound bounds a run of pgbench, whatever it has been told.
const benchBound = 9 * time.Minute

// bench runs pgbench through both ports of the pooler while something is done, and fails the test
// for each error that a client saw. It tells the longest transaction of each port.
func (s site) bench(t *testing.T, clients int, during func(), flags ...string) {
	t.Helper()
	leader, _ := s.leader(t)
	s.sql(t, leader, "CREATE TABLE IF NOT EXISTS public.pool_bench AS SELECT g AS id, 0 AS n "+
		"FROM generate_series(1, 100) g")
	ctx, cancel := context.WithTimeout(t.Context(), benchBound)
	defer cancel()
	running := []*pgbench{
		{name: "writes", statement: "UPDATE pool_bench SET n = n + 1 WHERE id = :i;",
			dsn: s.poolDSN(t), log: filepath.Join(openDir(t), "log")},
		{name: "reads", statement: "SELECT n FROM pool_bench WHERE id = :i;",
			dsn: s.poolDSN(t, "--read"), log: filepath.Join(openDir(t), "log")},
	}
	var wg sync.WaitGroup
	for _, b := range running {
		script := filepath.Join(filepath.Dir(b.log), "script")
		writeFile(t, script, []byte("\\set i random(1, 100)\n"+b.statement+"\n"))
		// It ends by itself; nothing else ends it without an error.
		argv := append([]string{"pgbench", "-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j",
			"2", "-T", "60", "-l", "--log-prefix=" + b.log, "-f", script}, flags...)
		argv = append(argv, b.dsn)
		wg.Go(func() { b.out, b.code = s.inLab(ctx, t, argv...) })
	}
	for _, b := range running {
		await(t, time.Minute, "pgbench to be under way", func() (bool, string) {
			return len(b.transactions(t)) > 0, b.name
		})
	}
	during()
	wg.Wait()
	for _, b := range running {
		if b.code != 0 || !strings.Contains(b.out, "number of failed transactions: 0 ") ||
			strings.Contains(b.out, "aborted") {
			t.Errorf("%s: clients saw errors: exit code %d\n%s", b.name, b.code, b.out)
		}
		t.Logf("%s: the longest transaction took %s", b.name, slices.Max(b.transactions(t)))
	}
}

// pgbench is a run of it.
type pgbench struct {
	name, statement, dsn, log, out string
	code                           int
}

// transactions are how long each took that it has logged.
func (b *pgbench) transactions(t *testing.T) []time.Duration {
	t.Helper()
	var all []time.Duration
	logs, _ := filepath.Glob(b.log + ".*")
	for _, l := range logs {
		for line := range strings.Lines(string(must(os.ReadFile(l))(t))) {
			if f := strings.Fields(line); len(f) > 2 {
				us, _ := strconv.Atoi(f[2])
				all = append(all, time.Duration(us)*time.Microsecond)
			}
		}
	}
	return all
}

// testHeldSwitchover moves the leadership under load, on both ports.
func testHeldSwitchover(t *testing.T, s site) {
	s.bench(t, 20, func() {
		got := s.cli(t, "switchover", "--yes")
		if got.code != 0 || !strings.Contains(got.stdout, "clients of the poolers held for") {
			t.Errorf("switchover: %d\n%s%s", got.code, got.stdout, got.stderr)
		}
		t.Logf("%s", firstLine(got.stdout))
		s.awaitHealthy(t)
	})
}

// testHeldRestart restarts all members where they are, the leader last, under load on both ports.
func testHeldRestart(t *testing.T, s site) {
	s.bench(t, 20, func() {
		if got := s.cli(t, "restart", "--yes"); got.code != 0 {
			t.Errorf("restart: %d\n%s%s", got.code, got.stdout, got.stderr)
		}
		s.awaitHealthy(t)
	})
}

// testHeldReboot reboots all hosts of databases under load on both ports, the leader's behind a
// switchover: neither port has an error.
func testHeldReboot(t *testing.T, s site) {
	const load = 3 * time.Minute
	s.bench(t, 10, func() {
		began := time.Now()
		args := []string{"rolling-reboot", "--yes"}
		for _, h := range s.Hosts() {
			if h.Role == lab.RoleDatabase {
				args = append(args, h.Name)
			}
		}
		if got := s.cli(t, args...); got.code != 0 {
			t.Errorf("rolling-reboot: %d\n%s%s", got.code, got.stdout, got.stderr)
		}
		s.awaitHealthy(t)
		took := time.Since(began)
		if took > load {
			t.Errorf("it took %s, and clients were there for %s", took, load)
		}
		t.Logf("all hosts of databases rebooted in %s", took.Round(time.Second))
	}, "-T", strconv.Itoa(int(load.Seconds())))
}

// testKilledWhileReadersHeld kills a restart of a replica while the readers are held for it: they
// go on within ten seconds.
func testKilledWhileReadersHeld(t *testing.T, s site) {
	// A login waits, too, and psql's own limit is shorter.
	dsn := s.poolDSN(t, "--read") + " connect_timeout=30"
	killed := s.killed(t, "holding the readers of the poolers", 300*time.Millisecond, "restart",
		"--role", "replica", "--yes")
	if out, code := s.inLab(t.Context(), t, "psql", "-XAtc", "SELECT 1", dsn); code != 0 {
		t.Errorf("a reader's login: %s", out)
	}
	served := time.Since(killed)
	t.Logf("readers go on %s after it was killed", served.Round(10*time.Millisecond))
	if served > 10500*time.Millisecond {
		t.Errorf("readers go on only after %s", served)
	}
	await(t, 15*time.Second, "nobody to be held", func() (bool, string) {
		held := s.held(t)
		return len(held) == 0, fmt.Sprint(held)
	})
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// testPoolPassword replaces the lookup role's password under clients that log in all the time, on
// both ports. The old one opens nothing then, and poolers that have to log in again do so with the
// new one.
func testPoolPassword(t *testing.T, s site) {
	file := filepath.Join(s.StateDir(), "secrets", "pooler")
	old := must(os.ReadFile(file))(t)
	s.bench(t, 8, func() {
		if got := s.cli(t, "secrets", "rotate", "pooler", "--yes"); got.code != 0 {
			t.Errorf("secrets rotate: %d\n%s%s", got.code, got.stdout, got.stderr)
		}
	}, "-C")
	if again := must(os.ReadFile(file))(t); bytes.Equal(again, old) {
		t.Error("the password is the old one")
	}
	direct := strings.TrimSpace(s.cli(t, "connection", "--form", "psql").stdout)
	if out, code := s.inLab(t.Context(), t, "psql", "-XAtc", "SELECT 1", edited(t, direct,
		"user=postgres", "password="+string(old)+" user=pgha_pooler")); code == 0 {
		t.Errorf("the old password gets in: %s", out)
	}
	for _, h := range s.Hosts() {
		if h.Role == lab.RoleBalancer {
			s.mustInHost(t, h.Name, "systemctl restart pgha-pooler-write pgha-pooler-read")
		}
	}
	s.awaitHealthy(t)
	for _, more := range [][]string{nil, {"--read"}} {
		if out, code := s.inLab(t.Context(), t, "psql", "-XAtc", "SELECT 1",
			s.poolDSN(t, more...)); code != 0 {
			t.Errorf("after poolers were restarted: %s", out)
		}
	}
	s.applyNothing(t)
}

// testPoolDrills practises what is about the pooler, and something else through it.
func testPoolDrills(t *testing.T, s site) {
	for _, drill := range [][]string{{"switchover-pooled", "pooler-killed", "pooler-hangs"},
		{"--through", "pool", "haproxy-killed"}} {
		got := s.cli(t, append([]string{"drill"}, drill...)...)
		if got.code != 0 {
			t.Errorf("drill %s: %d\n%s%s", drill, got.code, got.stdout, got.stderr)
		}
		t.Logf("\n%s", got.stdout)
	}
}

// testBusyPool has a transaction open: a switchover is refused, and nobody stays held.
func testBusyPool(t *testing.T, s site) {
	conn := s.poolSession(t)
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	leader, _ := s.leader(t)
	got := s.cli(t, "switchover", "--yes")
	if got.code == 0 || !strings.Contains(got.stderr, "does not end") {
		t.Errorf("switchover: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if now, _ := s.leader(t); now != leader {
		t.Errorf("%s leads, %s did", now, leader)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Errorf("the transaction: %v", err)
	}
	if held := s.held(t); len(held) > 0 {
		t.Errorf("still held: %v", held)
	}
}

// testPoolRemovedDatabase drops a database that a client of the pooler has a session with: it is
// refused while the client, or the pooler behind it, has one, and done afterwards.
func testPoolRemovedDatabase(t *testing.T, s site) {
	before := must(os.ReadFile(s.specFile))(t)
	defer s.apply(t, pgha.ApplyOptions{})
	defer writeFile(t, s.specFile, before)
	with := func(database string) {
		writeFile(t, s.specFile, append(slices.Clone(before), "databases: ["+database+"]\n"...))
	}
	with("{name: leaving}")
	s.apply(t, pgha.ApplyOptions{})
	cfg := s.poolConfig(t)
	cfg.Database = "leaving"
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err == nil {
		_, err = conn.Exec(t.Context(), "SELECT pg_current_xact_id()")
	}
	if err != nil {
		t.Fatal(err)
	}
	with("{name: leaving, ensure: absent}")
	if got := s.cli(t, "apply", "--yes"); got.code == 0 || !strings.Contains(got.stderr,
		"database leaving is in use") {
		t.Errorf("apply with a client there: %d\n%s", got.code, got.stderr)
	}
	if _, err := conn.Exec(t.Context(), "SELECT pg_current_xact_id()"); err != nil {
		t.Errorf("the client after the refusal: %v", err)
	}
	_ = conn.Close(t.Context())
	await(t, 3*time.Minute, "the pooler to let go of its sessions", func() (bool, string) {
		got := s.cli(t, "apply", "--yes")
		return got.code == 0, got.stderr
	})
	if _, err := pgx.ConnectConfig(t.Context(), cfg); err == nil {
		t.Error("a client logs in to a database that is gone")
	}
}

// poolSession is a session through the pooler, by pgx with what it is told.
func (s site) poolSession(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), s.poolConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func (s site) poolConfig(t *testing.T) *pgx.ConnConfig {
	t.Helper()
	got := s.cli(t, "connection", "--pool", "--form", "pgx")
	cfg, err := pgx.ParseConfig(strings.TrimSpace(got.stdout))
	if err != nil {
		t.Fatal(err)
	}
	cfg.DialFunc = s.DialContext
	return cfg
}

// held are the poolers that status calls paused.
func (s site) held(t *testing.T) []string {
	t.Helper()
	var held []string
	for _, p := range s.status(t).Poolers {
		if p.Paused {
			held = append(held, p.Host+" "+p.Purpose)
		}
	}
	return held
}

// heldMoments are when the tool is killed: so long after it began to hold clients. A soak has
// twenty.
func heldMoments() []time.Duration {
	if !soak() {
		return []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond,
			700 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second}
	}
	var all []time.Duration
	for i := range time.Duration(20) {
		all = append(all, i*i*10*time.Millisecond) // 0 to 3.6 s, most of them early
	}
	return all
}

// killed runs a command and kills it with SIGKILL so long after it says a line. It returns when.
func (s site) killed(t *testing.T, line string, moment time.Duration, args ...string) time.Time {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"--lab", "--lab-name", s.Name(), "--spec",
		s.specFile}, args...)...)
	out, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !said && strings.Contains(lines.Text(), line) {
			said = true
			time.Sleep(moment)
			_ = cmd.Process.Kill()
		}
	}
	at := time.Now()
	_ = cmd.Wait()
	if !said {
		t.Fatalf("%s did not say %q", args[0], line)
	}
	return at
}

// testKilledWhileHeld kills a switchover with SIGKILL at moments of its pause: writes flow again
// within ten seconds, whatever is left of the switchover, and status says that it was not brought
// to its end, until the next operation.
func testKilledWhileHeld(t *testing.T, s site) {
	for _, moment := range heldMoments() {
		s.awaitHealthy(t)
		w, err := probe.Start(t.Context(), probe.Options{Config: s.poolConfig(t)})
		if err != nil {
			t.Fatal(err)
		}
		killed := s.killed(t, "holding the clients of the poolers", moment, "switchover", "--yes")
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		err = w.WaitAcked(ctx, killed)
		cancel()
		flowing := time.Since(killed)
		result, stopErr := w.Stop(t.Context())
		if err != nil || stopErr != nil {
			t.Fatalf("killed after %s: %v, %v", moment, err, stopErr)
		}
		t.Logf("killed %s after it began to hold: writes flow %s later, the longest gap is %.1f s",
			moment, flowing.Round(10*time.Millisecond), result.Longest().Seconds)
		if flowing > 10500*time.Millisecond {
			t.Errorf("killed after %s: writes flow only after %s", moment, flowing)
		}
		await(t, 15*time.Second, "nobody to be held", func() (bool, string) {
			held := s.held(t)
			return len(held) == 0, fmt.Sprint(held)
		})
		await(t, time.Minute, "status to say what happened", func() (bool, string) {
			i := s.status(t).Interrupted
			return i != nil && i.Verb == "switchover" && i.Since.Before(killed), fmt.Sprint(i)
		})
		if said := s.cli(t, "status"); !strings.Contains(said.stdout, "was not brought to its end") {
			t.Errorf("killed after %s, and status says:\n%s", moment, said.stdout)
		}
	}
	s.awaitHealthy(t)
	if got := s.cli(t, "switchover", "--yes"); got.code != 0 {
		t.Errorf("switchover: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if i := s.status(t).Interrupted; i != nil {
		t.Errorf("another operation has ended, and status says: %s", i)
	}
}

// testPoolHangs stops the process of a pooler on the balancer that has the address, so that nobody
// answers there and the kernel takes connections: the address moves, and new sessions write.
func testPoolHangs(t *testing.T, s site) {
	holder := s.status(t).VIP.Holders[0]
	s.mustInHost(t, holder, "systemctl kill --signal=STOP pgha-pooler-write")
	start := time.Now()
	defer s.mustInHost(t, holder, "systemctl kill --signal=CONT pgha-pooler-write")
	await(t, 20*time.Second, "writes through another balancer's pooler", func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		conn, err := pgx.ConnectConfig(ctx, s.poolConfig(t))
		if err != nil {
			return false, err.Error()
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "SELECT pg_current_xact_id()")
		return err == nil, fmt.Sprint(err)
	})
	t.Logf("new sessions write %s after the pooler hung", time.Since(start).Round(100*time.Millisecond))
	if now := s.status(t).VIP.Holders; len(now) != 1 || now[0] == holder {
		t.Errorf("the address is held by %v, %s hangs", now, holder)
	}
}
