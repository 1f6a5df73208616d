package remote

import (
	"context"
	"sync"

	"github.com/pgha/toolkit/internal/errlist"
)

// Each runs f for every target at the same time and returns once all are done. Errors name their host and come in the
// order of the targets, however fast each was.
func Each(ctx context.Context, targets []*Target, f func(context.Context, *Target) error) error {
	errs := make([]error, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() { errs[i] = OnHost(t.Name, f(ctx, t)) })
	}
	wg.Wait()
	return errlist.Join(errs...)
}
