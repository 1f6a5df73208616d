package site

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/spec"
)

const separated = `version: 1
hosts:
  - {name: lb1, address: 10.0.0.1, role: balancer}
  - {name: e1, address: 10.0.0.2, role: etcd}
  - {name: db1, address: 10.0.0.3, roles: [database, etcd]}
  - {name: db2, address: 10.0.0.4, role: database}
  - {name: e2, address: 10.0.0.5, role: etcd}
`

// TestUnitsOfRoles: a host has the services of its roles, in the order in which they are started.
func TestUnitsOfRoles(t *testing.T) {
	t.Parallel()
	sp, err := spec.Parse("pgha.yaml", []byte(separated))
	if err != nil {
		t.Fatal(err)
	}
	c := &Site{Spec: sp}
	for name, want := range map[string]string{
		"lb1": "haproxy.service", "e1": "etcd.service", "db1": "etcd.service patroni.service",
		"db2": "patroni.service",
	} {
		h, err := sp.Host(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(c.UnitsOf(h), " "); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
}

// TestEtcdOfRoles: etcd's members, and the endpoints that Patroni is told, are the hosts that run
// etcd.
func TestEtcdOfRoles(t *testing.T) {
	t.Parallel()
	sp, err := spec.Parse("pgha.yaml", []byte(separated))
	if err != nil {
		t.Fatal(err)
	}
	c := (&Site{Spec: sp}).Hold(&vault.Credentials{})
	eo, err := c.EtcdOptions()
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, m := range eo.Members {
		members = append(members, m.Name)
	}
	po, err := c.PatroniOptions()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"e1", "db1", "e2"}; !slices.Equal(members, want) {
		t.Errorf("etcd's members are %v, want %v", members, want)
	}
	want := []string{"10.0.0.2:2379", "10.0.0.3:2379", "10.0.0.5:2379"}
	if !slices.Equal(po.EtcdEndpoints, want) || len(po.Members) != 2 {
		t.Errorf("Patroni has %d members and the endpoints %v", len(po.Members), po.EtcdEndpoints)
	}
}
