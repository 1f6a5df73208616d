package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/spec"
)

const pooled = `version: 1
hosts:
  - {name: db-1, address: 10.0.0.1, role: database}
  - {name: lb-1, address: 10.0.0.2, role: balancer}
  - {name: lb-2, address: 10.0.0.3, role: balancer}
vip: {address: 10.0.0.9}
`

// TestPoolSizes: whatever the sizes are made from, all poolers together leave PostgreSQL what it
// and others need.
func TestPoolSizes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"defaults": {"pooler: {}", "26 12 []"},
		"replicas apart": {"pooler: {}\nbalancer: {read_fallback_to_primary: false}",
			"38 38 []"},
		"databases": {"pooler: {mode: session}\ndatabases: [{name: a}, " +
			"{name: b, pool_connections: 4, pool_mode: transaction}, {name: c, ensure: absent}]",
			"26 12 [{a session 22 9} {b transaction 4 2}]"},
		"more room": {"pooler: {reserved_connections: 50}\npostgresql: {parameters: " +
			"{max_connections: 500, superuser_reserved_connections: 10, reserved_connections: 4}}",
			"144 72 []"},
	} {
		s, err := spec.Parse("x.yaml", []byte(pooled+c.text))
		if err != nil {
			t.Fatal(name, err)
		}
		p := s.PoolSizes()
		if got := fmt.Sprintf("%d %d %v", p.Write, p.Read, p.Databases); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		write, read := 0, 0
		for _, d := range p.Databases {
			write, read = write+d.Write, read+d.Read
		}
		if write > p.Write || read > p.Read {
			t.Errorf("%s: databases have %d and %d of %d and %d", name, write, read, p.Write, p.Read)
		}
	}
}

// TestPoolSizesFit tries many databases on little room: what is taken fits.
func TestPoolSizesFit(t *testing.T) {
	t.Parallel()
	taken := 0
	for most := 25; most < 120; most++ {
		for n := range 12 {
			var names []string
			for i := range n {
				names = append(names, fmt.Sprintf("{name: d%d, pool_connections: %d}", i, i%4))
			}
			text := fmt.Sprintf("%spooler: {}\npostgresql: {parameters: {max_connections: %d}}\n"+
				"databases: [%s]", pooled, most, strings.Join(names, ", "))
			s, err := spec.Parse("x.yaml", []byte(text))
			if err != nil {
				continue
			}
			taken++
			p := s.PoolSizes()
			write, read := 0, 0
			for _, d := range p.Databases {
				write, read = write+d.Write, read+d.Read
				if d.Write < 1 || d.Read < 1 {
					t.Fatalf("%d, %d databases: %v", most, n, p)
				}
			}
			// Two balancers, each with two sessions that look passwords up.
			if write > p.Write || read > p.Read || 2*(p.Write+p.Read+2)+10+10 > most {
				t.Fatalf("%d, %d databases: %v", most, n, p)
			}
		}
	}
	if taken < 100 {
		t.Errorf("only %d were taken", taken)
	}
}
