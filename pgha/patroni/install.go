package patroni

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

// Install puts configuration and certificates on every member's host, all hosts at once, and keeps
// the package's own units out of Patroni's way. It starts nothing. The packages of Layout and
// ServerLayout must be installed.
//
// What it writes: ConfigPath (checked by patroni --validate-config before it replaces the old one),
// /root/.config/patroni/patronictl.yaml, with which patronictl finds the cluster,
// beside it the passwords that replicas log in with and the verifiers that the roles of a new
// cluster get, CertsDir, the command /usr/local/lib/pgha/move-etcd-leader that Patroni calls back,
// the unit pgha-watch.service that wakes Patroni when PostgreSQL dies, with SuspectAfter the unit
// pgha-failover.service and the timer beside it, drop-ins for Patroni's unit
// and the package's, and the folder of the data directory if it is missing. A running Patroni is
// not told; Bootstrap does that. Safe to repeat. The error gathers every host that failed, in the
// order of the members.
func Install(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	wishes, err := wishes(o, func(Member) []remote.Resource { return nil })
	if err != nil {
		return err
	}
	return parallel.Each(o.Members, func(i int, m Member) error {
		return ensure(ctx, m, wishes[i])
	})
}

// wishes are all that the members' hosts should have: the files of this package, and what more
// adds.
func wishes(o Options, more func(Member) []remote.Resource) ([][]remote.Resource, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	wishes := make([][]remote.Resource, len(o.Members))
	for i, m := range o.Members {
		if m.Target == nil {
			return nil, fmt.Errorf("%w: member %s has no target", ErrInvalid, m.Name)
		}
		resources, err := host.Resources(o, m)
		if err != nil {
			return nil, err
		}
		wishes[i] = append(resources, more(m)...)
	}
	return wishes, nil
}

func ensure(ctx context.Context, m Member, wishes []remote.Resource) error {
	_, err := m.Target.Ensure(ctx, wishes...)
	return remote.OnHost(m.Target.Name, err)
}

// eachMember runs f for all members at once and gathers their errors in the members' order.
func eachMember(o Options, f func(Member) error) error {
	return parallel.Each(o.Members, func(_ int, m Member) error {
		return remote.OnHost(m.Target.Name, f(m))
	})
}
