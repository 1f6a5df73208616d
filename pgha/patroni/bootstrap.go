package patroni

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// wakeEvery is how often Bootstrap and the verbs ask Patroni not to sleep out its loop_wait while something is awaited.
const wakeEvery = time.Second

// Bootstrap does what Install does, brings the cluster up and waits until it is healthy: a leader that runs, and every
// other member streaming on the leader's timeline.
//
// All members are started at once, so that they load while the first one makes the cluster: only the first has a
// bootstrap section, so no other can initialize it. A running Patroni whose files changed is told to reload; it is never
// restarted. Running members take turns, replicas first and the leader last: the next one begins once the one before is
// healthy with its new configuration, and those behind one that fails are left as they were. Settings that wait for a
// restart of PostgreSQL are told through Progress: restarting is the operator's decision.
//
// The dynamic configuration of a cluster that exists is brought in line (SyncConfig) first of all, and nothing is waited
// for before: settings that keep PostgreSQL from starting are corrected whatever state the members are in.
//
// Safe to repeat, and after an interruption too; on a healthy cluster that is as the options say it changes nothing. When
// the targets only plan, the differences are reported and nothing is waited for. Errors match ErrInvalid, ErrTimeout
// (bounded by Wait) or ErrUnavailable.
func Bootstrap(ctx context.Context, o Options) error {
	o = o.withDefaults()
	wishes, err := o.wishes(func(m Member) []remote.Resource {
		return []remote.Resource{remote.Unit{Name: Unit, Enabled: remote.Yes, Running: remote.Yes, ReloadOn: o.reloadOn(m)}, watchRunning()}
	})
	if err == nil {
		err = o.bringUp(ctx, wishes)
	}
	if err != nil {
		return fmt.Errorf("bootstrap patroni: %w", err)
	}
	return nil
}

// bringUp puts the DCS right, then the hosts, and waits until the cluster is healthy.
func (o Options) bringUp(ctx context.Context, wishes [][]remote.Resource) error {
	written, exists, err := o.written(ctx)
	if err != nil {
		return err
	}
	var changes remote.Changes
	synced := false
	if exists || o.planning() {
		changes, err = o.syncConfig(ctx, written)
		if synced = err == nil; !synced && (ctx.Err() != nil || !errors.Is(err, ErrUnavailable)) {
			return err
		}
	}
	if err := o.rollOut(ctx, wishes); err != nil {
		return err
	}
	if o.planning() {
		return o.planAdoption(ctx, synced)
	}
	client := NewClient(o)
	if state, err := client.Cluster(ctx); err != nil || len(client.unhealthy(state)) > 0 {
		if err := o.Adopt(ctx); err != nil {
			return err
		}
	}
	if exists && !synced { // no Patroni ran before, or etcd had lost its data
		if changes, err = o.awaitConfig(ctx, written); err != nil {
			return err
		}
	}
	if err := client.waitHealthy(ctx, o.Wait); err != nil {
		return err
	}
	if !exists {
		if changes, err = o.syncConfig(ctx, written); err != nil {
			return err
		}
	}
	return client.tellPendingRestarts(ctx, changes)
}

// planAdoption tells of a cluster whose etcd has lost its data. One that shows its configuration has not.
func (o Options) planAdoption(ctx context.Context, synced bool) error {
	if synced {
		return nil
	}
	return o.Adopt(ctx)
}

// awaitConfig brings the dynamic configuration in line as soon as a Patroni that was just started answers.
func (o Options) awaitConfig(ctx context.Context, written map[string]any) (changes remote.Changes, err error) {
	err = poll(ctx, o.Wait, "a Patroni that shows the cluster's configuration", func(ctx context.Context) (bool, string, error) {
		changes, err = o.syncConfig(ctx, written)
		switch {
		case err == nil:
			return true, "", nil
		case errors.Is(err, ErrUnavailable):
			return false, err.Error(), nil
		}
		return false, "", err
	})
	return changes, err
}

// planning reports whether changes to any member are only recorded.
func (o Options) planning() bool {
	return slices.ContainsFunc(o.Members, func(m Member) bool { return m.Target.Planning() })
}

// waitHealthy waits until every member of the options is healthy.
func (c *Client) waitHealthy(ctx context.Context, bound time.Duration) error {
	var state ClusterState
	var woken time.Time
	told := ""
	err := poll(ctx, bound, "a running leader and streaming replicas", func(ctx context.Context) (bool, string, error) {
		now, err := c.Cluster(ctx)
		if err != nil {
			if c.err != nil {
				return false, "", err
			}
			return false, err.Error(), nil
		}
		state = now
		if len(c.unhealthy(state)) == 0 {
			return true, "", nil
		}
		seen := describe(state)
		if seen != told {
			c.options.Progress("waiting for a running leader and streaming replicas: " + seen)
			told = seen
		}
		if _, leads := state.Leader(); leads && time.Since(woken) >= wakeEvery {
			c.wake(ctx)
			woken = time.Now()
		}
		return false, seen, nil
	})
	var timeout *TimeoutError
	if errors.As(err, &timeout) {
		timeout.Look = c.whereToLook(state)
	}
	return err
}

// unhealthy returns those members that are not healthy, of all or of the named ones.
func (c *Client) unhealthy(state ClusterState, names ...string) []Member {
	var bad []Member
	for _, m := range c.options.Members {
		if len(names) > 0 && !slices.Contains(names, m.Name) {
			continue
		}
		if !state.Healthy(m.Name) {
			bad = append(bad, m)
		}
	}
	return bad
}

func (c *Client) whereToLook(state ClusterState, names ...string) string {
	const log = "see `journalctl -u patroni -n 50` on "
	if bad := c.unhealthy(state, names...); len(bad) > 0 {
		if _, ok := state.Leader(); ok {
			return log + bad[0].Target.Name
		}
	}
	return log + c.options.Members[0].Target.Name
}

// describe says how the members are, in one line.
func describe(state ClusterState) string {
	var words []string
	for _, m := range state.Members {
		words = append(words, fmt.Sprintf("%s is %s, %s, timeline %d", m.Name, m.Role, m.State, m.Timeline))
	}
	if len(words) == 0 {
		return "no member has reported yet"
	}
	return strings.Join(words, "; ")
}

// pendingWait bounds how long a change of settings is watched for the need of a restart. Patroni applies changes as soon
// as etcd tells it, so this is many times what it takes.
const pendingWait = 2 * time.Second

// tellPendingRestarts says which members wait for a restart of PostgreSQL.
func (c *Client) tellPendingRestarts(ctx context.Context, changes remote.Changes) error {
	bound := time.Duration(0)
	if slices.ContainsFunc(changes, func(ch remote.Change) bool { return strings.HasPrefix(ch.Name, "postgresql.parameters.") }) {
		bound = pendingWait
	}
	deadline := time.Now().Add(bound)
	for {
		pending := c.pendingRestarts(ctx)
		for _, n := range pending {
			c.options.Progress(fmt.Sprintf("warning: PostgreSQL on %s must be restarted for %s to take effect", n.Name, settings(n.PendingReason)))
		}
		if len(pending) > 0 || !time.Now().Before(deadline) {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// pendingRestarts asks the members themselves: what the DCS says of them can be loop_wait old.
func (c *Client) pendingRestarts(ctx context.Context) []NodeState {
	states := make([]NodeState, len(c.options.Members))
	var wg sync.WaitGroup
	for i, m := range c.options.Members {
		wg.Go(func() {
			state, err := c.Patroni(ctx, m.Name)
			if err != nil {
				return // it was healthy a moment ago; a warning is not worth a failure
			}
			states[i] = state
		})
	}
	wg.Wait()
	return slices.DeleteFunc(states, func(n NodeState) bool { return !n.PendingRestart })
}

func settings(names []string) string {
	if len(names) == 0 {
		return "a changed setting"
	}
	return strings.Join(names, ", ")
}
