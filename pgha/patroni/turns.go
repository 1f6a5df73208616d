package patroni

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/remote"
)

// rollOut puts every member's host right. Those whose Patroni does not run yet go at the same time: they serve nobody, and a
// new cluster forms the quicker. Running ones take turns.
func (o Options) rollOut(ctx context.Context, wishes [][]remote.Resource) error {
	needs := make([]remote.Changes, len(o.Members))
	err := parallel.Each(o.Members, func(i int, m Member) (err error) {
		needs[i], err = m.Target.Preview(ctx, wishes[i]...)
		return remote.OnHost(m.Target.Name, err)
	})
	if err != nil {
		return err
	}
	var fresh, running []int
	for i := range o.Members {
		switch {
		case !needs[i].Any():
		case needs[i].Starts(Unit):
			fresh = append(fresh, i)
		default:
			running = append(running, i)
		}
	}
	if len(fresh) > 0 {
		if err := o.Adopt(ctx); err != nil {
			return err
		}
	}
	err = parallel.Each(fresh, func(_, i int) error { return ensure(ctx, o.Members[i], wishes[i]) })
	if err != nil || len(running) == 0 {
		return err
	}
	return o.takeTurns(ctx, running, wishes)
}

// inTurn returns the indices of the members in the order in which they are changed one after the other: first those that are
// not healthy anyway, then replicas, the leader last.
func (o Options) inTurn(state ClusterState) []int {
	leader, _ := state.Leader()
	rank := func(m Member) int {
		switch {
		case !state.Healthy(m.Name):
			return 0
		case m.Name != leader.Name:
			return 1
		}
		return 2
	}
	order := make([]int, len(o.Members))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(o.Members[a]) - rank(o.Members[b]) })
	return order
}

// takeTurns changes running members one after the other. One that was healthy must have read its new configuration and be
// healthy again before the next one begins.
func (o Options) takeTurns(ctx context.Context, members []int, wishes [][]remote.Resource) error {
	c := NewClient(o)
	before, err := c.Cluster(ctx)
	if err != nil && ctx.Err() != nil {
		return err
	}
	for _, i := range o.inTurn(before) {
		if !slices.Contains(members, i) {
			continue
		}
		m := o.Members[i]
		old := o.oldConfig(ctx, m)
		changes, err := m.Target.Ensure(ctx, wishes[i]...)
		if err == nil && changes.Touched(Unit) && before.Healthy(m.Name) && !o.planning() {
			if err = c.waitReloaded(ctx, m); err == nil && changes.Touched(ConfigPath) {
				err = c.tryReloaded(ctx, m, old)
			}
		}
		if err != nil {
			return remote.OnHost(m.Target.Name, err)
		}
	}
	return nil
}

// waitReloaded waits until a Patroni that was told to reload has done so and its member is healthy.
//
// Patroni reloads between two rounds of its loop, and nothing of its API tells when. The second round that begins after the
// reload was asked for has seen it for certain: the first may have been under way.
func (c *Client) waitReloaded(ctx context.Context, m Member) error {
	var seen, woken time.Time
	rounds := 0
	err := poll(ctx, c.options.Wait, m.Name+" to be healthy with its new configuration", func(ctx context.Context) (bool, string, error) {
		if time.Since(woken) >= wakeEvery {
			c.wake(ctx)
			woken = time.Now()
		}
		node, err := c.Patroni(ctx, m.Name)
		if err != nil {
			return false, err.Error(), nil
		}
		if !seen.IsZero() && node.LastSeen.After(seen) {
			rounds++
		}
		seen = node.LastSeen
		if rounds < 2 && !seen.IsZero() {
			return false, "its Patroni has not looked at the cluster since", nil
		}
		state, err := c.Cluster(ctx)
		if err != nil {
			return false, err.Error(), nil
		}
		if !state.Healthy(m.Name) || !node.follows(state) {
			return false, fmt.Sprintf("%s says that it is %s; %s", m.Name, node.State, describe(state)), nil
		}
		return true, "", nil
	})
	return remote.WithHint(err, "see `journalctl -u patroni -n 50` on "+m.Target.Name+"; the members behind it are as they were, and the next apply goes on")
}
