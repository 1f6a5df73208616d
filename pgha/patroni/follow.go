package patroni

import (
	"context"
	"errors"
	"time"

	"github.com/pgha/toolkit/pgha/health"
)

// follows reports whether the member itself says that it leads, or streams if it promises to, as the DCS says of it. The DCS may still tell how
// it was before a restart.
func (n NodeState) follows(state ClusterState) bool {
	if leader, ok := state.Leader(); ok && leader.Name == n.Name {
		return n.State == StateRunning
	}
	if m, ok := state.Member(n.Name); ok && !health.PromiseOf(m.Tags).Streams {
		return n.State == StateRunning
	}
	return n.State == StateRunning && n.ReplicationState == StateStreaming
}

// waitFollowing waits until the leader is on the timeline or a later one, and the named members lead or stream: by their own
// word and by that of the DCS, each of which can be behind the other. It returns how the cluster is then.
func (c *Client) waitFollowing(ctx context.Context, bound time.Duration, timeline int64, names []string) (ClusterState, error) {
	var state ClusterState
	var woken time.Time
	told := ""
	err := poll(ctx, bound, "a running leader and streaming replicas", func(ctx context.Context) (bool, string, error) {
		now, err := c.Cluster(ctx)
		if err != nil {
			return false, err.Error(), nil
		}
		state = now
		missing := c.notFollowing(ctx, state, timeline, names)
		if missing == "" {
			return true, "", nil
		}
		if missing != told {
			c.options.Progress("waiting for a running leader and streaming replicas: " + missing)
			told = missing
		}
		if time.Since(woken) >= wakeEvery {
			c.wake(ctx)
			woken = time.Now()
		}
		return false, missing, nil
	})
	var timeout *TimeoutError
	if errors.As(err, &timeout) {
		timeout.Look = c.whereToLook(state, names...)
	}
	return state, err
}

// notFollowing says what is missing, or "".
func (c *Client) notFollowing(ctx context.Context, state ClusterState, timeline int64, names []string) string {
	leader, ok := state.Leader()
	if !ok || leader.Timeline < timeline || len(c.unhealthy(state, names...)) > 0 {
		return describe(state)
	}
	nodes, _ := c.nodes(ctx)
	for _, name := range names {
		if !nodes[name].follows(state) {
			return name + " itself says that it does not stream yet"
		}
	}
	return ""
}
