package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/spec"
)

// TestWhoRunsWhat has the hosts of each role, by the roles that the specification gives.
func TestWhoRunsWhat(t *testing.T) {
	t.Parallel()
	type who struct{ Databases, Etcd, Balancers, Members string }
	for name, tt := range map[string]struct {
		hosts []string
		want  who
	}{
		"no host names etcd": {
			[]string{"a, role: database", "b, role: database", "c, role: database",
				"l, role: balancer"},
			who{"a b c", "a b c", "l", "a b c"},
		},
		"two databases and a witness": {
			[]string{"a, roles: [database, etcd]", "b, roles: [database, etcd]", "w, role: etcd"},
			who{"a b", "a b w", "", "a b w"},
		},
		"etcd on hosts of its own": {
			[]string{"x, role: etcd", "a, role: database", "b, role: database", "y, role: etcd",
				"z, roles: [etcd]"},
			who{"a b", "x y z", "", "x a b y z"},
		},
		"databases that are balancers": {
			[]string{"a, roles: [database, balancer]", "b, roles: [database, balancer]",
				"c, roles: [balancer, database]"},
			who{"a b c", "a b c", "a b c", "a b c"},
		},
		"databases of which one has etcd": {
			[]string{"a, roles: [database, etcd]", "b, role: database", "c, roles: [database]"},
			who{"a b c", "a", "", "a b c"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "version: 1\nhosts:\n"
			for i, h := range tt.hosts {
				text += fmt.Sprintf("  - {address: 10.0.0.%d, name: %s}\n", i+1, h)
			}
			text += "balancer: {write_port: 5000, read_port: 5001}\n"
			s := parse(t, "pgha.yaml", text)
			got := who{names(s.Databases()), names(s.EtcdHosts()), names(s.Balancers()),
				names(s.MemberHosts())}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, h := range s.Hosts {
				member := h.Has(spec.RoleDatabase) || h.Has(spec.RoleEtcd)
				if (h.Priority > 0) != h.Has(spec.RoleBalancer) {
					t.Errorf("%s has the priority %d", h.Name, h.Priority)
				}
				if (h.Member != "") != member {
					t.Errorf("%s has the member %q", h.Name, h.Member)
				}
			}
			written, err := s.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.Hosts, parse(t, "pgha.yaml", string(written)).Hosts); diff != "" {
				t.Errorf("written and read again: -want +got:\n%s", diff)
			}
		})
	}
}

func names(hosts []spec.Host) string {
	var list []string
	for _, h := range hosts {
		list = append(list, h.Name)
	}
	return strings.Join(list, " ")
}

// TestExampleOfLayouts: every layout's example is a specification of its hosts.
func TestExampleOfLayouts(t *testing.T) {
	t.Parallel()
	const member = "postgres-01 postgres-02"
	for name, want := range map[string][3]string{ // databases, hosts of etcd, balancers
		"six-hosts": {member + " postgres-03", member + " postgres-03",
			"haproxy-01 haproxy-02 haproxy-03"},
		"three-hosts": {member + " postgres-03", member + " postgres-03", member + " postgres-03"},
		"witness":     {member, member + " witness-01", member},
		"separate-etcd": {member, "etcd-01 etcd-02 etcd-03",
			"haproxy-01 haproxy-02"},
		"one-balancer":    {member + " postgres-03", member + " postgres-03", "haproxy-01"},
		"no-balancer":     {member + " postgres-03", member + " postgres-03", ""},
		"two-and-witness": {member, member + " witness-01", ""},
	} {
		text, err := spec.ExampleOf(name)
		if err != nil {
			t.Fatal(err)
		}
		s := parse(t, "pgha.yaml", string(text))
		got := [3]string{names(s.Databases()), names(s.EtcdHosts()), names(s.Balancers())}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if (s.VIP != nil) != (len(s.Balancers()) > 1) {
			t.Errorf("%s: %d balancers and the virtual IP %v", name, len(s.Balancers()), s.VIP)
		}
	}
	if got := len(spec.Layouts()); got != 7 {
		t.Errorf("%d layouts: give the new one a row", got)
	}
	if _, err := spec.ExampleOf("seven-hosts"); err == nil {
		t.Error("an unknown layout has an example")
	}
}
