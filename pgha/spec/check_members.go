package spec

import (
	"fmt"
	"strings"
)

// members checks the names and tags of Patroni's members.
func (c *checker) members() {
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
				c.bad(field+".member", quoted(h.Member)+" is the name of another host, "+c.where(j), "use it on that host only")
			}
		}
		if first, again := slots[slot(h.Member)]; again {
			switch other := c.Hosts[first]; {
			case strings.EqualFold(h.Name, other.Name): // reported as the same host
			case h.Member == other.Member:
				c.bad(field+".member", quoted(h.Member)+" is the member of "+c.where(first)+", too", "give each member its own name")
			default:
				c.bad(field+".member", fmt.Sprintf("%q and %q of %s would share the replication slot %q", h.Member, other.Member, c.where(first), slot(h.Member)), "rename one of the two")
			}
		} else {
			slots[slot(h.Member)] = i
		}
		c.tags(field+".tags", h)
	}
	c.candidates()
	c.upstreams()
	c.synchronousTags()
}

// slot is the name that Patroni gives to a member's replication slot.
func slot(member string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToLower(member))
}
