package labtest

import (
	"strings"
	"testing"
	"time"
)

// testHosts looks at the database hosts from inside: the local login, file permissions, and what
// must not be there.
func testHosts(t *testing.T, s site) {
	const login = `runuser -u postgres -- psql -XAtq -c 'SELECT current_user'`
	cursors := map[string]string{}
	for _, h := range s.databases() {
		if got := s.mustInHost(t, h.Name, login); got != "postgres" {
			t.Errorf("%s: the local login gave %q", h.Name, got)
		}
		cursors[h.Name] = s.mustInHost(t, h.Name,
			"journalctl -u patroni -n 0 --show-cursor | sed -n 's/^-- cursor: //p'")
		s.mustInHost(t, h.Name, "systemctl reload patroni")
	}
	for _, h := range s.databases() {
		await(t, 30*time.Second, "Patroni to reload on "+h.Name, func() (bool, string) {
			out := s.mustInHost(t, h.Name, "journalctl --no-pager -u patroni -o cat "+
				"--after-cursor='"+
				cursors[h.Name]+"'")
			lower := strings.ToLower(out)
			return strings.Contains(lower, "nothing to reload") ||
				strings.Contains(lower, "reloading postgresql configuration"), out
		})
		if got := s.mustInHost(t, h.Name, login); got != "postgres" {
			t.Errorf("%s: the local login gave %q after a reload", h.Name, got)
		}
		for script, want := range map[string]string{
			"stat -c '%U:%G %a' /etc/patroni/certs/postgres-server.key": "postgres:postgres 600",
			"stat -c '%U:%G %a' /etc/patroni/config.yml":                "postgres:postgres 600",
			"stat -c '%U:%G %a' /etc/etcd/certs/server.key":             "root:etcd 640",
			"pg_lsclusters -h": "",
			"systemctl list-units 'postgresql@*' --no-legend --plain":                 "",
			"systemctl show -p ActiveState --value postgresql.service":                "inactive",
			"pgrep -c -f '^[^ ]*/bin/postgres '":                                      "1",
			`sed -n 's/^ETCD_INITIAL_CLUSTER_STATE="\(.*\)"/\1/p' /etc/etcd/etcd.env`: "existing",
			"systemctl list-units --failed --no-legend --plain":                       "",
		} {
			if got, _ := s.inHost(t, h.Name, script); got != want {
				t.Errorf("%s: %s: got %q, want %q", h.Name, script, got, want)
			}
		}
	}
}
