package labtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
)

// drift is something that somebody changes by hand: on a host, with a script, and what the plan has
// to show for it.
type drift struct {
	name, host, script string
	shows              []string // kind and name of every change planned on that host
}

// drifts are one of each kind of thing that apply manages.
var drifts = []drift{
	{
		"a line in haproxy.cfg", "haproxy-02", "echo '# by hand' >> /etc/haproxy/haproxy.cfg",
		[]string{"file /etc/haproxy/haproxy.cfg", "unit haproxy.service"},
	},
	{"HAProxy's authority replaced", "haproxy-03",
		"cp /etc/ssl/openssl.cnf /etc/haproxy/certs/patroni-ca.crt", nil},
	{"HAProxy's drop-in removed", "haproxy-03",
		"rm /etc/systemd/system/haproxy.service.d/*.conf", nil},
	{"HAProxy stopped", "haproxy-03", "systemctl stop haproxy", []string{"unit haproxy.service"}},
	{
		"HAProxy not started at boot", "haproxy-01", "systemctl disable --quiet haproxy",
		[]string{"unit haproxy.service"},
	},
	{
		"another priority in keepalived.conf", "haproxy-03",
		"sed -i 's/priority .*/priority 5/' /etc/keepalived/keepalived.conf", nil,
	},
	{"keepalived stopped", "haproxy-03", "systemctl stop keepalived",
		[]string{"unit keepalived.service"}},
	{"keepalived masked", "haproxy-03", "systemctl mask --quiet --now keepalived", nil},
	{
		"the check script made useless", "haproxy-02",
		"chmod 0600 /usr/local/lib/pgha/* /etc/keepalived/*.sh 2>/dev/null || :", nil,
	},
	{
		"etcd's environment edited", "postgres-02",
		"sed -i 's/ETCD_HEARTBEAT_INTERVAL=.*/ETCD_HEARTBEAT_INTERVAL=\"900\"/' /etc/etcd/etcd.env",
		[]string{"file /etc/etcd/etcd.env"},
	},
	{"etcd's unit edited", "postgres-03",
		"echo '# by hand' >> /etc/systemd/system/etcd.service", nil},
	{
		"etcd's key readable by all", "postgres-01", "chmod 0644 /etc/etcd/certs/server.key",
		[]string{"file /etc/etcd/certs/server.key"},
	},
	{
		"etcd's certificate removed", "postgres-02", "rm /etc/etcd/certs/server.crt",
		[]string{"file /etc/etcd/certs/server.crt"},
	},
	{"etcd stopped", "postgres-03", "systemctl stop etcd", []string{"unit etcd.service"}},
	{
		"a rule in patroni's pg_hba", "postgres-03",
		`sed -i 's/^  pg_hba:/  pg_hba:\n    - "host all all 0.0.0.0\/0 trust"/' /etc/patroni/config.yml`, nil,
	},
	{
		"patroni's configuration readable by all", "postgres-02",
		"chmod 0644 /etc/patroni/config.yml",
		[]string{"file /etc/patroni/config.yml", "unit patroni.service"},
	},
	{
		"a key of another owner", "postgres-01", "chown root:root " +
			"/etc/patroni/certs/rest-server.key",
		[]string{"file /etc/patroni/certs/rest-server.key", "unit patroni.service"},
	},
	{
		"the folder of keys open", "postgres-01", "chmod 0755 /etc/patroni/certs",
		[]string{"directory /etc/patroni/certs"},
	},
	{
		"patroni not started at boot", "postgres-01", "systemctl disable --quiet patroni",
		[]string{"unit patroni.service"},
	},
	{
		"the callback made useless", "postgres-02",
		"echo 'exit 1' > /usr/local/lib/pgha/move-etcd-leader",
		[]string{"file /usr/local/lib/pgha/move-etcd-leader"},
	},
	{
		"a package removed", "postgres-03", "dpkg --force-depends -r python3-dnspython",
		[]string{"package python3-dnspython"},
	},
	{
		"etcd of another version", "postgres-02",
		"rm /usr/local/bin/etcd; printf '#!/bin/sh\\necho etcd Version: 3.5.0\\n' " +
			">/usr/local/bin/etcd; chmod 0755 /usr/local/bin/etcd", nil,
	},
	{
		"the user of keepalived's check removed", "haproxy-03", "userdel -f keepalived_script",
		[]string{"user keepalived_script"},
	},
	{
		"the watcher of PostgreSQL edited", "postgres-03",
		"echo '# by hand' >> /usr/local/lib/pgha/watch-postgresql",
		[]string{"file /usr/local/lib/pgha/watch-postgresql", "unit pgha-watch.service"},
	},
	{
		"needrestart may restart the cluster", "postgres-01",
		"rm /etc/needrestart/conf.d/pgha.conf",
		[]string{"file /etc/needrestart/conf.d/pgha.conf"},
	},
	{
		"clusters are made at install", "postgres-02",
		"rm /etc/postgresql-common/createcluster.d/pgha.conf",
		[]string{"file /etc/postgresql-common/createcluster.d/pgha.conf"},
	},
	{"the time zone", "haproxy-01", "timedatectl set-timezone Asia/Tokyo",
		[]string{"command time zone"}},
}

// testDrift makes changes by hand, one a host at a time. The plan shows for each host what it was
// and nothing else, apply puts it right, and then there is nothing left to do.
func testDrift(t *testing.T, s site) {
	for _, round := range rounds(drifts) {
		var names []string
		shows := map[string][]string{}
		for _, d := range round {
			names = append(names, d.name)
			shows[d.host] = d.shows
		}
		t.Run(strings.Join(names, ", "), func(t *testing.T) {
			for _, d := range round {
				s.mustInHost(t, d.host, d.script)
			}
			checkDrift(t, s, shows)
		})
	}
	t.Run("a dynamic setting", func(t *testing.T) {
		// The plan lists a setting of the whole cluster under the first database host.
		host := s.databases()[0].Name
		s.mustInHost(t, host,
			"patronictl -c /etc/patroni/config.yml edit-config --force -s "+
				"maximum_lag_on_failover=7 -p shared_buffers=128MB")
		checkDrift(t, s, map[string][]string{
			host: {"setting maximum_lag_on_failover",
				"setting postgresql.parameters.shared_buffers"},
		})
	})
	t.Run("accepted", func(t *testing.T) { testAccept(t, s) })
}

// rounds deals the drifts into rounds that have at most one for each host, in their order.
func rounds(all []drift) [][]drift {
	var list [][]drift
	next := map[string]int{} // by host: the first round that has none for it
	for _, d := range all {
		n := next[d.host]
		if n == len(list) {
			list = append(list, nil)
		}
		list[n] = append(list[n], d)
		next[d.host] = n + 1
	}
	return list
}

// testAccept takes settings that were changed by hand into the specification, and wants the hosts
// left as they are.
func testAccept(t *testing.T, s site) {
	original, err := os.ReadFile(s.specFile)
	if err != nil {
		t.Fatal(err)
	}
	leader, _ := s.leader(t)
	edit := func(args string) {
		s.mustInHost(t, s.hostOf(t, leader), "patronictl -c /etc/patroni/config.yml edit-config "+
			"--force "+args)
	}
	edit("-s maximum_lag_on_failover=2097152 -p max_slot_wal_keep_size=4GB -p work_mem=8MB -p " +
		"log_min_duration_statement=250")
	defer func() {
		writeFile(t, s.specFile, original)
		edit("-p work_mem=null -p log_min_duration_statement=null")
		s.apply(t, pgha.ApplyOptions{})
	}()
	writeFile(t, s.specFile, append([]byte("# kept by accept\n"), original...))
	for _, ch := range s.plan(t, 2).Changes {
		if ch.Kind != "setting" || ch.Origin.Cause != pgha.CauseDrift ||
			ch.Origin.Owner != "patroni" {
			t.Errorf("planned: %s %s, %s", ch.Kind, ch.Name, ch.Origin)
		}
	}
	got := s.cli(t, "plan", "--accept", "--yes")
	text, err := os.ReadFile(s.specFile)
	if got.code != 0 || err != nil || !strings.HasPrefix(string(text), "# kept by accept\n") {
		t.Fatalf("plan --accept: exit code %d, %v\n%s%s\n%s", got.code, err, got.stdout,
			got.stderr, text)
	}
	sp := s.spec(t)
	if p := sp.PostgreSQL.Parameters; sp.Patroni.MaximumLagOnFailover != 2097152 ||
		p["max_slot_wal_keep_size"] != "4GB" || p["work_mem"] != "8MB" ||
		p["log_min_duration_statement"] != 250 {
		t.Errorf("accepted: %d, %v", sp.Patroni.MaximumLagOnFailover, p)
	}
	// The first member's config.yml repeats the settings for a cluster that is made again. Nothing
	// else is left.
	for _, ch := range s.plan(t, 2).Changes {
		if ch.Name != "/etc/patroni/config.yml" && ch.Name != "patroni.service" {
			t.Errorf("after accept: %s %s %s", ch.Kind, ch.Name, ch.Action)
		}
	}
	s.apply(t, pgha.ApplyOptions{})
	s.plan(t, 0)
	s.awaitHealthy(t)
}

// checkDrift wants the plan to show these changes of these hosts, nil for any, and apply to make no
// others.
func checkDrift(t *testing.T, s site, shows map[string][]string) {
	t.Helper()
	before := digests(t, s)
	plan := s.plan(t, 2)
	seen := map[string][]string{}
	for _, ch := range plan.Changes {
		if ch.Kind != "copy" { // of a file without pgha's mark, kept beside what replaces it
			seen[ch.Host] = append(seen[ch.Host], ch.Kind+" "+ch.Name)
		}
		if o := ch.Origin; o.Cause != pgha.CauseDrift && o.Cause != pgha.CauseFollows &&
			ch.Name != "time zone" ||
			o.Owner == "" {
			t.Errorf("%s %s is no drift: %s", ch.Kind, ch.Name, o)
		}
	}
	for host, list := range seen {
		t.Logf("plan for %s: %s", host, strings.Join(list, ", "))
		if want, touched := shows[host]; !touched {
			t.Errorf("the plan touches %s", host)
		} else if want != nil && !slices.Equal(list, want) {
			t.Errorf("the plan shows %q, want %q", list, want)
		}
	}
	for host := range shows {
		if len(seen[host]) == 0 {
			t.Errorf("the plan has nothing for %s", host)
		}
	}
	if diff := cmp.Diff(before, digests(t, s)); diff != "" {
		t.Errorf("plan changed files (-before +after):\n%s", diff)
	}
	report := s.apply(t, pgha.ApplyOptions{Plan: &plan})
	if len(report.Changes) != len(plan.Changes) {
		t.Errorf("apply made %d changes, %d were planned: %+v", len(report.Changes),
			len(plan.Changes), report.Changes)
	}
	if rest := s.plan(t, 0); !rest.Empty() {
		t.Errorf("after apply there is still something to do: %+v", rest.Changes)
	}
	s.awaitHealthy(t)
}

// plan runs pgha-cli plan, wants this exit code, and reads what it says.
func (s site) plan(t *testing.T, code int) pgha.Plan {
	t.Helper()
	got := s.cli(t, "plan", "--output", "json")
	var plan pgha.Plan
	if err := json.Unmarshal([]byte(got.stdout), &plan); err != nil || got.code != code {
		t.Fatalf("plan: exit code %d, want %d, %v\n%s%s", got.code, code, err, got.stdout,
			got.stderr)
	}
	return plan
}

// testFreshPlan plans on bare hosts: everything is listed, nothing is changed.
func testFreshPlan(t *testing.T, s site) {
	before := digests(t, s)
	plan := s.plan(t, 2)
	for _, h := range s.Hosts() {
		if !slices.ContainsFunc(plan.Changes, func(ch pgha.PlannedChange) bool {
			return ch.Host == h.Name
		}) {
			t.Errorf("the plan has nothing for %s", h.Name)
		}
	}
	if diff := cmp.Diff(before, digests(t, s)); diff != "" {
		t.Errorf("plan changed files (-before +after):\n%s", diff)
	}
	t.Logf("%d changes planned on bare hosts", len(plan.Changes))
}

// testStalePlan saves a plan, changes a host, and wants apply to refuse the plan.
func testStalePlan(t *testing.T, s site) {
	file := filepath.Join(t.TempDir(), "saved.plan")
	s.mustInHost(t, "haproxy-03", "chmod 0600 /etc/haproxy/haproxy.cfg")
	if got := s.cli(t, "plan", "--save", file); got.code != 2 {
		t.Fatalf("plan --save: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.mustInHost(t, "haproxy-02", "chmod 0600 /etc/haproxy/haproxy.cfg")
	got := s.cli(t, "apply", "--plan", file)
	if got.code != 3 || !strings.Contains(got.stderr, "haproxy-02") {
		t.Errorf("apply of a stale plan: exit code %d, want 3\n%s%s", got.code, got.stdout,
			got.stderr)
	}
	if mode := s.mustInHost(t, "haproxy-03", "stat -c %a /etc/haproxy/haproxy.cfg"); mode != "600" {
		t.Errorf("the refused apply has changed haproxy-03: mode %s", mode)
	}
	s.apply(t, pgha.ApplyOptions{})
	s.plan(t, 0)
}
