// Package parallel does the same to many at the same time.
package parallel

import (
	"sync"

	"github.com/pgha/toolkit/pgha/errs"
)

// Each runs f for every item at the same time and returns once all are done, with their errors in
// the items' order, however fast each was.
func Each[T any](items []T, f func(i int, item T) error) error {
	failed := make([]error, len(items))
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() { failed[i] = f(i, item) })
	}
	wg.Wait()
	return errs.Join(failed...)
}
