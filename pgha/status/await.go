package status

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
)

// AwaitHealthy polls until Status.Healthy holds, and returns that status. Only ctx bounds the wait:
// after its deadline the error matches errs.ErrTimeout and says what was not healthy at the last
// look. Changes nothing.
func AwaitHealthy(ctx context.Context, c *site.Site) (Status, error) {
	var last Status
	err := poll.Until(ctx, poll.Options{
		What: "a healthy cluster", Every: 200 * time.Millisecond,
		Next: errs.Text("%s shows it, %s tells which layer is at fault", errs.Verb("status"),
			errs.Verb("verify")),
	}, func(ctx context.Context) (string, error) {
		status, err := Look(ctx, c)
		if err != nil {
			return "", err
		}
		last = status
		return strings.Join(status.Problems(), "; "), nil
	})
	return last, err
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
		switch state := strings.TrimSpace(m.Role + " " + m.State); {
		case m.Healthy:
		case state == "":
			add("nothing is known about member %s", m.Name)
		default:
			add("member %s is %s on timeline %d", m.Name, state, m.Timeline)
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
			add("etcd on %s is not healthy: %s", e.Name, cmp.Or(e.Error, "it does not answer"))
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
	for _, host := range slices.Sorted(maps.Keys(s.Unreachable)) {
		add("%s", s.Unreachable[host])
	}
	if s.UnfinishedReset != "" {
		add("%s", s.UnfinishedReset)
	}
	return found
}
