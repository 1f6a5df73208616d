package status

import (
	"context"
	"sync"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// resetStatus asks the database hosts for the mark.
func resetStatus(ctx context.Context, c *site.Site, s *Status) error {
	var mu sync.Mutex
	return remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
		if h, err := c.Spec.Host(t.Name); err != nil || h.Role != spec.RoleDatabase {
			return err
		}
		res, err := t.Batch(ctx, site.LookAtReset)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if text := site.UnfinishedReset(string(res[0].Stdout)); text != "" {
			s.UnfinishedReset = text
		}
		return nil
	})
}
