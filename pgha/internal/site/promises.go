package site

import (
	"slices"

	"github.com/pgha/toolkit/pgha/health"
)

// Promises are what the specification's tags promise of each member.
func (c *Site) Promises() map[string]health.Promise {
	all := map[string]health.Promise{}
	for _, h := range c.Spec.Databases() {
		all[h.Member] = health.PromiseOf(h.Tags)
	}
	return all
}

// Readers are the members that take reads from the balancers while another one leads, in the order
// of the specification.
func (c *Site) Readers(leader string) []string {
	var names []string
	for _, h := range c.Spec.Databases() {
		if h.Member != leader && health.PromiseOf(h.Tags).Reads {
			names = append(names, h.Member)
		}
	}
	return names
}

// MemberAt is the member with an address, or "".
func (c *Site) MemberAt(address string) string {
	for _, h := range c.Spec.Databases() {
		if h.Address == address {
			return h.Member
		}
	}
	return ""
}

// Missing are those of the wanted names that are not among the others.
func Missing(wanted, there []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted),
		func(name string) bool { return slices.Contains(there, name) })
}
