package lb

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/internal/rollout"
	"github.com/pgha/toolkit/pgha/remote"
)

// Trust puts the PatroniCA of the options in place on every balancer, one after the other, that of
// Options.Last behind the others: each HAProxy is reloaded, and must answer and see the primary
// again, if it saw it, before the next one begins. A reload cuts no session, and refuses none.
// Nothing else of the options but Balancers, Last and Wait matters. A balancer that is left out
// stays as it is. Safe to repeat; a HAProxy that does not run is left so. Errors are those of
// Configure; balancers behind a failed one are left as they were.
func Trust(ctx context.Context, o Options) error {
	if err := checkCA(o.PatroniCA); err != nil {
		return fmt.Errorf("change what HAProxy trusts: %w: %w", ErrInvalid, err)
	}
	o = o.withDefaults()
	resources := []remote.Resource{
		remote.File{FileMeta: remote.FileMeta{Path: caPath}, Content: o.PatroniCA},
		remote.Unit{Name: Unit, ReloadOn: []string{caPath}},
	}
	// What its runtime socket offers for this (commit ssl ca-file) says that it succeeded, and
	// changes nothing for servers without a certificate of their own (3.2.26).
	_, inTurn, err := rollout.Sort(len(o.Balancers), func(i int) (rollout.Need, error) {
		if o.Balancers[i].LeftOut {
			return rollout.Nothing, nil
		}
		needs, err := o.Balancers[i].Preview(ctx, resources...)
		if !needs.Any() {
			return rollout.Nothing, err
		}
		return rollout.InTurn, err
	})
	if err == nil {
		err = o.rollOut(ctx, nil, inTurn, resources)
	}
	if err != nil {
		return fmt.Errorf("change what HAProxy trusts: %w", err)
	}
	return nil
}
