package change_test

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestRolesOfMembers compares the roles of hosts with where etcd and Patroni run.
func TestRolesOfMembers(t *testing.T) {
	t.Parallel()
	const both = "roles: [database, etcd]"
	running := func(voters ...string) change.Running {
		r := change.Running{Store: &change.Store{Version: "3.6.10"}}
		for _, name := range voters {
			r.Store.Members = append(r.Store.Members, change.StoreMember{Name: name,
				PeerURLs: []string{"https://10.0.0." + name[len(name)-1:] + ":2380"}})
		}
		return r
	}
	for name, tt := range map[string]struct {
		hosts   []string
		running change.Running
		want    string // part of the refusal, "" for none
	}{
		"as it runs": {[]string{both, both, "role: etcd"}, running("h1", "h2", "h3"), ""},
		"a witness more": {
			[]string{both, both, both, "role: etcd", "role: etcd"}, running("h1", "h2", "h3"), "",
		},
		"etcd taken from the databases": {
			[]string{"role: database", "role: etcd", "role: etcd", "role: etcd"},
			running("h1", "h2", "h3"), "etcd runs on h1, which has not the role etcd",
		},
		"a witness left out": {[]string{both, "role: database"}, running("h1", "h3"),
			"etcd has the member h3 at https://10.0.0.3:2380, which is not in the specification"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp := spec.New()
			for i, roles := range tt.hosts {
				h := spec.Host{Name: "h" + string(rune('1'+i)),
					Address: "10.0.0." + string(rune('1'+i))}
				switch roles {
				case both:
					h.Roles = []spec.Role{spec.RoleDatabase, spec.RoleEtcd}
				default:
					h.Role = spec.Role(strings.TrimPrefix(roles, "role: "))
				}
				sp.Hosts = append(sp.Hosts, h)
			}
			if err := sp.Complete(); err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, r := range change.Judge(sp, tt.running) {
				said = append(said, r.String())
			}
			got := strings.Join(said, "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("refused: %q, want %q", got, tt.want)
			}
		})
	}
}
