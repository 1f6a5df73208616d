package spec_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/etcdrelease"
	"github.com/pgha/toolkit/pgha/spec"
)

const minimal = "version: 1\nhosts:\n  - {name: db-1, address: 10.0.0.1, role: database}\n"

func parse(t *testing.T, name, text string) *spec.Spec {
	t.Helper()
	s, err := spec.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestExampleIsTheDefaults(t *testing.T) {
	t.Parallel()
	got := parse(t, "/srv/pgha.yaml", string(spec.Example()))
	want := spec.New()
	want.Timezone = "Europe/Madrid"
	want.StateDir = "/srv/postgresql-cluster.state"
	for i := range 3 {
		want.Hosts = append(want.Hosts, spec.Host{
			Name: fmt.Sprintf("postgres-0%d", i+1), Address: fmt.Sprintf("192.168.0.%d", 203+i),
			Role: spec.RoleDatabase, Member: fmt.Sprintf("postgresql-0%d", i+1),
		})
	}
	for i := range 3 {
		want.Hosts = append(want.Hosts, spec.Host{
			Name: fmt.Sprintf("haproxy-0%d", i+1), Address: fmt.Sprintf("192.168.0.%d", 200+i),
			Role: spec.RoleBalancer, Priority: 100 - 10*i,
		})
	}
	want.VIP = &spec.VIP{Address: "192.168.0.210"}
	if err := want.Complete(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestExampleFieldsExist uncomments every field that the example mentions: none may be unknown.
func TestExampleFieldsExist(t *testing.T) {
	t.Parallel()
	var lines []string
	for line := range strings.Lines(string(spec.Example())) {
		bare := strings.TrimLeft(line, " ")
		if field, ok := strings.CutPrefix(bare, "# "); ok &&
			strings.Contains(strings.Fields(field + " x")[0], ":") {
			line = line[:len(line)-len(bare)] + field
		}
		lines = append(lines, line)
	}
	_, err := spec.Parse("pgha.yaml", []byte(strings.Join(lines, "")))
	var all *spec.Errors
	if !errors.As(err, &all) {
		t.Fatalf("the files that the example names exist? %v", err)
	}
	for _, e := range all.List {
		if strings.Contains(e.Problem, "unknown") || strings.Contains(e.Problem, "YAML") {
			t.Error(e)
		}
	}
}

func TestMinimal(t *testing.T) {
	t.Parallel()
	s := parse(t, "/srv/pgha.yaml", minimal)
	if s.Hosts[0].Member != "db-1" || s.VIP != nil || s.Patroni.TTL != 30*time.Second ||
		s.Etcd.Version != etcdrelease.Default {
		t.Errorf("wrong defaults: %+v", s.Hosts[0])
	}
	if s.PostgreSQL.Parameters["max_connections"] != 100 ||
		s.PostgreSQL.Parameters["shared_buffers"] != "256MB" {
		t.Errorf("wrong parameters: %v", s.PostgreSQL.Parameters)
	}
}

func TestProfileGivesDefaultsOnly(t *testing.T) {
	t.Parallel()
	p := parse(t, "x", minimal+"patroni: {profile: fast, ttl: 25, retry_timeout: 6s}\n").Patroni
	if p.TTL != 25*time.Second || p.LoopWait != 10*time.Second || p.RetryTimeout != 6*time.Second ||
		*p.PrimaryStartTimeout != 10*time.Second {
		t.Errorf("got %s %s %s %s", p.TTL, p.LoopWait, p.RetryTimeout, *p.PrimaryStartTimeout)
	}
	if p := parse(t, "x",
		minimal+"patroni: {primary_start_timeout: 0}\n").Patroni; *p.PrimaryStartTimeout != 0 {
		t.Errorf("a zero that was asked for became %s", *p.PrimaryStartTimeout)
	}
}

// everything uses every field, with values that differ from the defaults.
const everything = `version: 1
cluster: main
timezone: Etc/UTC
state_dir: state
ssh: {user: admin, port: 2222, identity_files: [key], agent: false, known_hosts: known, host_keys: accept-new, jump: me@bastion:23, connect_timeout: 5s, max_sessions: 4, passphrase_file: password, sudo_password_command: [sh, -c, echo $SUDO]}
hosts:
  - name: db-1
    address: fd00::1
    role: database
    member: pg-1
    tags: {clonefrom: true, failover_priority: 2, room: 2024-01-01, rack: "7"}
    dns_names: [db.example.com]
    ssh: {user: root, port: 22, host_key: "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", jump: none, address: db-1.example.com}
  - {name: lb-1, address: "fd00::11", role: balancer, priority: 10, interface: eth0}
  - {name: lb-2, address: "fd00::12", role: balancer}
postgresql:
  version: 17
  source: mirror
  repository: {url: "https://mirror.example.com/pg", key_file: repository.asc, suite: trixie-pgdg}
  port: 5433
  data_dir: /srv/pg/data
  superuser: admin
  replication_user: repl
  rewind_user: rewind
  encoding: LATIN1
  locale: C
  data_checksums: false
  parameters: {work_mem: 8MB, max_connections: 200, jit: off, random_page_cost: 1.1, autovacuum: true, wal_compression: null}
  pg_hba: ["hostssl all all fd00::/8 cert"]
  client_networks: ["fd00::/8"]
etcd: {version: 3.5.33, source: archive, archive: etcd.tar.gz, sha256: 0000000000000000000000000000000000000000000000000000000000000000, data_dir: /srv/etcd, heartbeat_interval: 50ms, election_timeout: 500ms, auto_compaction: 30m, client_port: 12379, peer_port: 12380}
patroni: {namespace: /db/, rest_port: 18008, profile: fast, ttl: 40, loop_wait: 8, retry_timeout: 9, maximum_lag_on_failover: 0, primary_start_timeout: 60, failsafe_mode: false, use_pg_rewind: false, use_slots: false, synchronous_mode: on, watchdog: off, extra: {log: {level: INFO, loggers: [a, b]}}}
balancer: {write_port: 6432, read_port: 6433, read_fallback_to_primary: false, stats_port: 7001, max_connections: 10, client_timeout: 1h30m, check_interval: 1s}
monitoring: {networks: ["fd00:9::/64"], haproxy_port: 18405, etcd_port: 12381}
vip: {address: "fd00::99", prefix_length: 64, router_id: 9, advert_interval: 1, preempt: true}
tls: {key_algorithm: rsa, ca_lifetime_days: 100, leaf_lifetime_days: 10}
secrets: {superuser_password_file: password, replication_password_command: [sh, -c, echo $PASSWORD], rewind_password_file: accented}
unattended: {needrestart_exclude: false}
slo: {failover: 45s, switchover: 1500ms, lost_rows: 3}
`

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for name, text := range map[string]string{
		"minimal": minimal, "everything": everything, "example": string(spec.Example()),
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, filepath.Join(dir, "pgha.yaml"), text)
			first, err := s.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			again := parse(t, "/elsewhere/pgha.yaml", string(first))
			if diff := cmp.Diff(s, again); diff != "" {
				t.Errorf("-before +after:\n%s", diff)
			}
			if second, err := again.Marshal(); err != nil || string(second) != string(first) {
				t.Errorf("not canonical (%v):\n%s", err, second)
			}
			if err := again.Complete(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(s, again); diff != "" {
				t.Errorf("Complete changed a complete spec:\n%s", diff)
			}
		})
	}
}

func TestPathsStartAtTheSpec(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := parse(t, filepath.Join(dir, "pgha.yaml"), everything)
	for _, got := range []string{
		s.StateDir, s.SSH.KnownHosts, s.SSH.IdentityFiles[0], s.PostgreSQL.Repository.KeyFile,
		s.Etcd.Archive, s.Secrets.RewindPasswordFile,
	} {
		if filepath.Dir(got) != dir {
			t.Errorf("%s is not in %s", got, dir)
		}
	}
}

func TestFindHosts(t *testing.T) {
	t.Parallel()
	s := parse(t, "pgha.yaml", string(spec.Example()))
	if d, b := s.Databases(), s.Balancers(); len(d) != 3 || len(b) != 3 ||
		d[2].Name != "postgres-03" ||
		b[0].Name != "haproxy-01" {
		t.Errorf("got %v and %v", d, b)
	}
	for _, name := range []string{"postgres-02", "postgresql-02"} {
		if h, err := s.Host(name); err != nil || h.Name != "postgres-02" {
			t.Errorf("%s: got %v, %v", name, h.Name, err)
		}
	}
	_, err := s.Host("postgresq-02")
	if want := `unknown host "postgresq-02"; did you mean postgres-02?`; !errors.Is(err,
		spec.ErrUnknownHost) ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := s.Host(""); !errors.Is(err, spec.ErrUnknownHost) {
		t.Errorf("a balancer's empty member was found: %v", err)
	}
}

func TestSSHOf(t *testing.T) {
	t.Parallel()
	s := parse(t, filepath.Join(folder(t), "pgha.yaml"), everything)
	want := spec.HostSSH{User: "root", Port: 22, HostKey: s.Hosts[0].SSH.HostKey,
		Address: "db-1.example.com"}
	if diff := cmp.Diff(want, s.SSHOf(s.Hosts[0])); diff != "" {
		t.Errorf("own settings: %s", diff)
	}
	want = spec.HostSSH{User: "admin", Port: 2222, Jump: "me@bastion:23", Address: "fd00::11"}
	if diff := cmp.Diff(want, s.SSHOf(s.Hosts[1])); diff != "" {
		t.Errorf("the cluster's settings: %s", diff)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	s := spec.New()
	s.Hosts = []spec.Host{
		{Name: "a", Address: "10.0.0.1", Role: spec.RoleDatabase},
		{Name: "b", Address: "no_where", Role: spec.RoleDatabase},
	}
	err := s.Complete()
	want := `hosts[1].address: "no_where" is not an IP address; write an IPv4 or IPv6 address such as 192.168.0.203, or a name that has one, such as postgres-01.example.com` + "\n" +
		`hosts: 2 database hosts make 2 etcd members: an even number survives no more failures than 1; use 1 or 3 database hosts, or write roles: [database, etcd] for them and add a witness with role: etcd`
	if err == nil || !sameLines(err.Error(), want) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	s.Hosts = s.Hosts[:1]
	if err := s.Complete(); err != nil {
		t.Error(err)
	}
}

func sameLines(a, b string) bool {
	count := map[string]int{}
	for _, l := range strings.Split(a, "\n") {
		count[l]++
	}
	for _, l := range strings.Split(b, "\n") {
		count[l]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	const canary = "hunter2hunter2"
	s := parse(t, "pgha.yaml", minimal+`postgresql:
  parameters:
    archive_command: "PGPASSWORD=hunter2hunter2 push %p"
    pgaudit.token: hunter2hunter2
    restore_command: "fetch https://me:hunter2hunter2@example.com/%f"
    password_encryption: scram-sha-256
  pg_hba: ["hostssl all all 10.0.0.0/8 ldap ldapserver=a ldapbasedn=b ldapbindpasswd=\"hunter2hunter2\""]
patroni:
  extra: {basic: {authentication: {username: me, password: hunter2hunter2}}, list: [{secret: hunter2hunter2}]}
secrets: {rewind_password_command: [sh, --token=hunter2hunter2]}
ssh: {sudo_password_command: [sh, --password=hunter2hunter2]}
`)
	before, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	shown, err := s.Redacted().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"Redacted": string(shown), "%v": fmt.Sprintf("%v", s), "%+v": fmt.Sprintf("%+v", *s),
		"%#v": fmt.Sprintf("%#v", s),
	} {
		if strings.Contains(text, canary) {
			t.Errorf("%s shows a secret:\n%s", what, text)
		}
	}
	if !strings.Contains(string(shown), "scram-sha-256") ||
		!strings.Contains(string(shown), "username: me") {
		t.Errorf("too much was blotted out:\n%s", shown)
	}
	if after, err := s.Marshal(); err != nil || string(after) != string(before) {
		t.Errorf("Redacted changed the original (%v)", err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	if _, err := spec.Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err,
		fs.ErrNotExist) ||
		errors.Is(err, spec.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(spec.Example()))
	f.Add(everything)
	f.Add(minimal)
	f.Add("? {a: [*b, &c !!float .nan]}\n: |\n\t x\n--- #\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := spec.Parse("/nowhere/pgha.yaml", []byte(text))
		if err != nil {
			checkErrors(t, err)
			return
		}
		b, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := spec.Parse("/nowhere/pgha.yaml", b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if second, err := again.Marshal(); err != nil || string(second) != string(b) {
			t.Errorf("not canonical (%v):\n%s\n%s", err, b, second)
		}
	})
}

// TestContents: roles are what is written, with their defaults, and names may stand for schemas and
// extensions.
func TestContents(t *testing.T) {
	t.Parallel()
	s := parse(t, "pgha.yaml", minimal+`roles: [{name: app}, {name: group, login: false, ensure: absent}]
databases: [{name: shop, schemas: [audit, {name: own, owner: app}], extensions: [uuid-ossp, {name: postgis, schema: audit}]}]
access: [{role: app, database: shop}]
`)
	if !s.PGRoles[0].CanLogin() || s.PGRoles[0].Ensure != spec.EnsurePresent ||
		s.PGRoles[1].CanLogin() || s.PGRoles[1].Present() || !s.PGDatabases[0].Present() {
		t.Errorf("%+v, %+v", s.PGRoles, s.PGDatabases)
	}
	want := []spec.PGSchema{{Name: "audit"}, {Name: "own", Owner: "app"}}
	if diff := cmp.Diff(want, s.PGDatabases[0].Schemas); diff != "" {
		t.Error(diff)
	}
	text, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, parse(t, "pgha.yaml", string(text))); diff != "" {
		t.Errorf("written and read again:\n%s", diff)
	}
	if at := s.At("databases[0].extensions[1].schema"); !strings.HasPrefix(at, "pgha.yaml:5:") {
		t.Errorf("a field of an extension is at %s", at)
	}
}

// TestSuperuserNetworks: without balancers connections lead to the members themselves.
func TestSuperuserNetworks(t *testing.T) {
	t.Parallel()
	const balancers = "  - {name: lb-1, address: 10.0.0.8, role: balancer}\n" +
		"  - {name: lb-2, address: 10.0.0.9, role: balancer}\nvip: {address: 10.0.0.7}\n"
	const networks = "postgresql: {client_networks: [10.0.0.0/8]}\n"
	for text, want := range map[string][]string{
		minimal + networks:                                                        {"10.0.0.0/8"},
		minimal + balancers + networks:                                            {},
		minimal + "postgresql: {superuser_networks: []}\n":                        {},
		minimal + balancers + "postgresql: {superuser_networks: [10.7.0.0/16]}\n": {"10.7.0.0/16"},
	} {
		got := parse(t, "pgha.yaml", text).PostgreSQL.SuperuserNetworks
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}
