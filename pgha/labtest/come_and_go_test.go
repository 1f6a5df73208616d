package labtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestComeAndGo lets hosts come and go under a writer, by the verbs that edit the specification.
// After each change the cluster itself is asked: etcd's members, replication slots, Patroni's
// members, HAProxy's servers, and what is left on a host that went.
func TestComeAndGo(t *testing.T) {
	t.Parallel()
	wantTime(t, 11*time.Minute)
	s := newSite(t, startLab(t, lab.Options{Name: "e2e-come-and-go", Hosts: 5, Databases: 3,
		Installed: true}), func(text string) string {
		// Every replica is one that commits may wait for.
		return text + "patroni: {synchronous_mode: quorum}\n"
	})
	s.apply(t, pgha.ApplyOptions{})
	var more []lab.Host
	for _, role := range []string{lab.RoleDatabase, lab.RoleDatabase, lab.RoleBalancer} {
		larger, h, err := s.Add(t.Context(), role)
		if err != nil {
			t.Fatal(err)
		}
		s.Lab, more = larger, append(more, h)
	}
	for _, p := range []struct {
		name string
		run  func(*testing.T, site, []lab.Host)
	}{
		{"refused", testHostsRefused},
		{"remove, killed at every step", testRemoveKilled},
		{"add, taken back", testAddUndone},
		{"power lost while one is added", testAddPowerLost},
		{"a host less in the specification", testApplyRemoves},
		{"a new machine of the same name", testNewMachine},
		{"add, killed at every step", testAddKilled},
		{"replace the leader's host", testReplaceLeader},
		{"replace a dead replica's host", testReplaceDead},
		{"replace a balancer", testReplaceBalancer},
	} {
		t.Run(p.name, func(t *testing.T) { p.run(t, s, more) })
	}
	s.verify(t)
	s.applyNothing(t)
	if got := s.cli(t, "doctor"); got.code != 0 {
		t.Errorf("doctor: %s%s", got.stdout, got.stderr)
	}
}

// text is the specification as it is now.
func (s site) specText(t *testing.T) string {
	t.Helper()
	return string(must(os.ReadFile(s.specFile))(t))
}

// withHosts writes hosts into the specification's file.
func (s site) withHosts(t *testing.T, hosts ...lab.Host) {
	t.Helper()
	var added []spec.Host
	for _, h := range hosts {
		added = append(added, spec.Host{Name: h.Name, Address: h.Address, Member: h.Member,
			Role: spec.Role(h.Role)})
	}
	writeFile(t, s.specFile, must(spec.EditHosts([]byte(s.specText(t)), nil, added))(t))
}

// underWriter does something under a writer, and returns the longest time without writes. No row
// may be lost.
func (s site) underWriter(t *testing.T, do func()) float64 {
	t.Helper()
	w, err := probe.Start(t.Context(), probe.Options{Config: s.writerConfig(t), Rate: 50})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	do()
	took := time.Since(began)
	if err := w.WaitAcked(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
	r, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.awaitHealthy(t)
	s.checkRows(t, s.writerConfig(t), r)
	t.Logf("%.1f s, %.2f s without writes, %d rows", took.Seconds(), r.Since(began).Longest().Seconds,
		r.Count(probe.Acked))
	return r.Since(began).Longest().Seconds
}

// checkHosts asks the cluster itself who belongs to it, and compares that with the specification.
func (s site) checkHosts(t *testing.T) {
	t.Helper()
	status := s.awaitHealthy(t)
	sp := s.spec(t)
	var members []string
	for _, h := range sp.Databases() {
		members = append(members, h.Member)
	}
	first := sp.Databases()[0]
	ask := func(what, script string, want []string) {
		t.Helper()
		got := strings.Fields(s.mustInHost(t, first.Name, script))
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	ask("voting members of etcd", "etcdctl member list | awk -F', ' '$2 == \"started\" && $6 == "+
		"\"false\" { print $3 }'", slices.Clone(members))
	ask("members of Patroni", "patronictl list -f tsv | awk -F'\\t' 'NR > 1 { print $2 }'",
		slices.Clone(members))
	for _, h := range sp.Databases() {
		var others []string
		for _, m := range members {
			if m != h.Member {
				others = append(others, strings.ReplaceAll(m, "-", "_"))
			}
		}
		got := strings.Fields(s.sql(t, h.Member, "SELECT slot_name FROM pg_replication_slots"))
		slices.Sort(got)
		slices.Sort(others)
		if diff := cmp.Diff(others, got); diff != "" {
			t.Errorf("replication slots on %s (-want +got):\n%s", h.Name, diff)
		}
	}
	for _, b := range status.Balancers {
		if all := append(slices.Clone(b.Primary), b.Replicas...); len(all) != len(members) {
			t.Errorf("%s sends sessions to %v, the members are %v", b.Host, all, members)
		}
	}
	if got := s.cli(t, "change", "show"); got.stdout != "no change is half done\n" {
		t.Errorf("%s%s", got.stdout, got.stderr)
	}
	if p := s.plan(t, 0); len(p.Changes) > 0 {
		t.Errorf("%d changes are planned: %v", len(p.Changes), p.Changes)
	}
}

// checkGone looks for what is left on a host that went: no unit that runs or starts, no key, no
// password.
func (s site) checkGone(t *testing.T, host string) {
	t.Helper()
	if left := s.mustInHost(t, host, `for u in patroni etcd haproxy keepalived pgha-watch; do
	systemctl -q is-active $u.service && echo $u runs
	systemctl -q is-enabled $u.service 2>/dev/null && echo $u is enabled
done
find /etc/patroni /etc/etcd /etc/haproxy /etc/keepalived /var/lib/pgha /root/.config/patroni \
	-name '*.key' -o -name config.yml -o -name pgpass -o -name haproxy.cfg -o -name state.json 2>/dev/null
:`); left != "" {
		t.Errorf("on %s is left:\n%s", host, left)
	}
	s.checkForgotten(t, host)
}

// checkForgotten looks on the hosts of the specification for the address of one that went: no line
// of pg_hba.conf, no server of HAProxy's, no peer of keepalived's.
func (s site) checkForgotten(t *testing.T, host string) {
	t.Helper()
	machines := s.Hosts()
	i := slices.IndexFunc(machines, func(h lab.Host) bool { return h.Name == host })
	address := machines[i].Address
	for _, h := range s.spec(t).Hosts {
		await(t, 15*time.Second, h.Name+" to forget "+host, func() (bool, string) {
			out := s.mustInHost(t, h.Name, "grep -wF "+address+" /etc/patroni/config.yml "+
				"/var/lib/postgresql/data/pg_hba.conf /etc/haproxy/haproxy.cfg "+
				"/etc/keepalived/keepalived.conf /etc/etcd/etcd.env 2>/dev/null || true")
			return out == "", out
		})
	}
}

func testHostsRefused(t *testing.T, s site, more []lab.Host) {
	before := s.specText(t)
	address := more[0].Address
	for _, tt := range []struct {
		words string
		args  []string
	}{
		{"2 database hosts make 2 etcd members", []string{"host", "remove", "postgres-03"}},
		{"a virtual IP needs two balancers", []string{"host", "remove", "haproxy-01"}},
		{"no host has the role database", []string{"host", "remove", "postgres-01", "postgres-02",
			"postgres-03"}},
		{"is a host of the cluster already", []string{"host", "replace", "postgres-02", "--with",
			"postgres-03", "--address", address}},
		{"is the address of", []string{"host", "replace", "postgres-02", "--with", "postgres-09",
			"--address", s.databases()[0].Address}},
		{"postgres-02 is a database, and x would be a balancer", []string{"host", "replace",
			"postgres-02", "--with", "x", "--address", address, "--role", "balancer"}},
		{"no change is half done", []string{"change", "undo"}},
		{"no way leads to the address", []string{"host", "replace", "postgres-02", "--with", "postgres-09",
			"--address", "192.168.0.250"}},
	} {
		got := s.cli(t, append(tt.args, "--yes")...)
		if got.code == 0 || !strings.Contains(got.stderr, tt.words) {
			t.Errorf("%v: exit code %d, want %q\n%s", tt.args, got.code, tt.words, got.stderr)
		}
	}
	// A host that has something of others on it is asked before anything happens.
	s.mustInHost(t, more[0].Name, "mkdir -p /var/lib/postgresql/data && echo 17 >/var/lib/postgresql/data/PG_VERSION")
	got := s.cli(t, "host", "replace", "postgres-02", "--with", more[0].Name, "--address", address,
		"--yes")
	if got.code != 3 || !strings.Contains(got.stderr, "holds the data of a PostgreSQL 17") {
		t.Errorf("a host with data: exit code %d\n%s", got.code, got.stderr)
	}
	s.mustInHost(t, more[0].Name, "rm -r /var/lib/postgresql/data")
	s.testOtherLibrary(t, before, more[0])
	if s.specText(t) != before {
		t.Error("the specification was edited for what was refused")
	}
	s.checkHosts(t)
}

// testOtherLibrary lets a new host say that it has another C library than the members: dpkg's
// records are what is asked.
func (s site) testOtherLibrary(t *testing.T, text string, h lab.Host) {
	t.Helper()
	const records = "/var/lib/dpkg/status"
	s.mustInHost(t, h.Name, "cp -p "+records+" /root/records && sed -i '/^Package: libc6$/,/^$/s/"+
		"^Version: .*/Version: 9.99-1/' "+records)
	defer s.mustInHost(t, h.Name, "mv /root/records "+records)
	writeFile(t, s.specFile, []byte(text+"databases:\n  - {name: sorted, locale: de_DE.UTF-8}\n"))
	defer writeFile(t, s.specFile, []byte(text))
	s.refused(t, "it has glibc 9.99, and postgres-01 has ", "host", "replace", "postgres-02",
		"--with", h.Name, "--address", h.Address)
}

// testNobodyLeads takes the leader's host and another one out, while Patroni lets none of the other
// members lead.
func (s site) testNobodyLeads(t *testing.T, other string) {
	t.Helper()
	leader, _ := s.leader(t)
	host := s.hostOf(t, leader)
	var stay []string
	for _, h := range s.spec(t).Databases() {
		if h.Name != host && h.Name != other {
			stay = append(stay, h.Name)
		}
	}
	tag := func(from, to string) {
		for _, name := range stay {
			s.mustInHost(t, name, fmt.Sprintf("sed -i 's/nofailover: %s/nofailover: %s/' "+
				"/etc/patroni/config.yml && systemctl reload patroni", from, to))
		}
		await(t, time.Minute, "the tags nofailover: "+to, func() (bool, string) {
			out := s.mustInHost(t, host, "patronictl list -f json")
			want := len(stay)
			if to == "false" {
				want = 0
			}
			return strings.Count(out, "nofailover") == want, out
		})
	}
	tag("false", "true")
	s.refused(t, "the leader's host goes, and nobody can lead in its place", "host", "remove", host,
		other)
	tag("true", "false")
	s.checkHosts(t)
	if now, _ := s.leader(t); now != leader {
		t.Errorf("%s leads, and not %s", now, leader)
	}
}

// testRemoveKilled makes five databases, and three again by a run that is killed at the beginning
// of each of its steps and continued.
func testRemoveKilled(t *testing.T, s site, more []lab.Host) {
	before := s.specText(t)
	s.withHosts(t, more[:2]...)
	s.underWriter(t, func() {
		s.verb(t, nil, "host", "add", more[0].Name, more[1].Name)
	})
	s.checkHosts(t)
	s.testNobodyLeads(t, more[0].Name)
	five := s.specText(t)
	var dry struct {
		Changes []struct{ Name, Action string }
	}
	got := s.cli(t, "host", "remove", more[0].Name, more[1].Name, "--dry-run", "--output", "json")
	if err := json.Unmarshal([]byte(got.stdout), &dry); err != nil || len(dry.Changes) < 7 {
		t.Fatalf("the plan: %v\n%s%s", err, got.stdout, got.stderr)
	}
	s.underWriter(t, func() {
		args := []string{"host", "remove", more[0].Name, more[1].Name, "--yes"}
		for i := range dry.Changes {
			if !s.killWhen(t, fmt.Sprintf("step %d of %d:", i+1, len(dry.Changes)), args...) {
				t.Errorf("step %d was not reached", i+1)
			}
			if i == 2 {
				s.refused(t, "a change is half done: host remove", "apply")
				s.refused(t, "a change is half done", "host", "remove", "postgres-03", "postgres-02")
				show := s.cli(t, "change", "show")
				if !strings.Contains(show.stdout, "by root@") ||
					!strings.Contains(show.stdout, fmt.Sprintf("step 3 of %d", len(dry.Changes))) {
					t.Errorf("%s%s", show.stdout, show.stderr)
				}
			}
			args = []string{"change", "continue", "--yes"}
		}
		s.verb(t, nil, args...)
	})
	if five == before || s.specText(t) != before {
		t.Errorf("the specification is\n%s", s.specText(t))
	}
	s.checkHosts(t)
	for _, h := range more[:2] {
		s.checkGone(t, h.Name)
	}
}

// testAddUndone adds two databases, is killed while the first copies data, and takes it back.
func testAddUndone(t *testing.T, s site, more []lab.Host) {
	before := s.specText(t)
	for _, said := range []string{"etcd member", "unit patroni.service started"} {
		s.withHosts(t, more[:2]...)
		s.underWriter(t, func() {
			if !s.killWhen(t, said, "host", "add", more[0].Name, more[1].Name, "--yes") {
				t.Errorf("%q was not said", said)
			}
			s.verb(t, nil, "change", "undo")
		})
		if s.specText(t) != before {
			t.Errorf("the specification is\n%s", s.specText(t))
		}
		s.checkHosts(t)
		for _, h := range more[:2] {
			s.checkGone(t, h.Name)
		}
	}
}

// testApplyRemoves takes hosts out of the specification's file: plan shows it, apply refuses until
// each is named, and then does what host remove does.
func testApplyRemoves(t *testing.T, s site, more []lab.Host) {
	before := s.specText(t)
	s.withHosts(t, more[:2]...)
	s.verb(t, nil, "host", "add", more[0].Name, more[1].Name)
	writeFile(t, s.specFile, []byte(before))
	one, other := more[0].Name, more[1].Name
	if got := s.cli(t, "plan"); got.code != 2 || !strings.Contains(got.stdout, "apply --remove "+one) {
		t.Errorf("plan: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.refused(t, one+", "+other, "apply")
	s.refused(t, other, "apply", "--remove", one)
	s.underWriter(t, func() {
		if got := s.cli(t, "apply", "--yes", "--remove", one, "--remove", other); got.code != 0 {
			t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
	if s.specText(t) != before {
		t.Errorf("the specification is\n%s", s.specText(t))
	}
	s.checkHosts(t)
	s.checkGone(t, one)
	s.checkGone(t, other)
}

// testNewMachine puts an empty machine with another SSH host key in the place of a replica's, after
// the authorities were replaced.
func testNewMachine(t *testing.T, s site, _ []lab.Host) {
	_, member := s.leader(t)
	host := s.hostOf(t, member)
	const other = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	s.refused(t, "expected "+other, "host", "replace", host, "--host-key", other)
	joined := s.rotatedFirst(t, host)
	if err := s.Wipe(t.Context(), host, lab.WipeOptions{NewHostKey: true}); err != nil {
		t.Fatal(err)
	}
	s.refused(t, "host key changed", "host", "replace", host)
	shown := strings.Fields(s.mustInHost(t, host,
		"ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"))[1]
	s.underWriter(t, func() { s.verb(t, nil, "host", "replace", host, "--host-key", shown) })
	if !strings.Contains(s.specText(t), shown) {
		t.Errorf("the specification is\n%s", s.specText(t))
	}
	joined()
	s.checkHosts(t)
	s.refused(t, "it is no new machine", "host", "replace", host, "--host-key", shown)
}

// testReplaceLeader puts a new host in the place of the leader's.
func testReplaceLeader(t *testing.T, s site, more []lab.Host) {
	leader, _ := s.leader(t)
	host := s.hostOf(t, leader)
	s.underWriter(t, func() {
		s.verb(t, nil, "host", "replace", host, "--with", more[0].Name, "--address",
			more[0].Address, "--clean")
	})
	s.checkHosts(t)
	s.checkGone(t, host)
}

// testReplaceDead puts a new host in the place of a replica's whose power is gone.
func testReplaceDead(t *testing.T, s site, more []lab.Host) {
	_, other := s.leader(t)
	host := s.hostOf(t, other)
	if err := s.Kill(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	s.underWriter(t, func() {
		s.verb(t, nil, "host", "replace", host, "--with", more[1].Name, "--address",
			more[1].Address)
	})
	s.checkHosts(t)
	// Its disk has its keys still, and opens nothing with them. Its boot does not end: etcd there
	// waits for members that do not let it in.
	boot, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if err := s.StartHost(boot, host); err != nil {
		t.Log(err)
	}
	s.checkForgotten(t, host)
	ask := fmt.Sprintf("d=/etc/patroni/certs; etcdctl --cacert $d/etcd-ca.crt --cert "+
		"$d/etcd-client.crt --key $d/etcd-client.key --endpoints https://%s:2379 get / 2>&1",
		s.spec(t).EtcdHosts()[0].Address)
	await(t, time.Minute, "an answer to "+host, func() (bool, string) {
		out, code := s.inHost(t, host, "test -e /usr/local/bin/etcdctl && "+ask)
		if code == 0 {
			t.Fatalf("a host that was removed reads etcd: %s", out)
		}
		return strings.Contains(out, "certificate") || strings.Contains(out, "deadline"), out
	})
	s.checkHosts(t)
	must(struct{}{}, s.Kill(t.Context(), host))(t)
}

// testReplaceBalancer puts a new host in the place of the balancer that holds the address.
func testReplaceBalancer(t *testing.T, s site, more []lab.Host) {
	host := s.holder(t)
	s.underWriter(t, func() {
		s.verb(t, nil, "host", "replace", host, "--with", more[2].Name, "--address",
			more[2].Address)
	})
	s.checkHosts(t)
	s.checkGone(t, host)
}

// TestEtcdMoves lets three databases give etcd to hosts of its own, under a writer, by a run that
// is killed in between; the other way round it is the taking back of such a change.
func TestEtcdMoves(t *testing.T) {
	t.Parallel()
	rarely(t)
	s := newSite(t, startLab(t, lab.Options{Name: "e2e-etcd-moves", Hosts: 4, Databases: 3,
		Installed: true}), nil)
	s.apply(t, pgha.ApplyOptions{})
	var etcds []lab.Host
	for range 3 {
		larger, h, err := s.Add(t.Context(), lab.RoleEtcd)
		if err != nil {
			t.Fatal(err)
		}
		s.Lab, etcds = larger, append(etcds, h)
	}
	before := s.specText(t)
	command := []string{"host", "add", etcds[0].Name, etcds[1].Name, etcds[2].Name, "--yes"}
	for _, again := range []string{"undo", "continue"} {
		s.withHosts(t, etcds...)
		s.underWriter(t, func() {
			if !s.killWhen(t, "etcd member postgresql-02 removed", command...) {
				t.Error("nothing was killed")
			}
			s.verb(t, nil, "change", again)
		})
		if again == "undo" {
			if s.specText(t) != before {
				t.Errorf("the specification is\n%s", s.specText(t))
			}
			for _, h := range etcds {
				s.checkGone(t, h.Name)
			}
		}
		s.checkEtcd(t)
	}
	for _, h := range s.spec(t).Databases() {
		if left := s.mustInHost(t, h.Name, "systemctl is-active etcd; ls /etc/etcd /var/lib/etcd "+
			"2>&1; :"); strings.HasPrefix(left, "active") || strings.Contains(left, "member") {
			t.Errorf("etcd on %s: %s", h.Name, left)
		}
	}
	s.verify(t)
	s.applyNothing(t)
}

// checkEtcd compares etcd's own list of members with the specification.
func (s site) checkEtcd(t *testing.T) {
	t.Helper()
	s.awaitHealthy(t)
	var want []string
	for _, h := range s.spec(t).EtcdHosts() {
		want = append(want, h.Member)
	}
	got := strings.Fields(s.mustInHost(t, s.spec(t).EtcdHosts()[0].Name, "etcdctl member list | "+
		"awk -F', ' '$2 == \"started\" && $6 == \"false\" { print $3 }'"))
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members of etcd (-want +got):\n%s", diff)
	}
	if p := s.plan(t, 0); len(p.Changes) > 0 {
		t.Errorf("%d changes are planned: %v", len(p.Changes), p.Changes)
	}
}
