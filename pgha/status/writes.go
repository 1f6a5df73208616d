package status

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// writesWithin bounds the question whether applications can write.
const writesWithin = 5 * time.Second

// questionWrites asks a server whether it is a replica, and for how long somebody's commit has
// waited for a synchronous replica.
const questionWrites = `SELECT pg_is_in_recovery(), coalesce((SELECT extract(epoch FROM max(now() - state_change))
FROM pg_stat_activity WHERE wait_event = 'SyncRep'), 0)::float8`

// longWait is from when on a commit that waits is no ordinary one.
const longWait = 5 * time.Second

// noWrites says why an application could not write now, on the way that it takes; "" when it could.
// Nothing is written.
func noWrites(ctx context.Context, c *site.Site) string {
	ctx, cancel := context.WithTimeout(ctx, writesWithin)
	defer cancel()
	route := c.WriteRoute()
	at := hostport.Join(route.Host, route.Port)
	var replica bool
	var waits float64
	err := c.WithSQL(ctx, route, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, questionWrites).Scan(&replica, &waits)
	})
	switch waiting := time.Duration(waits * float64(time.Second)); {
	case err != nil:
		return fmt.Sprintf("no writes through %s: %s", at, oneLine(err))
	case replica:
		return fmt.Sprintf("no writes through %s: it leads to a replica", at)
	case waiting > longWait:
		return fmt.Sprintf("writes through %s have waited %s for a synchronous replica", at,
			waiting.Round(time.Second))
	}
	return ""
}

func writeProblems(s Status) []string {
	if s.NoWrites == "" {
		return nil
	}
	return []string{s.NoWrites}
}
