// Package layouts has the layouts of clusters that are known by name: which hosts there are, and
// what each is for.
package layouts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/suggest"
)

// The roles of hosts, as the specification spells them.
const (
	database = "database"
	etcd     = "etcd"
	balancer = "balancer"
)

// Layout is one of them.
type Layout struct {
	Name string
	// Summary says in a line what it is.
	Summary string
	Hosts   []Host
}

// Host is one machine.
type Host struct {
	Name string
	// Member is the name of its Patroni and etcd members where it is not the host's.
	Member string
	Roles  []string
}

// Default is the name of the layout that is meant where none is named.
const Default = "six-hosts"

// All returns the layouts. Balancers come first, as in a lab.
func All() []Layout {
	return []Layout{
		{Default, "three databases and three balancers",
			slices.Concat(of(3, "haproxy", balancer), of(3, "postgres", database))},
		{"three-hosts", "three databases, each of which is a balancer, too",
			of(3, "postgres", database, balancer)},
		{"witness", "two databases, which are the balancers, and a witness that only votes",
			slices.Concat(of(2, "postgres", database, etcd, balancer), of(1, "witness", etcd))},
		{"separate-etcd", "two balancers, three hosts of etcd, and two databases without it",
			slices.Concat(of(2, "haproxy", balancer), of(3, "etcd", etcd),
				of(2, "postgres", database))},
		{"one-balancer", "three databases behind one balancer, without a virtual IP",
			slices.Concat(of(1, "haproxy", balancer), of(3, "postgres", database))},
		{"no-balancer", "three databases, to which clients connect themselves",
			of(3, "postgres", database)},
		{"two-and-witness", "two databases and a witness, to which clients connect themselves",
			slices.Concat(of(2, "postgres", database, etcd), of(1, "witness", etcd))},
	}
}

// of are so many hosts with these roles.
func of(n int, name string, roles ...string) []Host {
	var hosts []Host
	for i := range n {
		h := Host{Name: fmt.Sprintf("%s-%02d", name, i+1), Roles: roles}
		if name == "postgres" {
			h.Member = fmt.Sprintf("postgresql-%02d", i+1)
		}
		hosts = append(hosts, h)
	}
	return hosts
}

// Names returns the names of the layouts.
func Names() []string {
	var names []string
	for _, l := range All() {
		names = append(names, l.Name)
	}
	return names
}

// Named returns the layout of that name; the error says which there are.
func Named(name string) (Layout, error) {
	for _, l := range All() {
		if l.Name == name {
			return l, nil
		}
	}
	remedy := "write one of " + strings.Join(Names(), ", ")
	if near := suggest.Nearest(name, Names()); near != "" {
		remedy = "did you mean " + near + "?"
	}
	return Layout{}, fmt.Errorf("layout %q is not known; %s", name, remedy)
}

// Balancers counts them.
func (l Layout) Balancers() int { return l.count(func(h Host) bool { return h.has(balancer) }) }

// Shared tells whether HAProxy runs on a database's host, so that it needs ports of its own.
func (l Layout) Shared() bool {
	return l.count(func(h Host) bool { return h.has(balancer) && h.has(database) }) > 0
}

func (l Layout) count(is func(Host) bool) int {
	n := 0
	for _, h := range l.Hosts {
		if is(h) {
			n++
		}
	}
	return n
}

func (h Host) has(role string) bool { return slices.Contains(h.Roles, role) }

// Field writes the roles as a field of a host in the specification.
func (h Host) Field() string { return RolesField(h.Roles) }

// RolesField writes roles as a field of a host in the specification: "role: database", or
// "roles: [database, etcd]" for several.
func RolesField(roles []string) string {
	if len(roles) == 1 {
		return "role: " + roles[0]
	}
	return "roles: [" + strings.Join(roles, ", ") + "]"
}

// The ports of HAProxy where PostgreSQL has its own on the same host.
const (
	SharedWritePort = 5000
	SharedReadPort  = 5001
)
