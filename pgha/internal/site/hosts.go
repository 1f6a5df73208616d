package site

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// MemberNames returns the names of all members, in the order of the specification.
func (c *Site) MemberNames() []string {
	var names []string
	for _, h := range c.Spec.Databases() {
		names = append(names, h.Member)
	}
	return names
}

// ControlCommand prints the control file of the data directory.
func (c *Site) ControlCommand() []string {
	return []string{fmt.Sprintf("/usr/lib/postgresql/%d/bin/pg_controldata",
		c.Spec.PostgreSQL.Version),
		"-D", c.Spec.PostgreSQL.DataDir}
}

// Member returns the member's name for the name of a member or of its host, and refuses hosts
// that have none and names that are none, with the nearest one there is.
func (c *Site) Member(name string) (string, error) {
	h, err := c.Spec.Host(name)
	if err == nil && !h.Has(spec.RoleDatabase) {
		what := "balancer"
		if h.Has(spec.RoleEtcd) {
			what = "host of etcd alone"
		}
		err = fmt.Errorf("%s is a %s, not a member of the database cluster", h.Name, what)
	}
	if err != nil {
		var names []string
		for _, d := range c.Spec.Databases() {
			names = append(names, d.Member)
		}
		return "", remote.WithHint(fmt.Errorf("%w: %w", patroni.ErrInvalid, err),
			"the members are "+strings.Join(names, ", "))
	}
	return h.Member, nil
}

// MemberHost returns the host that a member lives on.
func (c *Site) MemberHost(member string) (spec.Host, error) { return c.Spec.Host(member) }

// Members translates several names.
func (c *Site) Members(names []string) ([]string, error) {
	var members []string
	for _, name := range names {
		m, err := c.Member(name)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

// Chosen returns the hosts with these names, or with these members, in the spec's order; all of
// them for no names.
func (c *Site) Chosen(names []string) ([]spec.Host, error) {
	if len(names) == 0 {
		return slices.Clone(c.Spec.Hosts), nil
	}
	wanted := map[string]bool{}
	for _, name := range names {
		h, err := c.Spec.Host(name)
		if err != nil {
			return nil, errs.WithNext(fmt.Errorf("%w: %w", patroni.ErrInvalid, err),
				errs.Text("%s lists hosts and members", errs.Verb("status")))
		}
		wanted[h.Name] = true
	}
	return slices.DeleteFunc(slices.Clone(c.Spec.Hosts),
		func(h spec.Host) bool { return !wanted[h.Name] }), nil
}

// Only returns those of the hosts that run what the role stands for.
func Only(sp *spec.Spec, role spec.Role, hosts []spec.Host) []spec.Host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h spec.Host) bool {
		return !sp.Runs(h, role)
	})
}

// Without returns hosts without those of the others.
func Without(hosts, others []spec.Host) []spec.Host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h spec.Host) bool {
		return Among(others, h.Name)
	})
}

// Among tells whether a host or member of that name is one of the hosts.
func Among(hosts []spec.Host, name string) bool {
	return slices.ContainsFunc(hosts,
		func(h spec.Host) bool { return h.Name == name || h.Member != "" && h.Member == name })
}

// HostNames returns the names of hosts.
func HostNames(hosts []spec.Host) []string {
	list := make([]string, len(hosts))
	for i, h := range hosts {
		list[i] = h.Name
	}
	return list
}

// HostNameOf returns the name of the host that a member lives on.
func (c *Site) HostNameOf(member string) string {
	h, err := c.MemberHost(member)
	if err != nil {
		return ""
	}
	return h.Name
}
