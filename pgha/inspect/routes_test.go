package inspect

import (
	"slices"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestRoutesOfRoles: who opens connections to whom follows from what runs on the hosts.
func TestRoutesOfRoles(t *testing.T) {
	t.Parallel()
	sp, err := spec.Parse("pgha.yaml", []byte(`version: 1
hosts:
  - {name: db1, address: 10.0.0.1, roles: [database, etcd]}
  - {name: db2, address: 10.0.0.2, role: database}
  - {name: e1, address: 10.0.0.3, role: etcd}
  - {name: e2, address: 10.0.0.4, role: etcd}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range Routes(&site.Site{Spec: sp}) {
		got = append(got, r.From+" "+r.To+" "+r.Port)
	}
	slices.Sort(got)
	want := []string{
		"db1 db2 5432", "db1 db2 8008",
		"db1 e1 2379", "db1 e1 2380", "db1 e2 2379", "db1 e2 2380",
		"db2 db1 2379", "db2 db1 5432", "db2 db1 8008", "db2 e1 2379", "db2 e2 2379",
		"e1 db1 2380", "e1 e2 2380", "e2 db1 2380", "e2 e1 2380",
	}
	if !slices.Equal(got, want) {
		t.Errorf("routes are\n%q, want\n%q", got, want)
	}
}
