package labtest

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// TestCluster provisions six hosts once and then holds the cluster to everything that is promised
// of it. Each subtest leaves it healthy.
func TestCluster(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Options{Name: "e2e-testing", Release: "testing"})
	started := time.Now()
	secrets := needles{}
	s := newSite(t, l, func(text string) string { return text + canaryFiles(t, secrets) })
	freshApply(t, s, secrets)

	runPart(t, "healthy", func(t *testing.T) {
		s.verify(t)
		checkWhole(t, s.status(t))
	})
	runPart(t, "second apply", func(t *testing.T) {
		before := digests(t, s)
		s.applyNothing(t)
		if diff := cmp.Diff(before, digests(t, s)); diff != "" {
			t.Errorf("files changed (-before +after):\n%s", diff)
		}
	})
	runPart(t, "hosts", func(t *testing.T) { testHosts(t, s) })
	runPart(t, "psql", func(t *testing.T) { testPsql(t, s) })
	runPart(t, "strangers", func(t *testing.T) { testStrangers(t, s) })
	runPart(t, "security floor", func(t *testing.T) { testSecurityFloor(t, s) })
	runPart(t, "advice", func(t *testing.T) { testAdvice(t, s) })
	runPart(t, "another lab", testAnotherLab)
	runPart(t, "blocked port", func(t *testing.T) { testBlockedPort(t, s) })
	runPart(t, "unreachable host", func(t *testing.T) { testUnreachable(t, s, secrets) })
	runPart(t, "power loss", func(t *testing.T) { testPowerLoss(t, s) })
	runPart(t, "without hosts", func(t *testing.T) { testWithout(t, s) })
	runPart(t, "etcd leader", func(t *testing.T) { testEtcdLeader(t, s) })
	runPart(t, "no secret shows", func(t *testing.T) { testNoSecretShows(t, s, started, secrets) })
}

// canaryFiles gives the cluster passwords that are hard to quote and easy to find.
func canaryFiles(t *testing.T, secrets needles) string {
	t.Helper()
	text := "secrets:\n"
	for _, name := range []string{"superuser", "replication", "rewind"} {
		password, core := canary()
		file := filepath.Join(t.TempDir(), name)
		writeFile(t, file, []byte(password+"\n"))
		secrets.addCore("the "+name+" password", core)
		text += fmt.Sprintf("  %s_password_file: %q\n", name, file)
	}
	return text
}

// freshApply provisions the bare hosts while all processes and events are watched for secrets.
func freshApply(t *testing.T, s site, secrets needles) {
	t.Helper()
	var mu sync.Mutex
	var events strings.Builder
	observe := func(e pgha.Event) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&events, "%s %s %s %s %v\n", e.Kind, e.Phase, e.Host, e.Message, e.Err)
		if e.Change != nil {
			fmt.Fprintf(&events, "%+v\n", *e.Change)
		}
	}
	s.with(t, pgha.ConnectOptions{}, func(c *pgha.Cluster) {
		// The keys are made by the first apply that begins to change anything; what to watch for
		// has to be known before.
		begin := []pgha.Phase{{Name: "begin", Run: func(context.Context, *pgha.Run) error {
			return nil
		}}}
		if _, err := c.Apply(t.Context(), pgha.ApplyOptions{Phases: begin}); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{"ca", "certs"} {
			secrets.addKeys(t, filepath.Join(s.StateDir(), dir))
		}
		watch := secrets.watchProcesses(t, s, "postgres-01")
		report, err := c.Apply(t.Context(), pgha.ApplyOptions{Observer: observe})
		watch.end(t, report.Duration)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("fresh apply: %d changes in %s", len(report.Changes),
			report.Duration.Round(100*time.Millisecond))
		if len(report.Changes) == 0 {
			t.Error("a fresh apply reported no changes")
		}
	})
	secrets.check(t, "an event of apply", []byte(events.String()))
}

// checkWhole wants one leader, everybody else streaming, all of etcd, and one holder of the
// address.
func checkWhole(t *testing.T, status pgha.Status) {
	t.Helper()
	roles, etcdLeaders, etcdHealthy := map[string]int{}, 0, 0
	for _, m := range status.Members {
		roles[m.Role+" "+m.State]++
		if !m.Healthy {
			t.Errorf("member %s is not healthy: %+v", m.Name, m)
		}
	}
	for _, e := range status.Etcd {
		if e.Healthy {
			etcdHealthy++
		}
		if e.Leader {
			etcdLeaders++
		}
	}
	want := map[string]int{"leader running": 1, "replica streaming": 2}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	if etcdHealthy != 3 || etcdLeaders != 1 {
		t.Errorf("etcd has %d healthy members and %d leaders, want 3 and 1", etcdHealthy,
			etcdLeaders)
	}
	if status.VIP == nil || len(status.VIP.Holders) != 1 {
		t.Errorf("holders of the address: %+v, want one", status.VIP)
	}
	if len(status.Errors) > 0 || len(status.Unreachable) > 0 {
		t.Errorf("status has errors: %v, unreachable: %v", status.Errors, status.Unreachable)
	}
}

// managed are the folders of every file that apply writes on hosts.
const managed = "/etc/etcd /etc/patroni /etc/haproxy /etc/keepalived /etc/systemd/system " +
	"/etc/apt /etc/postgresql-common " +
	"/etc/needrestart /etc/ssl /usr/local"

// digests returns content, owner, mode and time of every managed file, by host.
func digests(t *testing.T, s site, except ...string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, h := range s.Hosts() {
		if slices.Contains(except, h.Name) {
			continue
		}
		out := s.mustInHost(t, h.Name, "find $(ls -d "+managed+
			" 2>/dev/null) -type f -printf '%p %u:%g %m %TY-%Tm-%TdT%TT ' -exec sha256sum {} \\; "+
			"| cut -d' ' -f1-5 | sort")
		all[h.Name] = strings.Split(out, "\n")
	}
	return all
}

// testNoSecretShows comes last, so that all that happened before is in the journals.
func testNoSecretShows(t *testing.T, s site, since time.Time, secrets needles) {
	cas := needles{}
	cas.addKeys(t, filepath.Join(s.StateDir(), "ca"))
	for _, h := range s.Hosts() {
		secrets.check(t, "the journal of "+h.Name,
			[]byte(s.mustInHost(t, h.Name, "journalctl --no-pager --all -o cat")))
		checkDisk(t, s, h.Name, since, secrets, cas)
	}
	for _, args := range [][]string{
		{"apply"}, {"apply", "--output", "json"}, {"verify"}, {"status"},
		{"status", "--output", "json"},
		{"connection"},
	} {
		got := s.cli(t, args...)
		if got.code != 0 {
			t.Errorf("pgha-cli %v: exit code %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
		secrets.check(t, fmt.Sprintf("pgha-cli %v", args), []byte(got.stdout+got.stderr))
	}
	var status pgha.Status
	if err := json.Unmarshal([]byte(s.cli(t, "status", "--output", "json").stdout),
		&status); err != nil {
		t.Fatal(err)
	}
	checkWhole(t, status)
}
