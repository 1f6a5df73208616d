package status

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
)

// AwaitHealthy looks until Status.Healthy holds, and returns that status. The ctx bounds the wait: when it ends first the
// error matches patroni.ErrTimeout and says what was not healthy at the last look. Changes nothing.
func AwaitHealthy(ctx context.Context, c *site.Site) (Status, error) {
	start := time.Now()
	var last Status
	for {
		status, err := Look(ctx, c)
		if err == nil {
			if last = status; status.Healthy() {
				return status, nil
			}
		}
		select {
		case <-ctx.Done():
			if context.Cause(ctx) == context.Canceled {
				return last, fmt.Errorf("wait for a healthy cluster: %w", ctx.Err())
			}
			return last, &patroni.TimeoutError{What: "a healthy cluster", After: time.Since(start), Seen: strings.Join(last.Problems(), "; "),
				Look: "pgha-cli status shows it, pgha-cli verify tells which layer is at fault"}
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Problems says in words what keeps the status from being Healthy; empty when it is.
func (s Status) Problems() []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	leaders, etcdLeaders := 0, 0
	for _, m := range s.Members {
		if m.Role == string(patroni.RoleLeader) {
			leaders++
		}
		if !m.Healthy {
			add("member %s is %s on timeline %d", m.Name, strings.TrimSpace(m.Role+" "+m.State), m.Timeline)
		}
	}
	if leaders != 1 {
		add("the cluster has %d leaders", leaders)
	}
	for _, e := range s.Etcd {
		if e.Leader {
			etcdLeaders++
		}
		if !e.Healthy {
			add("etcd on %s is not healthy: %s", e.Name, e.Error)
		}
	}
	if etcdLeaders != 1 {
		add("etcd has %d leaders", etcdLeaders)
	}
	for _, b := range s.Balancers {
		if b.Error != "" {
			add("balancer %s: %s", b.Host, b.Error)
		} else if len(b.Primary) != 1 {
			add("balancer %s sends writes to %d members", b.Host, len(b.Primary))
		}
	}
	if s.VIP != nil && len(s.VIP.Holders) != 1 {
		add("%s is held by %d balancers", s.VIP.Address, len(s.VIP.Holders))
	}
	if s.UnfinishedReset != "" {
		add("%s", s.UnfinishedReset)
	}
	for _, host := range slices.Sorted(maps.Keys(s.Unreachable)) {
		add("host %s has no connection", host)
	}
	return found
}
