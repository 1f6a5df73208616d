package engine

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/lb"
)

// RefuseSilentBalancers refuses (errs.ErrRefused) a change that every HAProxy has to take part in
// while one of them does not answer.
func RefuseSilentBalancers(ctx context.Context, r *job.Job) error {
	if len(r.Spec.Balancers()) == 0 {
		return nil
	}
	lo, err := BalancerOptions(r)
	if err != nil {
		return err
	}
	states, err := lb.State(ctx, lo)
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.Err != nil {
			return fmt.Errorf("%w: %w", errs.ErrRefused, s.Err)
		}
	}
	return nil
}
