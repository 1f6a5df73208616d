package restore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/adopt"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/power"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// leaderHost is the connection to the host of the member that leads.
func (w *work) leaderHost(ctx context.Context) (*remote.Target, error) {
	po, err := engine.PatroniOptions(w.Job)
	if err != nil {
		return nil, err
	}
	state, err := patroni.NewClient(po).Cluster(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range state.Members {
		if m.Role.Leads() {
			return w.Target(w.HostNameOf(m.Name))
		}
	}
	return nil, patroni.ErrNoLeader
}

// stopAll stops Patroni everywhere, replicas first, and keeps it from starting with its host: a
// member that comes back on its old data would be the most advanced one.
func (w *work) stopAll(ctx context.Context) error {
	all := w.Spec.Databases()
	last := slices.IndexFunc(all, func(h spec.Host) bool { return h.Name == w.Host })
	order := [][]spec.Host{site.Without(all, all[last:last+1]), all[last : last+1]}
	if err := w.enabled(ctx, all, remote.No); err != nil {
		return err
	}
	for _, hosts := range order {
		if len(hosts) == 0 {
			continue
		}
		if err := power.StopDatabase(ctx, w.Job, hosts); err != nil {
			return err
		}
	}
	return nil
}

// enabled says whether Patroni starts with these hosts.
func (w *work) enabled(ctx context.Context, hosts []spec.Host, wish remote.Wish) error {
	targets, err := site.Finder(w.Target).All(hosts)
	if err != nil {
		return err
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		_, err := t.Ensure(ctx, remote.Unit{Name: patroni.Unit, Enabled: wish})
		return err
	})
}

// stale are the keys in etcd that only the cluster of before can know: with them what was restored
// looks as if it lagged, or as if it were no synchronous replica, and never leads.
var stale = []string{"leader", "sync", "failover", "failsafe", "status", "history"}

// lead starts Patroni on the host, and waits until applications can write.
func (w *work) lead(ctx context.Context) error {
	eo, err := engine.EtcdOptions(w.Job)
	if err != nil {
		return err
	}
	if !w.Planning() && !w.leads(ctx) {
		prefix := adopt.StorePrefix(w.Site)
		var keys []string
		for _, k := range stale {
			keys = append(keys, prefix+k)
		}
		if err := etcd.Forget(ctx, eo, keys...); err != nil {
			return err
		}
	}
	t, err := w.Target(w.Host)
	if err != nil {
		return err
	}
	if _, err := t.Ensure(ctx, remote.Unit{Name: patroni.Unit, Enabled: remote.Yes,
		Running: remote.Yes}); err != nil || w.Planning() {
		return err
	}
	h, err := w.Spec.Host(w.Host)
	if err != nil {
		return err
	}
	err = poll.Until(ctx, poll.Options{What: h.Member + " to lead", Bound: 3 * time.Minute,
		Every: 300 * time.Millisecond, Progress: w.Progress,
		Next: errs.Text("journalctl -u patroni -n 50 on %s says why it does not", w.Host)},
		func(ctx context.Context) (string, error) {
			if w.leads(ctx) {
				return "", nil
			}
			return "nobody leads yet", nil
		})
	if err != nil {
		return err
	}
	return provision.ReadyPhase(ctx, w.Job)
}

// leads tells whether the member on the host leads.
func (w *work) leads(ctx context.Context) bool {
	t, err := w.leaderHost(ctx)
	return err == nil && t.Name == w.Host
}

// follow starts the other members, one after the other: each copies what it lacks from the leader.
func (w *work) follow(ctx context.Context) error {
	for _, h := range w.Spec.Databases() {
		if h.Name == w.Host {
			continue
		}
		t, err := w.Target(h.Name)
		if err != nil {
			return err
		}
		if _, err := t.Ensure(ctx, remote.Unit{Name: patroni.Unit, Enabled: remote.Yes,
			Running: remote.Yes}); err != nil {
			return err
		}
		if w.Planning() {
			continue
		}
		po, err := engine.PatroniOptions(w.Job)
		if err != nil {
			return err
		}
		err = poll.Until(ctx, poll.Options{What: h.Member + " to stream", Every: time.Second,
			Progress: w.Progress}, func(ctx context.Context) (string, error) {
			state, err := patroni.NewClient(po).Cluster(ctx)
			if err != nil {
				return "", err
			}
			m, ok := state.Member(h.Member)
			switch {
			case !ok:
				return h.Member + " is not there yet", nil
			case m.State != patroni.StateStreaming:
				return h.Member + " is " + m.State, nil
			case m.Timeline < leading(state):
				return fmt.Sprintf("%s is on timeline %d", h.Member, m.Timeline), nil
			}
			return "", nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// leading is the timeline of the member that leads.
func leading(state patroni.ClusterState) int64 {
	for _, m := range state.Members {
		if m.Role.Leads() {
			return m.Timeline
		}
	}
	return 0
}
