package labtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/pgha"
)

// rolesSpec is what testRoles adds to the specification.
const rolesSpec = `roles:
  - {name: shop, settings: {statement_timeout: 30s}}
  - {name: metrics, member_of: [pg_monitor], connection_limit: 3}
  - {name: former, login: false}
databases:
  - {name: shop, owner: shop, schemas: [audit], extensions: [pg_trgm]}
  - {name: old, owner: former}
access:
  - {role: shop, database: shop}
`

// testRoles has apply make roles and databases, and mend what somebody changes of them by hand. A
// role logs in through the address, to its own database alone, and keeps its session while its
// password is replaced; what is in use is not dropped.
func testRoles(t *testing.T, s site) {
	before := s.text(t)
	leader, _ := s.leader(t)
	write := func(contents string) { writeFile(t, s.specFile, []byte(before+contents)) }
	write(rolesSpec)
	if plan := fmt.Sprint(s.plan(t, 2).Changes); !strings.Contains(plan, "shop.pg_trgm") {
		t.Errorf("plan: %s", plan)
	}
	s.apply(t, pgha.ApplyOptions{})
	s.applyNothing(t)
	for query, want := range map[string]string{
		"SELECT rolpassword ~ '^SCRAM-SHA-256' FROM pg_authid WHERE rolname = 'shop'":   "t",
		"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'":        "shop",
		"SELECT pg_has_role('metrics', 'pg_monitor', 'MEMBER')":                         "t",
		"SELECT rolconnlimit FROM pg_roles WHERE rolname = 'metrics'":                   "3",
		"SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'shop'::regrole::oid": "{statement_timeout=30s}",
	} {
		if got := s.sql(t, leader, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	t.Run("login", func(t *testing.T) { testRoleLogin(t, s) })
	t.Run("drift", func(t *testing.T) { testRoleDrift(t, s, leader) })
	t.Run("rotate", func(t *testing.T) { testRoleRotate(t, s) })
	t.Run("no connection left", func(t *testing.T) { testRoleExhausts(t, s, leader) })
	t.Run("absent", func(t *testing.T) { testRoleAbsent(t, s, leader, write) })
	writeFile(t, s.specFile, []byte(before))
	s.apply(t, pgha.ApplyOptions{})
	s.sql(t, leader, "DROP ROLE metrics")
}

// asRole logs in as role shop through the address, from no host of the cluster.
func (s site) asRole(t *testing.T, database string) (*pgx.Conn, error) {
	t.Helper()
	password, err := os.ReadFile(filepath.Join(s.spec(t).StateDir, "secrets", "role-shop"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.writerConfig(t)
	cfg.User, cfg.Password, cfg.Database = "shop", string(password), database
	return pgx.ConnectConfig(t.Context(), cfg)
}

func testRoleLogin(t *testing.T, s site) {
	conn, err := s.asRole(t, "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var timeout string
	if err := conn.QueryRow(t.Context(), "SHOW statement_timeout").Scan(&timeout); err != nil ||
		timeout != "30s" {
		t.Errorf("statement_timeout is %s, %v", timeout, err)
	}
	var refused *pgconn.PgError
	if _, err := s.asRole(t, "postgres"); !errors.As(err, &refused) || refused.Code != "28000" {
		t.Errorf("to another database: %v", err)
	}
}

func testRoleDrift(t *testing.T, s site, leader string) {
	s.sql(t, leader, "ALTER ROLE shop NOLOGIN")
	s.sql(t, leader, "ALTER ROLE metrics CONNECTION LIMIT 9 PASSWORD 'somebody else has set it'")
	s.sql(t, leader, "ALTER DATABASE shop OWNER TO postgres")
	t.Log(s.cli(t, "plan").stdout)
	plan := s.plan(t, 2)
	if got := fmt.Sprint(plan.Changes); len(plan.Changes) != 4 ||
		!strings.Contains(got, "-connection_limit: 9") || !strings.Contains(got, "-owner: postgres") {
		t.Errorf("plan: %s", got)
	}
	s.apply(t, pgha.ApplyOptions{})
	s.plan(t, 0)
	s.verify(t)
}

// testRoleRotate replaces the password while a session works.
func testRoleRotate(t *testing.T, s site) {
	conn, err := s.asRole(t, "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	old := conn.Config().Password
	s.verb(t, nil, "secrets", "rotate", "shop")
	if _, err := conn.Exec(t.Context(), "CREATE TABLE orders ()"); err != nil {
		t.Errorf("in the session that was open: %v", err)
	}
	again, err := s.asRole(t, "shop")
	if err != nil {
		t.Fatalf("with the new password: %v", err)
	}
	again.Close(t.Context())
	cfg := conn.Config()
	var refused *pgconn.PgError
	if _, err := pgx.ConnectConfig(t.Context(), cfg); !errors.As(err, &refused) ||
		refused.Code != "28P01" || again.Config().Password == old {
		t.Errorf("with the old password: %v", err)
	}
	s.plan(t, 0)
}

// testRoleExhausts takes every connection that the role can get: the toolkit and an administrator
// still get in.
func testRoleExhausts(t *testing.T, s site, leader string) {
	if kept := s.sql(t, leader, "SHOW superuser_reserved_connections"); kept != "10" {
		t.Fatalf("superuser_reserved_connections is %s", kept)
	}
	var open []*pgx.Conn
	defer func() {
		for _, conn := range open {
			conn.Close(t.Context())
		}
	}()
	for len(open) < 200 {
		conn, err := s.asRole(t, "shop")
		if err != nil {
			var refused *pgconn.PgError
			if !errors.As(err, &refused) || refused.Code != "53300" {
				t.Fatalf("after %d sessions: %v", len(open), err)
			}
			break
		}
		open = append(open, conn)
	}
	t.Logf("%d sessions of the role; patroni: %s", len(open), s.sql(t, leader,
		"SELECT string_agg(application_name, ', ') FROM pg_stat_activity "+
			"WHERE backend_type = 'client backend' AND usename = 'postgres'"))
	// Every check gets in; the one that fails tells what pg_rewind, which is no superuser, would
	// meet.
	if got := s.cli(t, "verify"); got.code == 0 || strings.Count(got.stdout, "✗ ") != 1 ||
		!strings.Contains(got.stdout, "✗ the hosts' password file opens replication") {
		t.Errorf("verify: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, args := range [][]string{{"status"}, {"query", "SELECT 1"},
		{"psql", "-c", "SELECT 1"}} {
		if got := s.cli(t, args...); got.code != 0 {
			t.Errorf("%v: exit code %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
	}
}

// testRoleAbsent drops what is not in use, and nothing else.
func testRoleAbsent(t *testing.T, s site, leader string, write func(string)) {
	refusedPlan := func(contents string, words ...string) {
		t.Helper()
		write(contents)
		got := s.cli(t, "plan")
		for _, w := range words {
			if got.code != 3 || !strings.Contains(got.stderr, w) {
				t.Errorf("exit code %d, want 3 and %q\n%s%s", got.code, w, got.stdout, got.stderr)
			}
		}
	}
	refusedPlan("roles: [{name: former, ensure: absent}]\n", "owns database old", "REASSIGN OWNED")
	refusedPlan("databases: [{name: shop, ensure: absent}]\n", "public.orders", "with_tables")
	idle, err := s.asRole(t, "shop")
	if err != nil {
		t.Fatal(err)
	}
	const all = "roles: [{name: former, ensure: absent}, {name: shop, ensure: absent}]\n" +
		"databases: [{name: shop, ensure: absent, with_tables: true}, {name: old, ensure: absent}]\n"
	refusedPlan(all, "role shop has 1 session", "shop from")
	idle.Close(t.Context())
	await(t, 10*time.Second, "the session to end", func() (bool, string) {
		n := s.sql(t, leader, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop'")
		return n == "0", n
	})
	s.apply(t, pgha.ApplyOptions{})
	if got := s.sql(t, leader, "SELECT count(*) FROM pg_database WHERE datname IN ('shop', 'old')"); got != "0" {
		t.Errorf("%s databases are left", got)
	}
	if got := s.sql(t, leader, "SELECT count(*) FROM pg_roles WHERE rolname IN ('shop', 'former')"); got != "0" {
		t.Errorf("%s roles are left", got)
	}
	if _, err := os.Stat(filepath.Join(s.spec(t).StateDir, "secrets", "role-shop")); err == nil {
		t.Error("the password of the role that was dropped is kept")
	}
	s.applyNothing(t)
}
