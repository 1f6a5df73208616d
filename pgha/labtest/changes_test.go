package labtest

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestChanges changes the specification of a running cluster: what is refused leaves no trace, and
// what is accepted is in effect on every member after each of them has been started again.
func TestChanges(t *testing.T) {
	t.Parallel()
	runParts(t, lab.Options{Name: "e2e-changes", Installed: true}, []part{
		{"refused", testRefusedChanges},
		{"tried", testTriedChanges},
		{"state directory", testStateDirectory},
		{"overlap", testOverlap},
		{"time bombs", testTimeBombs},
	})
}

// value is a value of a specification.
func value(v any, path ...string) spec.Change { return spec.Change{Path: path, Value: v} }

// testRefusedChanges tries changes that a running cluster cannot take, each in less than three
// seconds on a machine that does nothing else; no file and no process is another one afterwards.
func testRefusedChanges(t *testing.T, s site) {
	original := must(os.ReadFile(s.specFile))(t)
	defer writeFile(t, s.specFile, original)
	databases := regexp.MustCompile(`(?m)^  - \{.*role: database.*\n`).FindAllString(
		string(original), -1)
	files, processes := digests(t, s), s.processes(t)
	for _, tt := range []struct{ name, from, to, reason string }{
		{
			"cluster", "cluster: postgresql-cluster", "cluster: staging",
			"belongs to another cluster: postgresql-cluster, not staging",
		},
		{
			"namespace", "profile: fast", "profile: fast, namespace: /prod/",
			"patroni.namespace is /prod/, but etcd holds",
		},
		{"PostgreSQL's port", "postgresql: {", "postgresql: {port: 5442, ",
			"PostgreSQL listens on port 5432"},
		{"etcd's client port", "etcd: {", "etcd: {client_port: 2479, ",
			"etcd answers its clients on port 2379"},
		{"etcd's peer port", "etcd: {", "etcd: {peer_port: 2480, ",
			"etcd's members meet on port 2380"},
		{"Patroni's port", "profile: fast", "profile: fast, rest_port: 8009",
			"Patroni answers on port 8008"},
		{"replication role", "postgresql: {", "postgresql: {replication_user: repl2, ",
			"the role is replicator"},
		{"superuser", "postgresql: {", "postgresql: {superuser: admin, ", "the role is postgres"},
		{
			"data directory", "postgresql: {", "postgresql: {data_dir: /srv/pg/data, ",
			"the data is in /var/lib/postgresql/data",
		},
		{"locale", "postgresql: {", "postgresql: {locale: C, ", "the locale is C.UTF-8"},
		{"version", "version: 18", "version: 17", "the data belongs to version 18"},
		{"member", "member: postgresql-03", "member: pg-c", "etcd knows it as postgresql-03"},
		// A plan shows what goes; TestComeAndGo has that.
		{
			"fewer databases", databases[1] + databases[2], "",
			"not in the specification: postgres-02, postgres-03",
		},
		{
			"fewer balancers", "  - {name: haproxy-03, address: 192.168.0.202, role: balancer}\n",
			"", "not in the specification: haproxy-03",
		},
		{
			"sessions without files", "cluster: postgresql-cluster",
			"cluster: postgresql-cluster\nbalancer: {max_connections: 900000}",
			"wants 1800100 open files",
		},
		{"no virtual IP", "vip: {address: 192.168.0.210}\n", "", "has the address 192.168.0.210"},
	} {
		writeFile(t, s.specFile, []byte(edited(t, string(original), tt.from, tt.to)))
		verbs := []string{"plan", "apply"}
		if strings.HasPrefix(tt.name, "fewer") {
			verbs = verbs[1:]
		}
		for _, verb := range verbs {
			got := s.cli(t, verb)
			if got.code != 3 || !strings.Contains(got.stderr, tt.reason) {
				t.Errorf("%s: %s ends with %d, want 3 and %q\n%s", tt.name, verb, got.code,
					tt.reason, got.stderr)
			}
			t.Logf("%s: %s is refused in %s", tt.name, verb, got.took.Round(10*time.Millisecond))
		}
	}
	if diff := cmp.Diff(files, digests(t, s)); diff != "" {
		t.Errorf("files were changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(processes, s.processes(t)); diff != "" {
		t.Errorf("processes were changed (-before +after):\n%s", diff)
	}
}

// processes are the main processes of the cluster's units.
func (s site) processes(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, h := range s.Hosts() {
		all[h.Name] = s.mustInHost(t, h.Name,
			"systemctl show -p Id,MainPID etcd patroni haproxy keepalived; head -1 "+
				"/var/lib/postgresql/data/postmaster.pid 2>/dev/null || true")
	}
	return all
}

// testTimeBombs applies accepted changes, all at once. Then every member is started again, the
// leader is killed and there is a switchover: a value that one of them cannot start with, or finds
// another way than the others, shows then.
func testTimeBombs(t *testing.T, s site) {
	original := must(os.ReadFile(s.specFile))(t)
	defer func() {
		writeFile(t, s.specFile, original)
		s.apply(t, pgha.ApplyOptions{})
	}()
	writeFile(t, s.specFile, must(spec.Edit(original, []spec.Change{
		value("8MB", "postgresql", "parameters", "work_mem"),
		value(120, "postgresql", "parameters", "max_connections"),
		value("pg_stat_statements", "postgresql", "parameters", "shared_preload_libraries"),
		value("hostssl shop shop 10.9.0.0/16 scram-sha-256", "postgresql", "pg_hba", "-"),
		value(2097152, "patroni", "maximum_lag_on_failover"),
		value("on", "patroni", "synchronous_mode"),
		value(false, "patroni", "use_slots"), value("/service", "patroni", "namespace"),
		value("DEBUG", "patroni", "extra", "log", "level"), value(9, "patroni", "loop_wait"),
		value("2s", "postgresql", "parameters", "log_min_duration_statement"),
		value("logical", "postgresql", "parameters", "wal_level"),
		value("on", "postgresql", "parameters", "track_commit_timestamp"),
		value(12, "postgresql", "parameters", "max_worker_processes"),
		value("256MB", "postgresql", "parameters", "wal_keep_size"),
		value("192.168.0.0/16", "postgresql", "client_networks", "-"),
		value(25, "patroni", "ttl"), value(120, "patroni", "primary_start_timeout"),
		value("off", "patroni", "watchdog"),
		value("lab", "patroni", "extra", "restapi", "http_extra_headers", "X-Kind"),
		value(2, "hosts", "5", "tags", "failover_priority"),
		value("db1.example.com", "hosts", "3", "dns_names", "-"),
		value("150ms", "etcd", "heartbeat_interval"),
		value("1500ms", "etcd", "election_timeout"),
		value("2h", "etcd", "auto_compaction"),
		value(6432, "balancer", "write_port"), value(6433, "balancer", "read_port"),
		value(3000, "balancer", "max_connections"),
		value("300ms", "balancer", "check_interval"), value(77, "vip", "router_id"),
		value(0.3, "vip", "advert_interval"),
		value("Europe/Madrid", "timezone"), value(false, "unattended", "needrestart_exclude"),
		value(7001, "balancer", "stats_port"),
		value(false, "balancer", "read_fallback_to_primary"),
		value("12h", "balancer", "client_timeout"),
		value(true, "vip", "preempt"), value(24, "vip", "prefix_length"),
		value(120, "hosts", "2", "priority"), value(300, "tls", "leaf_lifetime_days"),
	}))(t))
	s.apply(t, pgha.ApplyOptions{})
	s.startAgain(t)
	s.applyNothing(t)
	s.changesInEffect(t)
	s.verify(t)
}

// databaseEffects and balancerEffects fail where a program that runs does not do what testTimeBombs
// wants.
const (
	databaseEffects = `set -e
read -r pid </sys/fs/cgroup/system.slice/etcd.service/cgroup.procs
for v in HEARTBEAT_INTERVAL=150 ELECTION_TIMEOUT=1500 AUTO_COMPACTION_RETENTION=2h; do
	tr '\0' '\n' <"/proc/$pid/environ" | grep "^ETCD_$v"
done
test "$(timedatectl show -p Timezone --value)" = Europe/Madrid
test ! -e /etc/needrestart/conf.d/pgha.conf
python3 - "https://$(hostname):8008/config" <<'ASK'
import json, ssl, sys, urllib.request
answer = urllib.request.urlopen(sys.argv[1], context=ssl._create_unverified_context())
config = json.load(answer)
want = {"ttl": 25, "loop_wait": 9, "maximum_lag_on_failover": 2097152, "primary_start_timeout": 120}
have = {name: config.get(name) for name in want}
if have != want or config["postgresql"]["use_slots"] or not config["synchronous_mode"]:
    sys.exit(f"the dynamic configuration is {config}")
if answer.headers["X-Kind"] != "lab":
    sys.exit(f"headers: {answer.headers}")
ASK`
	balancerEffects = `set -e
ports=$(ss -ltnH | awk '{print $4}' | grep -Eo '[0-9]+$' | sort -u)
for p in 6432 6433 7001; do echo "$ports" | grep -x $p; done
if echo "$ports" | grep -xE '5432|5433|7000'; then exit 1; fi
perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new("/run/haproxy/admin.sock") or die;
	print $s "show info\n"; print <$s>' | grep -x 'Maxconn: 3000'
grep -w 'timeout client 43200000ms' /etc/haproxy/haproxy.cfg
grep -w 'acl clients src 192.168.0.0/16' /etc/haproxy/haproxy.cfg
if grep -w nopreempt /etc/keepalived/keepalived.conf; then exit 1; fi
for v in 'advert_int 0.3' 'virtual_router_id 77' 192.168.0.210/24; do
	grep -w "$v" /etc/keepalived/keepalived.conf
done`
)

// changesInEffect asks the programs of each host for what testTimeBombs has changed.
func (s site) changesInEffect(t *testing.T) {
	t.Helper()
	for _, h := range s.Hosts() {
		effects := balancerEffects
		if h.Role == lab.RoleDatabase {
			effects = databaseEffects
			s.settingsInEffect(t, h.Member)
		}
		if out, code := s.inHost(t, h.Name, effects); code != 0 {
			t.Errorf("%s: exit code %d\n%s", h.Name, code, out)
		}
	}
}

func (s site) settingsInEffect(t *testing.T, member string) {
	t.Helper()
	for name, want := range map[string]string{
		"work_mem": "8MB", "max_connections": "120",
		"shared_preload_libraries":   "pg_stat_statements",
		"log_min_duration_statement": "2s", "wal_level": "logical", "track_commit_timestamp": "on",
		"max_worker_processes": "12", "wal_keep_size": "256MB",
	} {
		if got := s.sql(t, member, "SHOW "+name); got != want {
			t.Errorf("%s: %s is %s, want %s", member, name, got, want)
		}
	}
	if got := s.sql(t, member,
		"SELECT count(*) FROM pg_hba_file_rules WHERE '{shop}' = database AND error IS NULL"); got != "1" {
		t.Errorf("%s has %s rules for shop", member, got)
	}
}

// startAgain restarts every program of every host, kills the leader, and switches over; the cluster
// is healthy after each.
func (s site) startAgain(t *testing.T) {
	t.Helper()
	for _, h := range s.Hosts() {
		units := "haproxy keepalived"
		if h.Role == lab.RoleDatabase {
			units = "etcd patroni"
		}
		s.mustInHost(t, h.Name, "systemctl restart "+units)
		s.awaitHealthy(t)
	}
	leader, _ := s.leader(t)
	s.mustInHost(t, s.hostOf(t, leader), "systemctl kill -s KILL patroni")
	await(t, healthyWithin, "the killed leader to be noticed", func() (bool, string) {
		state := s.property(t, s.hostOf(t, leader), "patroni", "ActiveState")
		return state == "active", state
	})
	s.awaitHealthy(t)
	// For a round of Patroni's loop after a failover what it says of the timelines is older than
	// what streams.
	await(t, healthyWithin, "a switchover", func() (done bool, seen string) {
		s.with(t, pgha.ConnectOptions{}, func(c *pgha.Cluster) {
			_, err := c.Switchover(t.Context(), pgha.SwitchoverOptions{})
			done, seen = err == nil, fmt.Sprint(err)
		})
		return done, seen
	})
	s.awaitHealthy(t)
}
