package lb

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/remote"
)

// Trust puts the PatroniCA of the options in place on every balancer, one after the other: each
// HAProxy is reloaded, and must answer and see the primary again, if it saw it, before the next one
// begins. A reload cuts no session. Nothing else of the options but Balancers, Last and Wait
// matters. Safe to repeat; a HAProxy that does not run is left so. Errors are those of Configure;
// balancers behind a failed one are left as they were.
func Trust(ctx context.Context, o Options) error {
	if err := checkCA(o.PatroniCA); err != nil {
		return fmt.Errorf("change what HAProxy trusts: %w: %w", ErrInvalid, err)
	}
	o = o.withDefaults()
	resources := []remote.Resource{
		remote.File{FileMeta: remote.FileMeta{Path: caPath}, Content: o.PatroniCA},
		remote.Unit{Name: Unit, ReloadOn: []string{caPath}},
	}
	all := make([]int, len(o.Balancers))
	for i := range all {
		all[i] = i
	}
	if err := o.rollOut(ctx, nil, all, resources); err != nil {
		return fmt.Errorf("change what HAProxy trusts: %w", err)
	}
	return nil
}
