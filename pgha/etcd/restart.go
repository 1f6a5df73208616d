package etcd

import (
	"context"
	"slices"

	"github.com/pgha/toolkit/pgha/remote"
)

// restartStale restarts the members whose process was started with another configuration. Which those are is read from
// the processes' own environment and not from the files' age: a file may change without any need of a restart, and a
// restart that an interrupted run left out is made up for.
func (o Options) restartStale(ctx context.Context, seen []facts) error {
	var stale []int
	for i, m := range o.Members {
		if seen[i].running && seen[i].digest != o.digest(m) && seen[i].hasData {
			stale = append(stale, i)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	health, err := Health(ctx, o)
	if err != nil {
		return err
	}
	// Those that do not answer cannot make it worse, and the restart may be what they need: a change of the CA or of the
	// ports. All at once, because they may need each other.
	var sick []int
	for _, i := range stale {
		if err := o.raised(i, health[i]); err != nil {
			return err
		}
		if !health[i].Healthy {
			sick = append(sick, i)
		}
	}
	err = o.each(ctx, func(ctx context.Context, i int, m Member) error {
		if !slices.Contains(sick, i) {
			return nil
		}
		return o.restart(ctx, m)
	})
	if err != nil {
		return err
	}
	return o.restartInTurn(ctx, slices.DeleteFunc(stale, func(i int) bool { return slices.Contains(sick, i) }))
}

// restartInTurn restarts healthy members, one at a time and the leader last.
func (o Options) restartInTurn(ctx context.Context, members []int) error {
	for len(members) > 0 {
		if !o.planning() {
			if err := o.awaitHealth(ctx, o.all()); err != nil {
				return err
			}
		}
		next, err := o.nextToRestart(ctx, members)
		if err != nil {
			return err
		}
		if err := o.restart(ctx, o.Members[next]); err != nil {
			return err
		}
		members = slices.DeleteFunc(members, func(i int) bool { return i == next })
	}
	return nil
}

// nextToRestart picks a follower. When only the leader is left it hands over first, because an election costs a second.
func (o Options) nextToRestart(ctx context.Context, members []int) (int, error) {
	leader, err := Leader(ctx, o)
	if err != nil {
		return 0, err
	}
	if i := slices.IndexFunc(members, func(i int) bool { return o.Members[i].Name != leader }); i >= 0 {
		return members[i], nil
	}
	heir := slices.IndexFunc(o.Members, func(m Member) bool { return m.Name != leader })
	if heir < 0 || o.planning() {
		return members[0], nil
	}
	return members[0], MoveLeader(ctx, o, o.Members[heir].Name)
}

func (o Options) restart(ctx context.Context, m Member) error {
	o.Progress("restarting etcd member " + m.Name)
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	_, err := m.Target.Do(ctx, unit, "restarted", remote.Cmd{Argv: []string{"systemctl", "restart", unit}})
	if err != nil {
		return remote.WithHint(remote.OnHost(m.Target.Name, err), "see `journalctl -u etcd -n 50` on "+m.Target.Name)
	}
	return nil
}
