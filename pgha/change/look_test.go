package change_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestReadRecorded reads what hosts of a lab have answered.
func TestReadRecorded(t *testing.T) {
	t.Parallel()
	yes := true
	peers := map[string]string{
		"postgresql-01": "https://192.168.0.203:2380",
		"postgresql-02": "https://192.168.0.204:2380",
		"postgresql-03": "https://192.168.0.205:2380",
	}
	for name, want := range map[string]change.Host{
		"database": {
			Etcd: &change.Etcd{
				Name: "postgresql-01", DataDir: "/var/lib/etcd", ClientPort: 2379, PeerPort: 2380,
				Peers: peers,
			},
			Server: &change.Server{DataDir: "/var/lib/postgresql/data", Port: 5432,
				Scope: "postgresql-cluster"},
			Patroni: &change.Patroni{Scope: "postgresql-cluster", Namespace: "/service/",
				Name:    "postgresql-01",
				DataDir: "/var/lib/postgresql/data", RESTPort: 8008, Port: 5432,
				Superuser:   "postgres",
				Replication: "replicator", Rewind: "rewind_user", Written: map[string]string{
					"max_connections": "100", "max_slot_wal_keep_size": "8GB",
					"password_encryption": "scram-sha-256", "shared_buffers": "256MB",
					"ssl_min_protocol_version": "TLSv1.2", "wal_log_hints": "on",
					"wal_retrieve_retry_interval": "500ms",
				}},
			Data: map[string]change.Data{
				"/var/lib/postgresql/data": {Version: 18, SystemIdentifier: "7713175239863042040",
					Checksums: &yes},
			},
			Databases: &change.Databases{
				Encoding: "UTF8", Locale: "C.UTF-8",
				Roles: []string{"postgres", "replicator", "rewind_user"},
			},
			MACs:  []string{"02:00:c0:a8:00:cb", "00:00:00:00:00:00"},
			Heard: []string{"02:00:c0:a8:00:c8"},
		},
		"balancer": {
			Data: map[string]change.Data{},
			Keepalived: &change.Keepalived{
				Address: "192.168.0.210", RouterID: 51, Source: "192.168.0.201",
				Peers: []string{"192.168.0.200", "192.168.0.202"},
			},
			MACs:  []string{"02:00:c0:a8:00:c9", "00:00:00:00:00:00"},
			Heard: []string{"02:00:c0:a8:00:c8"},
		},
	} {
		answer, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, change.Read(string(answer))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestLookOnABareHost runs the question, look.sh, where nothing of a cluster is.
func TestLookOnABareHost(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/etc/patroni/config.yml"); err == nil {
		t.Skip("this machine is a database host")
	}
	sp := spec.New()
	sp.Hosts = []spec.Host{{Name: "db1", Address: "127.0.0.1", Role: spec.RoleDatabase}}
	argv := change.Question(sp, sp.Hosts[0])
	out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	h := change.Read(string(out))
	if h.Etcd != nil || h.Server != nil || h.Patroni != nil || len(h.Data) > 0 ||
		h.Databases != nil ||
		h.Keepalived != nil {
		t.Errorf("a bare host says %+v", h)
	}
	if len(h.MACs) == 0 || !strings.Contains(string(out), "== heard\n") {
		t.Errorf("no interface, or not asked to the end: %q", out)
	}
}

func TestReadMakesNothingOfNonsense(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "== etcd", "== patroni\n\t: [", "== data\nversion x\n== server\n\n",
		"== keepalived\n}\n{\n unicast_peer {\n", "== databases\nrole\n",
	} {
		h := change.Read(text)
		if h.Etcd != nil || h.Patroni != nil || h.Databases != nil || h.Keepalived != nil {
			t.Errorf("%q says %+v", text, h)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	got := change.Scopes(map[string]string{
		"service/prod/initialize": "42",
		"service/prod/members/m1": `{"conn_url":"postgres://10.0.0.11:5432/postgres","api_url":"https://10.0.0.11:8008/patroni"}`,
		"service/prod/members/m2": "not JSON", "service/prod/leader": "m1",
		"a/b/c/initialize": "43",
		"pgha/prod/lock/1": "somebody",
	})
	want := []change.Scope{
		{Namespace: "/a/b/", Name: "c", SystemIdentifier: "43"},
		{
			Namespace: "/service/", Name: "prod", SystemIdentifier: "42",
			Members: []change.ScopeMember{
				{Name: "m1", PostgreSQL: "10.0.0.11:5432", REST: "10.0.0.11:8008"}, {Name: "m2"},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
