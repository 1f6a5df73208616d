package patroni

import (
	"context"
	"errors"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/remote"
)

// waitFollowing waits until the leader is on the timeline or a later one, and the named members
// lead or stream: by their own word and by that of the DCS, each of which can be behind the other.
// It returns how the cluster is then.
func (c *operator) waitFollowing(ctx context.Context, bound time.Duration, timeline int64,
	names []string) (ClusterState, error) {
	var state ClusterState
	wake := c.waker()
	err := poll.Until(ctx, c.healthyWait(bound), func(ctx context.Context) (string, error) {
		now, err := c.Cluster(ctx)
		if err != nil {
			return "", err
		}
		state = now
		missing := c.notFollowing(ctx, state, timeline, names)
		if missing != "" {
			wake(ctx)
		}
		return missing, nil
	})
	if errors.Is(err, ErrTimeout) {
		err = remote.WithHint(err, c.whereToLook(state, names...))
	}
	return state, err
}

// notFollowing says what is missing, or "".
func (c *operator) notFollowing(ctx context.Context, state ClusterState, timeline int64,
	names []string) string {
	leader, ok := state.Leader()
	if !ok || leader.Timeline < timeline || len(c.unhealthy(state, names...)) > 0 {
		return describe(state)
	}
	nodes, _ := c.nodes(ctx)
	for _, name := range names {
		if !nodes[name].Follows(state) {
			return name + " itself says that it does not stream yet"
		}
	}
	return ""
}
