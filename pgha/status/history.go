package status

import (
	"context"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
)

// History returns the cluster's changes of timeline, the oldest first: every promotion, with
// PostgreSQL's reason, the time and the member that became leader. A new cluster has none. Changes
// nothing. See patroni.History for its errors.
func History(ctx context.Context, c *site.Site) ([]patroni.HistoryEntry, error) {
	po, err := c.PatroniOptions()
	if err != nil {
		return nil, err
	}
	return patroni.History(ctx, po)
}
