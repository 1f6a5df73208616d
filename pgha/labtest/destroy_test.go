package labtest

import (
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
)

// ofTheCluster prints what a host should have nothing of after destroy: files that say who wrote
// them, units that are there or enabled, programs of etcd, helpers (copies of what others had put
// in their place stay), and what is in the data directories.
const ofTheCluster = `
grep -rl 'Written by pgha' /etc /usr/local 2>/dev/null
ls -d /etc/etcd /etc/patroni/certs /etc/patroni/pgpass /usr/local/bin/etcd* \
	/var/lib/pgha /etc/systemd/system/*pgha* /etc/systemd/system/etcd.service 2>/dev/null
find /usr/local/lib/pgha -type f ! -name '*.pgha-orig-*' 2>/dev/null
systemctl list-unit-files --state=enabled --no-legend etcd.service patroni.service haproxy.service \
	keepalived.service pgha-watch.service
pgrep -x 'etcd|postgres|patroni|haproxy|keepalived'
ls -A /var/lib/etcd /var/lib/postgresql/data 2>/dev/null | grep -v ':$' | grep .
:`

// testDestroy takes the cluster off its hosts, also when it is killed on the way; what packages
// bring and the state directory stay, and the next apply makes a new cluster.
func testDestroy(t *testing.T, s site) {
	name := s.spec(t).Cluster
	files := digests(t, s)
	if got := s.cli(t, "destroy", "--dry-run"); got.code != 0 ||
		!strings.Contains(got.stderr, "/etc/patroni/config.yml") {
		t.Errorf("dry run: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := s.cli(t, "destroy", "--yes-destroy", "another"); got.code != 64 {
		t.Errorf("another cluster's name: exit code %d\n%s", got.code, got.stderr)
	}
	for host, lines := range digests(t, s) {
		if len(lines) != len(files[host]) {
			t.Errorf("a dry run has changed files of %s", host)
		}
	}
	s.killAt(t, "emptied", "destroy", "--yes-destroy", name)
	await(t, 2*time.Minute, "a run that finishes", func() (bool, string) {
		got := s.cli(t, "destroy", "--yes-destroy", name)
		if got.code != 0 && got.code != 5 {
			t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
		return got.code == 0, got.stderr
	})
	for _, h := range s.Hosts() {
		if left := s.mustInHost(t, h.Name, ofTheCluster); left != "" {
			t.Errorf("left on %s:\n%s", h.Name, left)
		}
	}
	start := time.Now()
	s.apply(t, pgha.ApplyOptions{})
	t.Logf("a new cluster on the same hosts after %s", time.Since(start).Round(time.Second))
	s.awaitHealthy(t)
	s.verify(t)
}
