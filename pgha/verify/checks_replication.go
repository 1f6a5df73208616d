package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/health"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// feedSQL lists who streams from a member, and the address of the member itself.
const feedSQL = `SELECT coalesce(host(inet_server_addr()), ''), application_name, coalesce(pg_wal_lsn_diff(
	CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, replay_lsn), 0)::bigint, sync_state
	FROM (VALUES (1)) one LEFT JOIN pg_stat_replication ON state = 'streaming' ORDER BY application_name`

// feed is who streams from one member, each with a line for people.
type feed struct {
	member string
	lines  map[string]string
}

// checkReplication asks the primary, and each member that feeds others, who streams from it.
func checkReplication(ctx context.Context, c *site.Site) (string, error) {
	primary, err := feedOf(ctx, c, c.WriteRoute())
	if err != nil {
		return "", err
	}
	lines := primary.lines
	fed := health.Upstreams(primary.member, c.Promises(),
		func(member string) bool { return slices.Contains(c.MemberNames(), member) })
	for _, upstream := range slices.Compact(slices.Sorted(maps.Values(fed))) {
		if upstream == "" || upstream == primary.member {
			continue
		}
		route, err := c.MemberRoute(upstream)
		if err != nil {
			return "", err
		}
		below, err := feedOf(ctx, c, route)
		if err != nil {
			return "", fmt.Errorf("%s, which feeds others: %w", upstream, err)
		}
		for name, line := range below.lines {
			lines[name] = line + ", through " + upstream
		}
	}
	var silent []string
	for _, member := range c.MemberNames() {
		if _, streams := lines[member]; fed[member] != "" && !streams {
			silent = append(silent, member+" from "+fed[member])
		}
	}
	if len(silent) > 0 {
		return "", fmt.Errorf("not streaming: %s", strings.Join(silent, ", "))
	}
	return strings.Join(slices.Sorted(maps.Values(lines)), "; "), nil
}

// feedOf asks one member who streams from it.
func feedOf(ctx context.Context, c *site.Site, route site.Route) (f feed, err error) {
	f.lines = map[string]string{}
	err = c.WithSQL(ctx, route, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, feedSQL)
		if err != nil {
			return err
		}
		var address string
		var name, sync *string
		var lag int64
		_, err = pgx.ForEachRow(rows, []any{&address, &name, &lag, &sync}, func() error {
			f.member = c.MemberAt(address)
			if name != nil && sync != nil {
				f.lines[*name] = fmt.Sprintf("%s %s, %d bytes behind", *name, *sync, lag)
			}
			return nil
		})
		return err
	})
	return f, err
}
