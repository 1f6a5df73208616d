package power

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// TestRefuseStartOfRoles: etcd's quorum is counted over the hosts that run it.
func TestRefuseStartOfRoles(t *testing.T) {
	t.Parallel()
	sp, err := spec.Parse("pgha.yaml", []byte(`version: 1
hosts:
  - {name: db1, address: 10.0.0.1, role: database}
  - {name: db2, address: 10.0.0.2, role: database}
  - {name: e1, address: 10.0.0.3, role: etcd}
  - {name: e2, address: 10.0.0.4, role: etcd}
  - {name: e3, address: 10.0.0.5, role: etcd}
`))
	if err != nil {
		t.Fatal(err)
	}
	looks := func(voters string) map[string]hostlook.Look {
		all := map[string]hostlook.Look{}
		for _, h := range sp.Hosts {
			unit, state := patroni.Unit, "inactive"
			if h.Role == spec.RoleEtcd {
				unit, state = etcd.Unit, voters
			}
			all[h.Name] = hostlook.Look{Active: map[string]string{unit: state},
				Enabled: map[string]string{unit: "enabled"}}
		}
		return all
	}
	for name, c := range map[string]struct {
		voters string
		hosts  []string
		says   string
	}{
		"everything":                   {"inactive", []string{"db1", "db2", "e1", "e2", "e3"}, ""},
		"etcd alone":                   {"inactive", []string{"e1", "e2"}, ""},
		"too few of etcd":              {"inactive", []string{"e1"}, "1 of its 3 members"},
		"databases without etcd":       {"inactive", []string{"db1", "db2"}, "0 of its 3 members"},
		"databases beside etcd":        {"active", []string{"db1", "db2"}, ""},
		"databases and too few voters": {"inactive", []string{"db1", "e2"}, "1 of its 3 members"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := errs.ErrRefused
			if c.says == "" {
				is = nil
			}
			checkRefusal(t, refuseStart(sp, looks(c.voters), named(sp, c.hosts...), false), is,
				c.says)
		})
	}
}

// TestRebootOrderOfRoles: a host of etcd alone comes before the leader's, and a replica with the
// address after one without.
func TestRebootOrderOfRoles(t *testing.T) {
	t.Parallel()
	all := []spec.Role{spec.RoleDatabase, spec.RoleEtcd, spec.RoleBalancer}
	sp := &spec.Spec{Hosts: []spec.Host{
		{Name: "db1", Member: "db1", Roles: all}, {Name: "db2", Member: "db2", Roles: all},
		{Name: "db3", Member: "db3", Roles: all},
		{Name: "w", Member: "w", Role: spec.RoleEtcd},
		{Name: "lb", Role: spec.RoleBalancer},
	}}
	s := status.Status{Members: []status.MemberStatus{{Name: "db1", Role: "leader"}},
		VIP: &status.VIPStatus{Holders: []string{"db2"}}}
	left := sp.Hosts
	var order []string
	for len(left) > 0 {
		h := nextToReboot(left, s)
		order = append(order, h.Name)
		left = site.Without(left, []spec.Host{h})
	}
	if got := strings.Join(order, " "); got != "lb db3 w db2 db1" {
		t.Errorf("the order is %s", got)
	}
}
