package doctor

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/spec"
)

// withRoles are the facts of a cluster of two databases and a witness that has gone.
func withRoles(t *testing.T) Facts {
	t.Helper()
	sp, err := spec.Parse("pgha.yaml", []byte(`version: 1
hosts:
  - {name: db1, address: 10.0.0.1, roles: [database, etcd, balancer]}
  - {name: db2, address: 10.0.0.2, role: database}
  - {name: w, address: 10.0.0.3, role: etcd}
  - {name: lb, address: 10.0.0.4, role: balancer}
  - {name: v, address: 10.0.0.5, role: etcd}
balancer: {write_port: 5000, read_port: 5001}
`))
	if err != nil {
		t.Fatal(err)
	}
	f := Facts{Spec: sp}
	for _, h := range sp.Hosts {
		f.Hosts = append(f.Hosts, &Host{Name: h.Name, Address: h.Address, Member: h.Member,
			Role: h.Role, Roles: h.Roles})
	}
	return f
}

// TestHostsOfRoles: rules ask the hosts on which there is what they are about, each once.
func TestHostsOfRoles(t *testing.T) {
	t.Parallel()
	f := withRoles(t)
	for name, tt := range map[string]struct {
		hosts []*Host
		want  string
	}{
		"databases": {f.databases(), "db1 db2"}, "voters": {f.voters(), "db1 w v"},
		"balancers": {f.balancers(), "db1 lb"}, "members": {f.members(), "db1 db2 w v"},
		"answering": {f.answering(), "db1 lb db2 w v"},
	} {
		var got []string
		for _, h := range tt.hosts {
			got = append(got, h.Name)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s are %v, want %s", name, got, tt.want)
		}
	}
}

// TestUnreachableOfRoles: what is lost with a host is what its roles say.
func TestUnreachableOfRoles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"db1": "one copy of the data and one vote of etcd less: ",
		"db2": "one copy of the data less: ", "w": "one vote of etcd less: ",
		"lb": "one balancer less",
	} {
		f := withRoles(t)
		f.host(name).Error = "connection timed out"
		found := hostsUnreachable(f)
		if len(found) != 1 || !strings.HasPrefix(found[0].Consequence, want) {
			t.Errorf("%s: %+v, want %q", name, found, want)
		}
	}
	f := withRoles(t)
	f.host("w").Error, f.host("v").Error = "connection timed out", "connection timed out"
	if found := hostsUnreachable(f); len(found) != 2 ||
		!strings.Contains(found[0].Consequence, "etcd has no majority") {
		t.Errorf("two of three hosts of etcd are away: %+v", found)
	}
}
