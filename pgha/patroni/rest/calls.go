package rest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// Cluster returns the cluster as the first member that answers sees it. Every member answers from
// the DCS, so it does not matter which; members report to the DCS every LoopWait and when something
// happens to them. Changes nothing. Errors match ErrUnavailable when no member answers.
func (c *Client) Cluster(ctx context.Context) (ClusterState, error) {
	state, err := Any(ctx, c, func(ctx context.Context, m Member) (ClusterState, error) {
		body, err := c.call(ctx, m, http.MethodGet, "/cluster", nil)
		if err != nil {
			return ClusterState{}, err
		}
		state, err := ParseCluster(body)
		return state, remote.OnHost(m.Name, err)
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
	state, err := parseNode(body)
	return state, remote.OnHost(m.Name, err)
}

// Endpoint returns the status code of one of the named member's health checks: "/primary",
// "/replica", "/health", ... 200 is yes and 503 is no; an answer with any code is no error. Changes
// nothing.
func (c *Client) Endpoint(ctx context.Context, member, path string) (int, error) {
	m, err := c.member(member)
	if err != nil {
		return 0, err
	}
	if !strings.HasPrefix(path, "/") {
		return 0, fmt.Errorf("%w: path %q must begin with a slash", ErrInvalid, path)
	}
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	code, _, err := c.request(ctx, m, http.MethodGet, path, nil)
	return code, err
}

// Config returns the dynamic configuration, which lives in the DCS. Numbers are json.Number.
// Changes nothing. Before the cluster is initialized there is none, and the error matches
// ErrUnavailable.
func (c *Client) Config(ctx context.Context) (map[string]any, error) {
	config, err := Any(ctx, c, c.configOf)
	if err != nil {
		return nil, fmt.Errorf("read dynamic configuration: %w", err)
	}
	return config, nil
}

// ConfigOf returns the dynamic configuration as the named member has it: that of its last round.
func (c *Client) ConfigOf(ctx context.Context, member string) (map[string]any, error) {
	m, err := c.member(member)
	if err != nil {
		return nil, err
	}
	return c.configOf(ctx, m)
}

func (c *Client) configOf(ctx context.Context, m Member) (map[string]any, error) {
	body, err := c.call(ctx, m, http.MethodGet, "/config", nil)
	if err != nil {
		return nil, err
	}
	config, err := ParseConfig(body)
	return config, remote.OnHost(m.Name, err)
}

// PatchConfig merges patch into the dynamic configuration of the whole cluster and returns the
// result. A nil value removes its key. Every member applies it within LoopWait; settings that need
// a restart of PostgreSQL wait for one. Safe to repeat. Refused when the targets only plan.
func (c *Client) PatchConfig(ctx context.Context, patch map[string]any) (map[string]any, error) {
	config, err := Any(ctx, c, func(ctx context.Context, m Member) (map[string]any, error) {
		return c.patchOn(ctx, m, patch)
	})
	if err != nil {
		return nil, fmt.Errorf("change dynamic configuration: %w", err)
	}
	return config, nil
}

func (c *Client) patchOn(ctx context.Context, m Member,
	patch map[string]any) (map[string]any, error) {
	body, err := c.call(ctx, m, http.MethodPatch, "/config", patch)
	if err != nil {
		return nil, err
	}
	config, err := ParseConfig(body)
	return config, remote.OnHost(m.Name, err)
}

// Wake makes every member's Patroni look at the cluster now instead of in up to LoopWait: the
// leader makes missing replication slots, replicas report that they stream. Patroni wakes on any
// change of the dynamic configuration, even on the removal of a key that is not there. It only
// saves time, so failures are ignored and members that do not answer are not waited for.
func (c *Client) Wake(ctx context.Context) {
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

// Presented returns the certificate that the named member's API presents, as DER. Only one of the
// options' CA passes.
func (c *Client) Presented(ctx context.Context, member string) ([]byte, error) {
	m, err := c.member(member)
	if err != nil {
		return nil, err
	}
	if c.err != nil {
		return nil, c.err
	}
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	conn, err := m.Target.Dial(ctx, "tcp", c.address(m))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	config := c.tls.Clone()
	config.ServerName = m.Address
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secured.ConnectionState().PeerCertificates[0].Raw, nil
}
