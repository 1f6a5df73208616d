package patroni

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

// Bootstrap does what Install does, brings the cluster up and waits until it is healthy: a leader
// that runs, and every other member streaming on the leader's timeline.
//
// All members are started at once, so that they load while the first one makes the cluster: only
// the first has a bootstrap section, so no other can initialize it. A running Patroni whose files
// changed reloads them; it is never restarted. Running members take turns, replicas first and
// the leader last: the next one begins once the one before is healthy with its new configuration,
// and those behind one that fails are left as they were. Settings that wait for a restart of
// PostgreSQL are reported through Progress: restarting is the operator's decision.
//
// The dynamic configuration of a cluster that exists is brought in line (SyncConfig) first of all,
// and nothing is waited for before: settings that keep PostgreSQL from starting are corrected
// whatever state the members are in.
//
// Members whose Target is left out stay as they are, and none is waited for.
//
// Safe to repeat, and after an interruption too; on a healthy cluster that is as the options say it
// changes nothing. When the targets only plan, the differences are reported and nothing is waited
// for. Errors match ErrInvalid, ErrTimeout (bounded by Wait) or ErrUnavailable.
func Bootstrap(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	wishes, err := wishes(o, func(m Member) []remote.Resource { return host.Units(o, m) })
	if err == nil {
		err = bringUp(ctx, o, wishes)
	}
	if err != nil {
		return fmt.Errorf("bootstrap patroni: %w", err)
	}
	return nil
}

// bringUp puts the DCS right, then the hosts, and waits until the cluster is healthy.
func bringUp(ctx context.Context, o Options, wishes [][]remote.Resource) error {
	var current map[string]any
	var unknown error // why nothing is known of the DCS
	var asking sync.WaitGroup
	asking.Go(func() { current, unknown = newOperator(o).Config(ctx) })
	written, exists, err := written(ctx, o)
	asking.Wait()
	if err != nil {
		return err
	}
	var changes remote.Changes
	synced := false
	if exists || o.Planning() {
		if err = unknown; err == nil {
			changes, err = alignConfig(ctx, o, written, current)
		}
		if synced = err == nil; !synced && (ctx.Err() != nil || !errors.Is(err, ErrUnavailable)) {
			return err
		}
	}
	if err := rollOut(ctx, o, wishes); err != nil {
		return err
	}
	if o.Planning() {
		return planAdoption(ctx, o, synced)
	}
	client := newOperator(o)
	state, err := client.Cluster(ctx)
	healthy := err == nil && len(client.unhealthy(state)) == 0
	if !healthy {
		if err := o.Adopt(ctx); err != nil {
			return err
		}
	}
	if exists && !synced { // no Patroni ran before, or etcd had lost its data
		healthy = false
		if changes, err = awaitConfig(ctx, o, written); err != nil {
			return err
		}
	}
	if !healthy {
		if err := client.waitHealthy(ctx, o.Wait); err != nil {
			return err
		}
	}
	if !exists {
		if changes, err = syncConfig(ctx, o, written); err != nil {
			return err
		}
	}
	return client.tellPendingRestarts(ctx, changes)
}

// planAdoption reports a cluster whose etcd has lost its data. One that shows its configuration has
// not.
func planAdoption(ctx context.Context, o Options, synced bool) error {
	if synced {
		return nil
	}
	return o.Adopt(ctx)
}

// awaitConfig brings the dynamic configuration in line as soon as a Patroni that was just started
// answers.
func awaitConfig(ctx context.Context, o Options,
	written map[string]any) (changes remote.Changes, err error) {
	what := poll.Options{What: "a Patroni that shows the cluster's configuration", Bound: o.Wait}
	err = poll.Until(ctx, what, func(ctx context.Context) (string, error) {
		var err error
		changes, err = syncConfig(ctx, o, written)
		if !errors.Is(err, ErrUnavailable) {
			err = poll.Stop(err)
		}
		return "", err
	})
	return changes, err
}

// healthyWait is the wait for members that are well again.
func (c *operator) healthyWait(bound time.Duration) poll.Options {
	const what = "a running leader and streaming replicas"
	return poll.Options{What: what, Bound: bound, Progress: func(missing string) {
		c.options.Progress("waiting for " + what + ": " + missing)
	}}
}

// waitHealthy waits until every member of the options is healthy.
func (c *operator) waitHealthy(ctx context.Context, bound time.Duration) error {
	var state ClusterState
	wake, copies := c.waker(), c.copies()
	err := poll.Until(ctx, c.healthyWait(bound), func(ctx context.Context) (string, error) {
		now, err := c.Cluster(ctx)
		switch {
		case c.Err() != nil:
			return "", poll.Stop(err)
		case err != nil:
			return "", err
		}
		if state = now; len(c.unhealthy(state)) == 0 {
			return "", nil
		}
		if _, leads := state.Leader(); leads {
			wake(ctx)
		}
		return describe(state) + copies(ctx, state), nil
	})
	if errors.Is(err, ErrTimeout) {
		err = remote.WithHint(err, c.whereToLook(state))
	}
	return err
}

// unhealthy returns those members that are not healthy, of all that are not left out or of the
// named ones.
func (c *operator) unhealthy(state ClusterState, names ...string) []Member {
	var bad []Member
	for _, m := range there(c.options) {
		if len(names) > 0 && !slices.Contains(names, m.Name) {
			continue
		}
		if !state.Healthy(m.Name) {
			bad = append(bad, m)
		}
	}
	return bad
}

func (c *operator) whereToLook(state ClusterState, names ...string) string {
	const log = "see `journalctl -u patroni -n 50` on "
	if bad := c.unhealthy(state, names...); len(bad) > 0 {
		if _, ok := state.Leader(); ok {
			return log + bad[0].Target.Name
		}
	}
	return log + there(c.options)[0].Target.Name
}

// describe says how the members are, in one line.
func describe(state ClusterState) string {
	var words []string
	for _, m := range state.Members {
		words = append(words, fmt.Sprintf("%s is %s, %s, timeline %d", m.Name, m.Role, m.State,
			m.Timeline))
	}
	if len(words) == 0 {
		return "no member has reported yet"
	}
	return strings.Join(words, "; ")
}

// pendingWait bounds how long a change of settings is watched for the need of a restart. Patroni
// applies changes as soon as etcd tells it, so this is many times what it takes.
const (
	pendingWait  = 2 * time.Second
	pendingEvery = 150 * time.Millisecond
)

// tellPendingRestarts says which members wait for a restart of PostgreSQL.
func (c *operator) tellPendingRestarts(ctx context.Context, changes remote.Changes) error {
	for _, n := range c.awaitPending(ctx, changes, 1) {
		c.options.Progress(fmt.Sprintf("warning: PostgreSQL on %s must be restarted for %s to "+
			"take effect",
			n.Name, settings(n.PendingReason)))
	}
	return ctx.Err()
}

// awaitPending returns the members that wait for a restart. After a change of PostgreSQL's
// parameters it gives them up to pendingWait to say so, and returns early once as many as enough
// do.
func (c *operator) awaitPending(ctx context.Context, changes remote.Changes,
	enough int) []NodeState {
	deadline := time.Now()
	if slices.ContainsFunc(changes,
		func(ch remote.Change) bool {
			return strings.HasPrefix(ch.Name, "postgresql.parameters")
		}) {
		deadline = deadline.Add(pendingWait)
	}
	for {
		pending := c.pendingRestarts(ctx)
		if len(pending) >= enough || !time.Now().Before(deadline) ||
			poll.Pause(ctx, pendingEvery) != nil {
			return pending
		}
	}
}

// pendingRestarts asks the members themselves: what the DCS says of them can be loop_wait old.
func (c *operator) pendingRestarts(ctx context.Context) []NodeState {
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
