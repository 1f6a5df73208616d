package drill

import (
	"context"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
)

// read reads the newest row of a run through the port of the replicas at a fixed rate, until ctx
// ends. Ticks that find a read still under way are let go.
func read(ctx context.Context, s *session, within time.Duration, table pgx.Identifier, run string,
	rate float64, members map[netip.Addr]string, seen func(Read)) {
	defer s.drop()
	sql := "SELECT coalesce(host(inet_server_addr()), ''), coalesce((SELECT max(seq) FROM " +
		table.Sanitize() + " WHERE run = $1), 0)"
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		r := Read{At: time.Now()}
		var address string
		err := s.do(ctx, within, func(ctx context.Context, c *pgx.Conn) error {
			return c.QueryRow(ctx, sql, pgx.QueryExecModeSimpleProtocol, run).Scan(&address, &r.Seq)
		})
		r.Done = time.Now()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.Error, r.Seq = err.Error(), 0
		} else if a, err := netip.ParseAddr(address); err == nil {
			r.Member = members[a.Unmap()]
		}
		seen(r)
	}
}
