package labtest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestAccess changes, on one running cluster of hosts by name, who may log in, what sessions meet
// there, and what members promise.
func TestAccess(t *testing.T) {
	t.Parallel()
	s := newSite(t, startLab(t, lab.Options{Name: "access-test", Installed: true}),
		// How long a switchover takes on this machine is not what is tried here.
		func(text string) string { return byName(text) + "slo: {switchover: 1m}\n" })
	s.apply(t, pgha.ApplyOptions{})
	for _, part := range []struct {
		name string
		test func(*testing.T, site)
	}{
		{"names", testNames},
		{"client networks", testClientNetworks},
		{"everybody rejected", testEverybodyRejected},
		{"a rule that PostgreSQL refuses", testRuleRefused},
		{"settings around", testSettingsAround},
		{"tags", testTags},
	} {
		if !runPart(t, part.name, func(t *testing.T) { part.test(t, s) }) {
			return
		}
	}
}

// change edits the specification's file.
func (s site) change(t *testing.T, changes ...spec.Change) {
	t.Helper()
	text, err := spec.Edit([]byte(s.text(t)), changes)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.specFile, text)
}

// clientScript asks the address for TLS from a source address that the host gets for it, and says
// what came of it.
const clientScript = `ip addr add $1/32 dev lo 2>/dev/null
python3 - $1 $2 $3 <<'END'
import socket, sys
source, to, port = sys.argv[1:]
try:
    s = socket.create_connection((to, int(port)), 5, (source, 0))
    s.sendall(bytes.fromhex("0000000804d2162f"))
    print("let in" if s.recv(1) == b"S" else "refused")
except OSError as e:
    print("refused" if isinstance(e, ConnectionResetError) else e)
END`

// testClientNetworks comes to the address from a network of the specification, which the balancers
// are not in, and from another one.
func testClientNetworks(t *testing.T, s site) {
	s.change(t, spec.Change{Path: []string{"postgresql", "client_networks", "-"},
		Value: "10.1.0.0/16"})
	s.apply(t, pgha.ApplyOptions{})
	s.applyNothing(t)
	s.verify(t)
	sp := s.spec(t)
	client := s.databases()[2]
	for _, h := range sp.Balancers() {
		s.mustInHost(t, h.Name,
			fmt.Sprintf(
				"ip route replace 10.1.0.0/16 via %s && ip route replace 10.2.0.0/16 via %s",
				client.Address, client.Address))
	}
	for source, want := range map[string]string{"10.1.0.9": "let in", "10.2.0.9": "refused",
		client.Address: "let in"} {
		for _, port := range []int{sp.Balancer.WritePort, sp.Balancer.ReadPort} {
			out, _ := s.inHost(t, client.Name, fmt.Sprintf("set -- %s %s %d\n%s", source,
				sp.VIP.Address,
				port, clientScript))
			if got := strings.TrimSpace(out); got != want {
				t.Errorf("from %s to port %d: %s, want %s", source, port, got, want)
			}
		}
	}
}

// testEverybodyRejected has a line of the operator's that keeps everybody out.
func testEverybodyRejected(t *testing.T, s site) {
	s.change(t, spec.Change{Path: []string{"postgresql", "pg_hba", "-"},
		Value: "host all all 0.0.0.0/0 reject"})
	s.apply(t, pgha.ApplyOptions{})
	s.verify(t)
}

// testRuleRefused has a line that only PostgreSQL finds wrong, by its regular expression: it is
// told before any host is touched.
func testRuleRefused(t *testing.T, s site) {
	good := s.text(t)
	s.change(t, spec.Change{
		Path:  []string{"postgresql", "pg_hba", "-"},
		Value: "hostssl all /( 10.3.0.0/16 scram-sha-256",
	})
	refused := s.cli(t, "apply")
	if refused.code != 3 || !strings.Contains(refused.stderr, "parentheses () not balanced") {
		t.Errorf("apply: exit code %d\n%s", refused.code, refused.stderr)
	}
	for _, h := range s.databases() {
		if _, code := s.inHost(t, h.Name, "grep -F '/(' /etc/patroni/config.yml"); code == 0 {
			t.Errorf("%s has the line", h.Name)
		}
	}
	writeFile(t, s.specFile, []byte(good))
	s.applyNothing(t)
}

// testSettingsAround sets for databases what would lead a session astray that doesn't say what it
// needs. What would keep Patroni itself out (transaction_timeout, a serializable default) is left
// to the unit tests.
func testSettingsAround(t *testing.T, s site) {
	settings := []string{"default_transaction_read_only = on", "search_path = nowhere",
		"statement_timeout = '1ms'",
		"lock_timeout = '1ms'", "idle_in_transaction_session_timeout = '1ms'",
		"datestyle = 'German'",
		"bytea_output = escape", "intervalstyle = sql_standard", "timezone = 'Pacific/Apia'",
		"client_encoding = latin1",
		"standard_conforming_strings = off", "row_security = off", "extra_float_digits = -15",
		"quote_all_identifiers = on"}
	run := func(sql string) {
		s.withSQL(t, func(conn *pgx.Conn) {
			if _, err := conn.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, database := range []string{"postgres", "template1"} {
		for _, setting := range settings {
			run("ALTER DATABASE " + database + " SET " + setting)
		}
	}
	defer func() {
		for _, database := range []string{"postgres", "template1"} {
			run("ALTER DATABASE " + database + " RESET ALL")
		}
	}()
	s.environment = append(s.environment, "PGTARGETSESSIONATTRS=standby", "PGSERVICE=none such",
		"PGPORT=1", "PGSSLROOTCERT=/nonexistent",
		"PGOPTIONS=-c statement_timeout=1", "PGHOST=192.0.2.1", "PGUSER=nobody",
		"PGSSLMODE=none such",
		"PGCHANNELBINDING=require")
	s.mustInHost(t, s.databases()[0].Name, "printf 'PGPORT=1\nPGOPTIONS=-cstatement_timeout=1\n' "+
		">>/etc/environment")
	// doctor's remedy drops it
	run("BEGIN READ WRITE; CREATE TABLE public.pgha_verify_left (i int); COMMIT")
	if got := s.cli(t, "doctor", "--fix", "leftover-table", "--yes"); got.code != 0 {
		t.Errorf("doctor --fix: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, args := range [][]string{
		{"verify"}, {"doctor"}, {"query", "SELECT 1"}, {"switchover", "--yes"}, {"apply"},
		{"verify", "--deep", "--yes"},
	} {
		if got := s.cli(t, args...); got.code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", strings.Join(args, " "), got.code, got.stdout,
				got.stderr)
		}
	}
}

// testTags gives the replicas tags by which the cluster is no star any more.
func testTags(t *testing.T, s site) {
	leader, _ := s.leader(t)
	var replicas []spec.Host
	for _, h := range s.spec(t).Databases() {
		if h.Member != leader {
			replicas = append(replicas, h)
		}
	}
	original := s.text(t)
	for _, tags := range []map[string]any{
		{"noloadbalance": true}, {"replicatefrom": replicas[0].Member},
		{"nofailover": true, "nosync": true}, {"clonefrom": true, "failover_priority": 2},
		{"nostream": true},
	} {
		sp := s.spec(t)
		if tags["nostream"] == true {
			sp.PostgreSQL.Parameters["restore_command"] = "cp /nonexistent/%f %p"
		}
		for i, h := range sp.Hosts {
			if h.Name == replicas[1].Name {
				sp.Hosts[i].Tags = tags
			}
		}
		text, err := sp.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, s.specFile, text)
		s.apply(t, pgha.ApplyOptions{})
		s.awaitHealthy(t)
		s.verify(t)
		if got := s.cli(t, "doctor"); got.code != 0 {
			t.Errorf("doctor with %v: exit code %d\n%s", tags, got.code, got.stdout)
		}
		writeFile(t, s.specFile, []byte(original))
	}
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
}

func (s site) text(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.specFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// withSQL opens a session of the toolkit's kind through the address.
func (s site) withSQL(t *testing.T, f func(*pgx.Conn)) {
	t.Helper()
	s.with(t, pgha.ConnectOptions{}, func(c *pgha.Cluster) {
		cfg, err := c.ConnConfig()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.ConnectConfig(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		f(conn)
	})
}
