package spec

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pgha/toolkit/internal/syntax"
)

// hostChecker checks the hosts, and the members of Patroni that the database hosts become: names,
// roles, priorities and tags, each and together.
type hostChecker struct{ *checker }

func (c hostChecker) hosts() {
	if len(c.Hosts) == 0 {
		c.bad("hosts", "is missing", "list the machines: - {name: postgres-01, address: "+
			"192.168.0.203, role: database}")
		return
	}
	names := map[string]int{}
	for i, h := range c.Hosts {
		field := element("hosts", i)
		if h.Name == "" {
			c.bad(field+".name", "is missing", "give the host a name, such as postgres-01")
		} else {
			c.name(field+".name", h.Name, "a host", 64)
		}
		key := strings.ToLower(h.Name)
		if first, again := names[key]; again && h.Name != "" {
			c.bad(field+".name", quoted(h.Name)+" is the name of "+c.where(first)+", too",
				"give each host its own")
		} else {
			names[key] = i
		}
		oneOf(c.checker, field+".role", h.Role, RoleDatabase, RoleBalancer)
		c.balancerFields(field, h)
		for j, name := range h.DNSNames {
			c.name(element(field+".dns_names", j), name, "a host", 253)
		}
	}
	c.counts()
	c.priorities()
}

// where names a host in a message about another one.
func (c *checker) where(i int) string {
	field := element("hosts", i)
	if p, ok := c.d.at[field]; ok {
		return fmt.Sprintf("%s on line %d", field, p.line)
	}
	return field
}

// balancerFields reports what stands at a host of the wrong role.
func (c hostChecker) balancerFields(field string, h Host) {
	switch h.Role {
	case RoleDatabase:
		if h.Priority != 0 {
			c.bad(field+".priority", "is for balancers",
				"delete it; Patroni's tag failover_priority ranks database hosts")
		}
		if h.Interface != "" {
			c.bad(field+".interface", "is for balancers, which carry the virtual IP", "delete it")
		}
	case RoleBalancer:
		if h.Member != "" {
			c.bad(field+".member", "is for database hosts: no Patroni runs on a balancer",
				"delete it")
		}
		if len(h.Tags) > 0 {
			c.bad(field+".tags", "is for database hosts: no Patroni runs on a balancer",
				"delete it")
		}
		if h.Interface != "" && !interfaceSyntax.MatchString(h.Interface) {
			c.bad(field+".interface", quoted(h.Interface)+" cannot be a network interface",
				"write its name as ip link shows it, such as enp0s3")
		}
	}
}

var interfaceSyntax = regexp.MustCompile(syntax.Interface)

// counts checks how many hosts of each role there are, once every host's role is known.
func (c hostChecker) counts() {
	for i, h := range c.Hosts {
		if h.Role != RoleDatabase && h.Role != RoleBalancer ||
			c.d.isLost(element("hosts", i)+".role") {
			return
		}
	}
	switch n := len(c.Databases()); {
	case n == 0:
		c.bad("hosts", "no host has the role database",
			"give one, three or five hosts role: database")
	case n > 7:
		c.bad("hosts",
			fmt.Sprintf("%d database hosts make %d etcd members: more than seven slow every "+
				"write to etcd down",
				n, n), "use 7 database hosts, or 5 or 3")
	case n%2 == 0:
		c.bad("hosts",
			fmt.Sprintf("%d database hosts make %d etcd members: an even number survives no more "+
				"failures than %d",
				n, n, n-1),
			fmt.Sprintf("use %d or %d database hosts", n-1, n+1))
	}
	if n := len(c.Balancers()); c.VIP != nil && n < 2 {
		c.bad("vip",
			fmt.Sprintf("a virtual IP needs two balancers to move between and there are %d", n),
			"add hosts with role: balancer, or delete the section vip")
	}
}

func (c hostChecker) priorities() {
	taken := map[int]int{}
	for i, h := range c.Hosts {
		if h.Role != RoleBalancer {
			continue
		}
		field := element("hosts", i) + ".priority"
		within(c.checker, field, h.Priority, 1, 254)
		if first, again := taken[h.Priority]; again {
			c.bad(field, fmt.Sprintf("%d is the priority of %s, too", h.Priority, c.where(first)),
				"give each balancer its own; without one they get 100, 90, 80 and so on")
		} else {
			taken[h.Priority] = i
		}
	}
}

// members checks the names and tags of Patroni's members.
func (c hostChecker) members() {
	slots := map[string]int{}
	for i, h := range c.Hosts {
		if h.Role != RoleDatabase || h.Name == "" {
			continue
		}
		field := element("hosts", i)
		// The name is a DNS name of the member's certificates, and part of their common name.
		if h.Member != h.Name {
			c.name(field+".member", h.Member, "a member", 56)
		}
		for j, other := range c.Hosts {
			if i != j && h.Member != h.Name && h.Member == other.Name {
				c.bad(field+".member", quoted(h.Member)+" is the name of another host, "+c.where(j),
					"use it on that host only")
			}
		}
		if first, again := slots[SlotOf(h.Member)]; again {
			switch other := c.Hosts[first]; {
			case strings.EqualFold(h.Name, other.Name): // reported as the same host
			case h.Member == other.Member:
				c.bad(field+".member", quoted(h.Member)+" is the member of "+c.where(first)+", too",
					"give each member its own name")
			default:
				c.bad(field+".member", fmt.Sprintf("%q and %q of %s would share the replication "+
					"slot %q",
					h.Member, other.Member, c.where(first), SlotOf(h.Member)),
					"rename one of the two")
			}
		} else {
			slots[SlotOf(h.Member)] = i
		}
		c.tags(field+".tags", h)
	}
	c.candidates()
	c.upstreams()
	c.synchronousTags()
}

// SlotOf is the name that Patroni gives to a member's replication slot.
func SlotOf(member string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToLower(member))
}
