package labtest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha"
)

// loosened are faults of the security floor, each with the check that finds it and what that says.
// No two are for the same check, so that one verification shows that each is found by its own.
var loosened = []struct{ host, make, mend, check, says string }{
	{"postgres-02", "chmod 0644 /etc/etcd/certs/server.key",
		"chmod 0640 /etc/etcd/certs/server.key",
		"keys and passwords are readable by their owners alone",
		"postgres-02: /etc/etcd/certs/server.key has mode 0644, at most 0640 is safe"},
	{"postgres-03", "cd /etc/patroni && cp -p pgpass /root/pgpass.kept && sed -i 's/$/x/' pgpass",
		"cp -p /root/pgpass.kept /etc/patroni/pgpass && rm /root/pgpass.kept",
		"the hosts' password file opens replication", "log in as replicator to"},
	{"postgres-01",
		"cd /etc/patroni/certs && cp -p rest-client.crt /root/rest-client.kept && cat " +
			"postgres-server.crt >rest-client.crt", "cp -p /root/rest-client.kept " +
			"/etc/patroni/certs/rest-client.crt && rm /root/rest-client.kept",
		"certificates are of their own CA, named right and in date",
		"postgres-01: /etc/patroni/certs/rest-client.crt is not of the operator's CA"},
	{"haproxy-03",
		"cp -p /etc/haproxy/haproxy.cfg /root/haproxy.kept && sed -i 's/verify required/verify " +
			"none/' /etc/haproxy/haproxy.cfg", "cp -p /root/haproxy.kept " +
			"/etc/haproxy/haproxy.cfg && rm /root/haproxy.kept",
		"balancers verify Patroni's certificates", "haproxy-03: checks do not verify certificates"},
}

// testSecurityFloor loosens the cluster in several ways at once, and wants each to be found by its
// own check, and by no other.
func testSecurityFloor(t *testing.T, s site) {
	const role = "pgha_labtest_old"
	for _, f := range loosened {
		s.mustInHost(t, f.host, f.make)
	}
	member, _ := s.leader(t)
	leader := s.hostOf(t, member)
	psql := func(sql string) {
		s.mustInHost(t, leader, `runuser -u postgres -- psql -XqAt -d postgres -c "`+sql+`"`)
	}
	psql("SET password_encryption = md5; CREATE ROLE " + role + " LOGIN PASSWORD 'old'")
	want := map[string]string{"logins need SCRAM": "the password of " + role +
		" is not kept as scram-sha-256"}
	for _, f := range loosened {
		want[f.check] = f.says
	}
	s.with(t, pgha.ConnectOptions{ReadOnly: true}, func(c *pgha.Cluster) {
		checks, err := c.Verify(t.Context(), nil)
		if !errors.Is(err, pgha.ErrVerify) {
			t.Errorf("got %v, want ErrVerify", err)
		}
		for _, ck := range checks {
			if says := want[ck.Name]; ck.OK != (says == "") || !strings.Contains(ck.Problem, says) {
				t.Errorf("%s: OK is %v, problem %q, want %q", ck.Name, ck.OK, ck.Problem, says)
			}
			delete(want, ck.Name)
		}
	})
	for name := range want {
		t.Errorf("there is no check %q", name)
	}
	for _, f := range loosened {
		s.mustInHost(t, f.host, f.mend)
	}
	psql("DROP ROLE " + role)
	s.verify(t)
	// reloads whose files are newer than their process, also with what they held before
	s.apply(t, pgha.ApplyOptions{})
}

// testAdvice wants advice on every host of a healthy cluster, no warning but what a busy
// machine's disk may cause, and of what was measured.
func testAdvice(t *testing.T, s site) {
	got := s.cli(t, "advise", "--output", "json")
	var a pgha.Advice
	var losses struct {
		Losses []struct {
			What    string  `json:"what"`
			Worst   float64 `json:"worst_seconds"`
			Blocked string  `json:"blocked"`
		} `json:"losses"`
	}
	text := []byte(got.stdout)
	if err := json.Unmarshal(text, &losses); err != nil {
		t.Fatalf("%v\n%s%s", err, got.stdout, got.stderr)
	}
	leaders := 0
	for _, l := range losses.Losses {
		if strings.Contains(l.What, "(leader") {
			leaders++
			if l.Worst < 20 {
				t.Errorf("the loss of the leader costs %gs", l.Worst)
			}
		}
		if l.Blocked != "" {
			t.Errorf("%s: %s", l.What, l.Blocked)
		}
	}
	if len(losses.Losses) != 7 || leaders != 1 {
		t.Errorf("%d losses, %d of the leader: %s", len(losses.Losses), leaders, text)
	}
	s.with(t, pgha.ConnectOptions{ReadOnly: true}, func(c *pgha.Cluster) {
		var err error
		if a, err = c.Advise(t.Context(), pgha.AdviseOptions{}); err != nil {
			t.Fatal(err)
		}
	})
	for _, w := range a.Warnings() {
		if w.ID != "etcd-disk" {
			t.Errorf("a healthy cluster is warned: %+v", w)
		}
	}
	if len(a.Errors) > 0 || a.Facts.Database == nil || len(a.Facts.Hosts) != 6 ||
		len(a.Facts.RoundTrips) != 3*2+3*3 || len(a.Facts.Strangers) > 0 {
		t.Errorf("measured: %+v, errors %v", a.Facts, a.Errors)
	}
	for _, h := range s.databases() {
		f := a.Facts.Hosts[h.Name]
		if f.Sync.Samples == 0 || f.Sync.P99Seconds <= 0 || f.MemoryBytes == 0 || f.DataFree == 0 {
			t.Errorf("%s: %+v", h.Name, f)
		}
		if left := s.mustInHost(t, h.Name,
			"find /var/lib -maxdepth 2 -name '.pgha-sync*'"); left != "" {
			t.Errorf("%s: the measurement left %s behind", h.Name, left)
		}
	}
}
