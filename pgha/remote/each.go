package remote

import (
	"context"

	"github.com/pgha/toolkit/internal/parallel"
)

// Each runs f for every target at the same time and returns once all are done. Errors name their
// host and come in the order of the targets, however fast each was.
func Each(ctx context.Context, targets []*Target, f func(context.Context, *Target) error) error {
	return parallel.Each(targets, func(_ int, t *Target) error { return OnHost(t.Name, f(ctx, t)) })
}
