package spec

import (
	"fmt"
	"regexp"
	"slices"
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
		c.roles(field, h)
		c.roleFields(field, h)
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

// roles checks what a host is for: one role, or a list of several.
func (c hostChecker) roles(field string, h Host) {
	if _, given := c.d.at[field+".roles"]; !given && len(h.Roles) == 0 {
		oneOf(c.checker, field+".role", h.Role, everyRole...)
		return
	}
	field += ".roles"
	switch {
	case h.Role != "":
		c.bad(field, "stands beside role: "+string(h.Role), "delete one of the two")
	case len(h.Roles) == 0:
		c.bad(field, "is empty", "write the host's roles, such as roles: [database, etcd]")
	}
	for i, role := range h.Roles {
		oneOf(c.checker, element(field, i), role, everyRole...)
		if slices.Contains(h.Roles[:i], role) {
			c.bad(field, "names "+string(role)+" twice", "name each role once")
		}
	}
}

// everyRole are the roles that a host can have.
var everyRole = []Role{RoleDatabase, RoleEtcd, RoleBalancer}

// roleFields reports what stands at a host of the wrong role, whichever others it has.
func (c hostChecker) roleFields(field string, h Host) {
	switch {
	case h.Has(RoleBalancer):
		if h.Interface != "" && !interfaceSyntax.MatchString(h.Interface) {
			c.bad(field+".interface", quoted(h.Interface)+" cannot be a network interface",
				"write its name as ip link shows it, such as enp0s3")
		}
	case h.Has(RoleDatabase) || h.Has(RoleEtcd):
		if h.Priority != 0 {
			c.bad(field+".priority", "is for balancers",
				"delete it; Patroni's tag failover_priority ranks database hosts")
		}
		if h.Interface != "" {
			c.bad(field+".interface", "is for balancers, which carry the virtual IP", "delete it")
		}
	}
	if h.Has(RoleDatabase) {
		return
	}
	where := "a balancer"
	if h.Has(RoleEtcd) {
		where = "a host of etcd alone"
	} else if h.Has(RoleBalancer) && h.Member != "" {
		c.bad(field+".member", "is for database hosts: no Patroni runs on a balancer",
			"delete it")
	}
	if (h.Has(RoleEtcd) || h.Has(RoleBalancer)) && len(h.Tags) > 0 {
		c.bad(field+".tags", "is for database hosts: no Patroni runs on "+where, "delete it")
	}
}

var interfaceSyntax = regexp.MustCompile(syntax.Interface)

// counts checks how many hosts of each role there are, once every host's role is known.
func (c hostChecker) counts() {
	for i, h := range c.Hosts {
		field := element("hosts", i)
		for _, role := range h.listed() {
			if !slices.Contains(everyRole, role) || c.d.isLost(field+".role") ||
				c.d.isLost(field+".roles") {
				return
			}
		}
	}
	switch n := len(c.Databases()); {
	case n == 0:
		c.bad("hosts", "no host has the role database",
			"give one, three or five hosts role: database")
	case !c.namesEtcd():
		c.etcdOnDatabases(n)
	default:
		c.etcdByName(len(c.EtcdHosts()))
		if n > mostDatabases {
			c.bad("hosts", fmt.Sprintf("%d hosts have the role database; pgha knows clusters of "+
				"up to %d", n, mostDatabases), fmt.Sprintf("use %d or fewer", mostDatabases))
		}
	}
	if n := len(c.Balancers()); c.VIP != nil && n < 2 {
		c.bad("vip",
			fmt.Sprintf("a virtual IP needs two balancers to move between and there are %d", n),
			"add hosts with role: balancer, or delete the section vip")
	}
}

// The most hosts of a role that a cluster can have.
const (
	mostDatabases = 9
	mostEtcd      = 7
)

// etcdOnDatabases checks how many members etcd has where the databases run it.
func (c hostChecker) etcdOnDatabases(n int) {
	switch {
	case n > mostEtcd:
		c.bad("hosts",
			fmt.Sprintf("%d database hosts make %d etcd members: more than seven slow every "+
				"write to etcd down",
				n, n), "use 7 database hosts, or 5 or 3, or write roles: [database, etcd] for "+
				"those that shall run etcd")
	case n%2 == 0:
		c.bad("hosts",
			fmt.Sprintf("%d database hosts make %d etcd members: an even number survives no more "+
				"failures than %d",
				n, n, n-1),
			fmt.Sprintf("use %d or %d database hosts, or write roles: [database, etcd] for them "+
				"and add a witness with role: etcd", n-1, n+1))
	}
}

// etcdByName checks how many members etcd has where hosts have its role.
func (c hostChecker) etcdByName(n int) {
	switch {
	case n > mostEtcd:
		c.bad("hosts", fmt.Sprintf("%d hosts have the role etcd: more than seven members slow "+
			"every write to etcd down", n), "give the role to 3, 5 or 7 hosts")
	case n%2 == 0:
		c.bad("hosts", fmt.Sprintf("%d hosts have the role etcd: an even number of members "+
			"survives no more failures than %d", n, n-1),
			fmt.Sprintf("give the role to %d or %d hosts; one that has no database has role: etcd",
				n-1, n+1))
	}
}

func (c hostChecker) priorities() {
	taken := map[int]int{}
	for i, h := range c.Hosts {
		if !h.Has(RoleBalancer) {
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

// members checks the names and tags of Patroni's members, and the names of etcd's.
func (c hostChecker) members() {
	slots := map[string]int{}
	for i, h := range c.Hosts {
		if !h.Has(RoleDatabase) && !h.Has(RoleEtcd) || h.Name == "" {
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
		if h.Has(RoleDatabase) {
			c.tags(field+".tags", h)
		}
	}
	c.candidates()
	c.upstreams()
	c.synchronousTags()
}

// SlotOf is the name that Patroni gives to a member's replication slot.
func SlotOf(member string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToLower(member))
}
