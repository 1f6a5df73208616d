package verify

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/status"
)

// poolerChecks are those of a cluster with a pooler.
func poolerChecks(now moment) []check {
	return []check{
		{"poolers answer and hold nobody", errs.Text("journalctl -u pgha-pooler-write on the " +
			"balancer named"), now.is(func(s status.Status) string {
			return fmt.Sprintf("%d of them", len(s.Poolers))
		}, status.PartPoolers)},
		{"SQL through the poolers lands on the primary and on a replica",
			errs.Text("check haproxy, and journalctl -u pgha-pooler-write -u pgha-pooler-read on " +
				"the balancer with the address"),
			func(ctx context.Context, c *site.Site) (string, error) { return "", site.PingPools(ctx, c) }},
		{"the poolers refuse connections without TLS", errs.Text("client_tls_sslmode must be "+
			"require: %s", errs.Verb("apply")), checkPoolerPlain},
	}
}

// checkPoolerPlain tries to log in without TLS.
func checkPoolerPlain(ctx context.Context, c *site.Site) (string, error) {
	for _, r := range site.PoolRoutes(c) {
		r.Plain = true
		conn, err := c.Connect(ctx, r)
		if err == nil {
			_ = conn.Close(ctx)
			return "", fmt.Errorf("port %d lets a session in that is not encrypted", r.Port)
		}
	}
	return "", ctx.Err()
}
