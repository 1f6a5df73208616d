package spec

import (
	"fmt"
	"slices"

	"github.com/pgha/toolkit/pgha/errs"
)

// ErrUnknownHost is what errors.Is finds where no host or member has the name that was asked for.
var ErrUnknownHost = errs.New(errs.NotFound, "unknown host")

// Databases returns the hosts with RoleDatabase in the spec's order.
func (s *Spec) Databases() []Host { return s.withRole(RoleDatabase) }

// Balancers returns the hosts with RoleBalancer in the spec's order.
func (s *Spec) Balancers() []Host { return s.withRole(RoleBalancer) }

func (s *Spec) withRole(role Role) []Host {
	return slices.DeleteFunc(slices.Clone(s.Hosts), func(h Host) bool { return h.Role != role })
}

// Host returns the host with that name, or the one whose member has it. Any other name is
// ErrUnknownHost; the error suggests the nearest one.
func (s *Spec) Host(name string) (Host, error) {
	var names []string
	for _, h := range s.Hosts {
		if h.Name == name || h.Member != "" && h.Member == name {
			return h, nil
		}
		names = append(names, h.Name)
		if h.Member != "" && h.Member != h.Name {
			names = append(names, h.Member)
		}
	}
	return Host{}, fmt.Errorf("%w %q; %s", ErrUnknownHost, name, didYouMean(name, names))
}
