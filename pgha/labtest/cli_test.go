package labtest

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
)

// testPsql connects as an application of the lab's network does, with what the CLI prints.
func testPsql(t *testing.T, s site) {
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("psql is not installed: apt-get install postgresql-client")
	}
	printed := s.cli(t, "connection", "--output", "json")
	var conn pgha.Connection
	if err := json.Unmarshal([]byte(printed.stdout), &conn); err != nil || printed.code != 0 {
		t.Fatalf("connection: %v, exit code %d: %s%s", err, printed.code, printed.stdout,
			printed.stderr)
	}
	query := []string{"lab", "run", "--", "psql", "-X", "-At", "-c", "SELECT 1", "-d"}
	if got := s.cli(t, append(query, conn.DSN)...); got.code != 0 || got.stdout != "1\n" {
		t.Errorf("psql with the DSN: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := s.cli(t, append(query, conn.MultiHost)...); got.code != 0 || got.stdout != "1\n" {
		t.Errorf("psql with several hosts: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	got := s.cli(t, "psql", "-X", "-At", "-c", "SELECT pg_is_in_recovery()")
	if got.code != 0 || got.stdout != "f\n" {
		t.Errorf("pgha-cli psql: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	plain := strings.Replace(conn.DSN, "sslmode=verify-full", "sslmode=disable", 1)
	if plain == conn.DSN {
		t.Fatalf("the DSN does not ask for verify-full: %s", conn.DSN)
	}
	if got := s.cli(t, append(query, plain)...); got.code == 0 ||
		!strings.Contains(got.stderr, "no encryption") {
		t.Errorf("psql without TLS: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// testAnotherLab asks for a lab that is not there.
func testAnotherLab(t *testing.T) {
	got := runCLI(t, "--lab", "--lab-name", "e2e-nothere", "status")
	if got.code != 1 || !strings.Contains(got.stderr, "e2e-nothere") ||
		!strings.Contains(got.stderr, "hint:") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got.took > 3*time.Second {
		t.Errorf("it took %s: something was dialled", got.took)
	}
}
