package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/scalar"
	"github.com/pgha/toolkit/internal/suggest"
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
}

// slot is the name that Patroni gives to a member's replication slot.
func slot(member string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToLower(member))
}

// knownTags are Patroni's own, with the type of their value.
var knownTags = map[string]string{
	"nofailover": "boolean", "noloadbalance": "boolean", "clonefrom": "boolean", "nosync": "boolean", "nostream": "boolean",
	"failover_priority": "number", "sync_priority": "number", "replicatefrom": "member",
}

func (c *checker) tags(field string, h Host) {
	for _, name := range slices.Sorted(maps.Keys(h.Tags)) {
		at, value := join(field, name), h.Tags[name]
		switch knownTags[name] {
		case "boolean":
			if _, ok := value.(bool); !ok {
				c.bad(at, fmt.Sprintf("%v is not a boolean", value), unquotedOr(value, "write true or false"))
			}
		case "number":
			if n, ok := value.(int); !ok || n < 0 {
				c.bad(at, fmt.Sprintf("%v is not a whole number from 0 on", value), unquotedOr(value, "write a number such as 1; 0 means never"))
			}
		case "member":
			c.replicateFrom(at, h, fmt.Sprint(value))
		default:
			if near := suggest.Nearest(name, slices.Sorted(maps.Keys(knownTags))); near != "" {
				c.bad(at, "is not a tag of Patroni but nearly one", "did you mean "+near+"?")
			}
			switch value.(type) {
			case nil, []any, map[string]any:
				c.bad(at, "is not a single value", "write text, a number, true or false")
			}
		}
	}
	if priority, ok := h.Tags["failover_priority"].(int); ok && h.Tags["nofailover"] == true && priority > 0 {
		c.bad(join(field, "failover_priority"), fmt.Sprintf("%d contradicts nofailover: true", priority), "keep one of the two")
	}
}

// unquotedOr is the remedy for text where quotes alone may be wrong.
func unquotedOr(value any, remedy string) string {
	text, ok := value.(string)
	if !ok {
		return remedy
	}
	_, noBool := scalar.Bool(text)
	n, noNumber := scalar.Whole(text)
	if (noBool == nil && strings.Contains(remedy, "true")) || (noNumber == nil && n >= 0 && strings.Contains(remedy, "number")) {
		return "write " + text + " without quotes"
	}
	return remedy
}

func (c *checker) replicateFrom(field string, h Host, source string) {
	var others []string
	for _, o := range c.Databases() {
		if o.Member != h.Member {
			others = append(others, o.Member)
		}
	}
	if !slices.Contains(others, source) {
		c.bad(field, quoted(source)+" is not another member", didYouMean(source, others))
	}
}

// candidates checks that the cluster can have a leader at all.
func (c *checker) candidates() {
	first, may := -1, 0
	for i, h := range c.Hosts {
		if h.Role != RoleDatabase {
			continue
		}
		if first < 0 {
			first = i
		}
		if h.Tags["nofailover"] != true && h.Tags["failover_priority"] != 0 {
			may++
		} else if i == first {
			c.bad(element("hosts", i)+".tags", "the first database host starts the cluster as its leader, but its tags keep it from leading", "list another database host first")
		}
	}
	if databases := len(c.Databases()); databases > 1 && may == 1 {
		c.bad("hosts", fmt.Sprintf("only one of %d database hosts may lead: there is nobody to fail over to", databases), "take the tag nofailover from another one")
	}
}
