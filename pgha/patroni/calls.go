package patroni

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Cluster returns the cluster as the first member that answers sees it. Every member answers from the DCS, so it does
// not matter which; members report to the DCS every LoopWait and when something happens to them. Changes nothing.
// Errors match ErrUnavailable when no member answers.
func (c *Client) Cluster(ctx context.Context) (ClusterState, error) {
	state, err := anyMember(ctx, c, func(ctx context.Context, m Member) (ClusterState, error) {
		body, err := c.call(ctx, m, http.MethodGet, "/cluster", nil)
		if err != nil {
			return ClusterState{}, err
		}
		return parseCluster(body)
	})
	if err != nil {
		return ClusterState{}, fmt.Errorf("read cluster state: %w", err)
	}
	return state, nil
}

// Patroni returns what the named member says of itself at this moment. Changes nothing.
func (c *Client) Patroni(ctx context.Context, member string) (NodeState, error) {
	m, err := c.member(member)
	if err != nil {
		return NodeState{}, err
	}
	body, err := c.call(ctx, m, http.MethodGet, "/patroni", nil)
	if err != nil {
		return NodeState{}, fmt.Errorf("read member state: %w", err)
	}
	return parseNode(body)
}

// Endpoint returns the status code of one of the named member's health checks: "/primary", "/replica", "/health", ...
// 200 is yes and 503 is no; an answer with any code is no error. Changes nothing.
func (c *Client) Endpoint(ctx context.Context, member, path string) (int, error) {
	m, err := c.member(member)
	if err != nil {
		return 0, err
	}
	if !strings.HasPrefix(path, "/") {
		return 0, fmt.Errorf("%w: path %q must begin with a slash", ErrInvalid, path)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	code, _, err := c.request(ctx, m, http.MethodGet, path, nil)
	return code, err
}

// Config returns the dynamic configuration, which lives in the DCS. Numbers are json.Number. Changes nothing. Before the
// cluster is initialized there is none, and the error matches ErrUnavailable.
func (c *Client) Config(ctx context.Context) (map[string]any, error) {
	config, err := anyMember(ctx, c, c.configOf)
	if err != nil {
		return nil, fmt.Errorf("read dynamic configuration: %w", err)
	}
	return config, nil
}

// configOf is the dynamic configuration as one member has it: that of its last round.
func (c *Client) configOf(ctx context.Context, m Member) (map[string]any, error) {
	body, err := c.call(ctx, m, http.MethodGet, "/config", nil)
	if err != nil {
		return nil, err
	}
	return parseConfig(body)
}

// PatchConfig merges patch into the dynamic configuration of the whole cluster and returns the result. A nil value
// removes its key. Every member applies it within LoopWait; settings that need a restart of PostgreSQL wait for one.
// Safe to repeat. Refused when the targets only plan.
func (c *Client) PatchConfig(ctx context.Context, patch map[string]any) (map[string]any, error) {
	config, err := anyMember(ctx, c, func(ctx context.Context, m Member) (map[string]any, error) {
		return c.patchOn(ctx, m, patch)
	})
	if err != nil {
		return nil, fmt.Errorf("change dynamic configuration: %w", err)
	}
	return config, nil
}

func (c *Client) patchOn(ctx context.Context, m Member, patch map[string]any) (map[string]any, error) {
	body, err := c.call(ctx, m, http.MethodPatch, "/config", patch)
	if err != nil {
		return nil, err
	}
	return parseConfig(body)
}

// wake makes every member's Patroni look at the cluster now instead of in up to LoopWait: the leader makes missing
// replication slots, replicas report that they stream. Patroni wakes on any change of the dynamic configuration, even on
// the removal of a key that is not there. It is a mere courtesy, so nobody hears of its failure or waits for the dead.
func (c *Client) wake(ctx context.Context) {
	nothing := map[string]any{"pgha": json.RawMessage("null")}
	var wg sync.WaitGroup
	for _, m := range c.options.Members {
		wg.Go(func() { _, _ = c.patchOn(ctx, m, nothing) }) //nolint:errcheck // see above
	}
	all := make(chan struct{})
	go func() { wg.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(wakeBound):
	case <-ctx.Done():
	}
}

// wakeBound is how long those who answer are waited for.
const wakeBound = 500 * time.Millisecond
