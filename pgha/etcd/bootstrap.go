package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pgha/toolkit/pgha/remote"
)

// Bootstrap installs etcd and makes its members one healthy cluster with a leader. It is safe to repeat and finishes what
// an interrupted run began:
//   - Members that never started form the cluster together, all started at the same time.
//   - A member whose data was lost while the others live on is removed from the cluster and joins it anew.
//   - A member that runs with another configuration or version than it should is restarted, one at a time, the leader
//     last, each only once the whole cluster is healthy.
//
// At the end ETCD_INITIAL_CLUSTER_STATE is "existing" everywhere. etcd reads it at a start without data only, so the file
// is changed without restarting a member, and no quorum is put at risk for it.
func Bootstrap(ctx context.Context, o Options) error {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return err
	}
	seen, err := o.lookAll(ctx)
	if err != nil {
		return err
	}
	if err := o.replaceLost(ctx, seen); err != nil {
		return err
	}
	if err := o.installAll(ctx, seen); err != nil {
		return err
	}
	if o.planning() {
		return nil
	}
	if err := o.start(ctx, seen); err != nil {
		return err
	}
	if err := o.awaitHealth(ctx); err != nil {
		return err
	}
	if err := o.restartStale(ctx, seen); err != nil {
		return err
	}
	return o.markExisting(ctx, seen)
}

func (o Options) planning() bool { return len(o.Members) > 0 && o.Members[0].Target.Planning() }

// start starts every member that does not run. All at the same time: a first start waits for a quorum.
func (o Options) start(ctx context.Context, seen []facts) error {
	if !slices.ContainsFunc(seen, func(f facts) bool { return !f.running }) {
		return nil
	}
	o.Progress("starting etcd")
	return o.each(ctx, func(ctx context.Context, i int, m Member) error {
		if seen[i].running {
			return nil
		}
		_, err := m.Target.Ensure(ctx, remote.Unit{Name: unit, Running: remote.Yes})
		return err
	})
}

// awaitHealth waits until every member answers a quorum read and one leads.
func (o Options) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	for {
		err := o.unhealthy(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return remote.WithHint(fmt.Errorf("wait %s for etcd: %w", o.Wait, err), "journalctl -u etcd on the member named")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// unhealthy says what keeps the cluster from being healthy, or nil.
func (o Options) unhealthy(ctx context.Context) error {
	members, err := Health(ctx, o)
	if err != nil {
		return err
	}
	for _, m := range members {
		if !m.Healthy {
			return fmt.Errorf("%w: member %s: %s", ErrUnhealthy, m.Name, m.Err)
		}
	}
	return nil
}

// restartStale restarts the members whose process was started with another configuration.
func (o Options) restartStale(ctx context.Context, seen []facts) error {
	var stale []int
	for i, m := range o.Members {
		if seen[i].running && seen[i].digest != o.digest(m, o.service(seen[i].openFiles), o.wantedVersion(seen[i])) {
			stale = append(stale, i)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	leader, err := Leader(ctx, o)
	if err != nil {
		return err
	}
	slices.SortStableFunc(stale, func(a, b int) int { return boolInt(o.Members[a].Name == leader) - boolInt(o.Members[b].Name == leader) })
	for _, i := range stale {
		m := o.Members[i]
		o.Progress("restarting etcd member " + m.Name)
		if _, err := m.Target.Do(ctx, unit, "restarted", remote.Cmd{Argv: []string{"systemctl", "restart", unit}}); err != nil {
			return remote.OnHost(m.Target.Name, err)
		}
		if err := o.awaitHealth(ctx); err != nil {
			return err
		}
	}
	return nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// markExisting turns the members' initial-cluster-state to existing, one after the other.
func (o Options) markExisting(ctx context.Context, seen []facts) error {
	for i, m := range o.Members {
		if seen[i].hasData {
			continue // configure has written "existing" already
		}
		content := o.environment(m, stateExisting, o.digest(m, o.service(seen[i].openFiles), o.wantedVersion(seen[i])))
		if _, err := m.Target.Ensure(ctx, remote.File{FileMeta: remote.FileMeta{Path: envFile}, Content: content}); err != nil {
			return err
		}
	}
	return nil
}

// replaceLost makes members without data, that the others know as having been part of the cluster, join it anew.
func (o Options) replaceLost(ctx context.Context, seen []facts) error {
	var alive []Member
	var empty []int
	for i, m := range o.Members {
		if seen[i].hasData && seen[i].running {
			alive = append(alive, m)
		}
		if !seen[i].hasData {
			empty = append(empty, i)
		}
	}
	if len(alive) == 0 || len(empty) == 0 {
		return nil
	}
	for _, i := range empty {
		if err := o.rejoin(ctx, alive[0], o.Members[i], &seen[i]); err != nil {
			return err
		}
	}
	return nil
}

// rejoin removes and adds member m by way of a living one, and marks it so that it starts as a new one of an existing
// cluster. A member that the cluster has never seen start needs none of it: it simply starts.
func (o Options) rejoin(ctx context.Context, via, m Member, f *facts) error {
	err := o.ask(ctx, via, func(ctx context.Context, c *clientv3.Client) error {
		list, err := c.MemberList(ctx)
		if err != nil {
			return err
		}
		for _, known := range list.Members {
			if !slices.Contains(known.PeerURLs, o.peerURL(m)) || len(known.ClientURLs) == 0 {
				continue
			}
			if m.Target.Planning() {
				return nil
			}
			if _, err := c.MemberRemove(ctx, known.ID); err != nil {
				return fmt.Errorf("remove member %s, whose data is gone: %w", m.Name, err)
			}
			if _, err := c.MemberAdd(ctx, []string{o.peerURL(m)}); err != nil {
				return fmt.Errorf("add member %s again: %w", m.Name, err)
			}
			f.hasData = true // start with initial-cluster-state existing
		}
		return nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // no quorum: the cluster has not formed yet, and this member may be what it waits for
	}
	return err
}
