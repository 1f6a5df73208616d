package etcd

import (
	"context"
	"slices"

	"github.com/pgha/toolkit/internal/rollout"
	"github.com/pgha/toolkit/pgha/remote"
)

// restartStale restarts the members whose process was started with another configuration. Which
// those are is read from the processes' own environment and not from the files' age: a file may
// change without any need of a restart, and a restart that an interrupted run left out is made up
// for.
func (o Options) restartStale(ctx context.Context, seen []facts) error {
	stale := o.stale(seen)
	if len(stale) == 0 {
		return nil
	}
	health, err := Health(ctx, o)
	if err != nil {
		return err
	}
	// Those that do not answer cannot make it worse, and the restart may be what they need: a
	// change of the CA or of the ports. All at once, because they may need each other.
	var sick []int
	for _, i := range stale {
		if err := o.raised(i, health[i]); err != nil {
			return err
		}
		if !health[i].Healthy {
			sick = append(sick, i)
		}
	}
	return o.restartAll(ctx, sick, slices.DeleteFunc(stale,
		func(i int) bool { return slices.Contains(sick, i) }))
}

// stale are the members (indices) whose process was started with another configuration.
func (o Options) stale(seen []facts) []int {
	var list []int
	for i, m := range o.Members {
		if seen[i].running && seen[i].digest != o.digest(m) && seen[i].hasData {
			list = append(list, i)
		}
	}
	return list
}

// restartAll restarts the sick members at once and then the healthy ones, one at a time. Who leads
// is asked before each, because a restart can move the leader.
func (o Options) restartAll(ctx context.Context, sick, healthy []int) error {
	leader := ""
	return rollout.Run(ctx, rollout.Rollout{
		AtOnce: sick, InTurn: healthy, Reorder: true,
		Ready: func(ctx context.Context) error {
			if o.planning() {
				return nil
			}
			return o.awaitHealth(ctx, o.all())
		},
		Order: func(ctx context.Context, members []int) (_ []int, err error) {
			leader, err = Leader(ctx, o)
			return rollout.Last(members, func(i int) bool {
				return o.Members[i].Name == leader
			}), err
		},
		Change: func(ctx context.Context, i int) (func(context.Context) error, error) {
			if err := o.handOver(ctx, o.Members[i], leader); err != nil {
				return nil, err
			}
			return nil, o.restart(ctx, o.Members[i])
		},
	})
}

// handOver moves the leadership away from m if m leads, because an election costs a second.
func (o Options) handOver(ctx context.Context, m Member, leader string) error {
	successor := slices.IndexFunc(o.Members, func(other Member) bool {
		return other.Name != leader && !other.Target.LeftOut
	})
	if m.Name != leader || successor < 0 || o.planning() {
		return nil
	}
	return MoveLeader(ctx, o, o.Members[successor].Name)
}

func (o Options) restart(ctx context.Context, m Member) error {
	o.Progress("restarting etcd member " + m.Name)
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	_, err := m.Target.Do(ctx, Unit, "restarted", remote.Cmd{Argv: []string{"systemctl",
		"restart", Unit}})
	if err != nil {
		return remote.WithHint(remote.OnHost(m.Target.Name, err),
			"see `journalctl -u etcd -n 50` on "+m.Target.Name)
	}
	return nil
}
