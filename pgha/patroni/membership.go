package patroni

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

// Bar keeps a replica from leading, from being waited for and from being copied from: its tags
// become nofailover and nosync, and lose clonefrom, and it returns once no commit waits for it. It
// is what comes before the replica is stopped for good: a synchronous standby that just stops holds
// every commit until the leader's next round, up to loop_wait.
//
// It writes ConfigPath on that member's host and reloads its Patroni. Bootstrap with the member's
// own tags takes it back. Safe to repeat. The leader is refused (ErrRefused); errors match
// ErrTimeout (bounded by Wait) or ErrUnavailable. When the targets only plan, the change is
// reported.
func Bar(ctx context.Context, o Options, name string) error {
	o = o.WithDefaults()
	o.Members = slices.Clone(o.Members)
	at := slices.IndexFunc(o.Members, func(m Member) bool { return m.Name == name })
	if at < 0 {
		return fmt.Errorf("%w: no member is called %q", ErrInvalid, name)
	}
	tags := maps.Clone(o.Members[at].Tags)
	if tags == nil {
		tags = map[string]any{}
	}
	tags["nofailover"], tags["nosync"], tags["clonefrom"] = true, true, false
	delete(tags, "failover_priority")
	delete(tags, "sync_priority")
	o.Members[at].Tags = tags
	if err := bar(ctx, o, at); err != nil {
		return fmt.Errorf("bar %s: %w", name, err)
	}
	return nil
}

func bar(ctx context.Context, o Options, at int) error {
	m, c := o.Members[at], newOperator(o)
	state, err := c.Cluster(ctx)
	if err != nil {
		return err
	}
	if leader, _ := state.Leader(); leader.Name == m.Name {
		return fmt.Errorf("%w: it leads", errs.ErrRefused)
	}
	wishes, err := wishes(o, func(Member) []remote.Resource { return nil })
	if err != nil {
		return err
	}
	changes, err := m.Target.Ensure(ctx, wishes[at]...)
	if err != nil || o.Planning() {
		return remote.OnHost(m.Target.Name, err)
	}
	if len(changes) > 0 {
		if err := c.reload(ctx, m); err != nil {
			return err
		}
	}
	wake, awaited := c.waker(), []Role{RoleSyncStandby, RoleQuorumStandby}
	return poll.Until(ctx, poll.Options{What: "no commit to wait for " + m.Name, Bound: o.Wait},
		func(ctx context.Context) (string, error) {
			wake(ctx)
			state, err := c.Cluster(ctx)
			if err != nil {
				return "", err
			}
			now, _ := state.Member(m.Name)
			if slices.Contains(awaited, now.Role) {
				return m.Name + " is still synchronous", nil
			}
			if barred, _ := now.Tags["nosync"].(bool); !barred {
				return m.Name + " does not say nosync yet", nil
			}
			return "", nil
		})
}

// memberSlots is the key of Patroni's dynamic configuration that says for how long the slot of a
// member that is away is kept.
const memberSlots = "member_slots_ttl"

// Depart waits until Patroni knows the former members of these names no more, and until no member
// of the options keeps a replication slot for them. Without that each would keep WAL for them for
// member_slots_ttl, half an hour by default (Patroni 4.0; before, none was kept). That time is one
// second meanwhile: zero would take the slots of living members away on all replicas, too.
//
// A member that died is forgotten after ttl. Safe to repeat, and after an interruption too. Errors
// match ErrTimeout (bounded by Wait) or ErrUnavailable. When the targets only plan nothing happens.
func Depart(ctx context.Context, o Options, names ...string) error {
	o = o.WithDefaults()
	if o.Planning() || len(names) == 0 {
		return nil
	}
	c := newOperator(o)
	if err := c.depart(ctx, names); err != nil {
		return fmt.Errorf("wait for %s to be forgotten: %w", strings.Join(names, ", "), err)
	}
	return nil
}

func (c *operator) depart(ctx context.Context, names []string) (err error) {
	what := "Patroni to forget " + strings.Join(names, ", ")
	err = poll.Until(ctx, poll.Options{What: what, Bound: c.options.Wait},
		func(ctx context.Context) (string, error) {
			state, err := c.Cluster(ctx)
			if err != nil {
				return "", err
			}
			for _, name := range names {
				if _, there := state.Member(name); there {
					return "it lists " + name, nil
				}
			}
			return "", nil
		})
	if err != nil {
		return err
	}
	slots, shortened := make([]string, len(names)), false
	for i, name := range names {
		slots[i] = slotOf(name)
	}
	before := map[string]any{memberSlots: host.Dynamic(c.options)[memberSlots]}
	defer func() {
		if !shortened {
			return
		}
		err = errors.Join(err, retract(ctx, func(ctx context.Context) error {
			_, err := c.PatchConfig(ctx, before)
			return err
		}))
	}()
	wake := c.waker()
	what = "no member to keep the replication slots " + strings.Join(slots, ", ")
	return poll.Until(ctx, poll.Options{What: what, Bound: c.options.Wait},
		func(ctx context.Context) (string, error) {
			state, err := c.Cluster(ctx)
			if err != nil {
				return "", err
			}
			keepers, err := c.keepers(ctx, state, slots)
			if err != nil || len(keepers) == 0 {
				return "", err
			}
			if !shortened {
				current, err := c.Config(ctx)
				if err != nil {
					return "", err
				}
				// An interrupted run has left its own.
				if now, set := current[memberSlots]; set && fmt.Sprint(now) != "1" {
					before[memberSlots] = now
				}
				shortened = true
				if _, err := c.PatchConfig(ctx, map[string]any{memberSlots: 1}); err != nil {
					return "", err
				}
			}
			wake(ctx)
			return "on " + strings.Join(keepers, ", "), nil
		})
}

// keepers are the hosts whose PostgreSQL has one of the slots. A member that is not healthy is not
// asked: its Patroni drops them when it is again.
func (c *operator) keepers(ctx context.Context, state ClusterState,
	slots []string) ([]string, error) {
	var healthy []Member
	for _, m := range there(c.options) {
		if state.Healthy(m.Name) {
			healthy = append(healthy, m)
		}
	}
	keeps := make([]bool, len(healthy))
	err := parallel.Each(healthy, func(i int, m Member) error {
		res, err := m.Target.Run(ctx, host.HasSlots(c.options, slots))
		keeps[i] = strings.TrimSpace(string(res.Stdout)) != ""
		return remote.OnHost(m.Target.Name, err)
	})
	var found []string
	for i, m := range healthy {
		if keeps[i] {
			found = append(found, m.Target.Name)
		}
	}
	return found, err
}

// slotOf is the slot that Patroni makes for a member: lower case, and of what a slot's name may not
// have a dash or a dot is an underscore, and anything else its code point (Patroni 4.1,
// slot_name_from_member_name).
func slotOf(member string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(member) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			b.WriteRune(r)
		case r == '-', r == '.':
			b.WriteByte('_')
		default:
			fmt.Fprintf(&b, "u%04d", r)
		}
	}
	return b.String()[:min(b.Len(), 63)]
}

// Rediscover makes every member's Patroni read anew where etcd is, and returns once all have looked
// at the cluster by way of it. Patroni reads etcd's addresses when it starts, and learns of further
// ones from time to time alone (every ten ttl; 4.1): one that knew none of the members that stay
// would not find etcd any more.
//
// The cluster is paused meanwhile, so that PostgreSQL runs on while its Patroni restarts, one after
// the other, and resumed at the end, also after a failure. Nobody is promoted by itself in that
// time, some seconds for each member. PostgreSQL's sessions go on, but for those by way of
// balancers, which hear nothing of the leader meanwhile: 2.6 and 4.2 s without writes in the lab.
// Safe to repeat; a pause of before is ended. Errors match ErrTimeout (bounded by Wait) or
// ErrUnavailable. When the targets only plan, the restarts are reported.
func Rediscover(ctx context.Context, o Options) (err error) {
	o = o.WithDefaults()
	c := newOperator(o)
	if !o.Planning() {
		if _, err := c.setPause(ctx, PauseOptions{Wait: true, Timeout: o.Wait}, true); err != nil {
			return fmt.Errorf("rediscover etcd: %w", err)
		}
		defer func() {
			err = errors.Join(err, retract(ctx, func(ctx context.Context) error {
				_, err := c.setPause(ctx, PauseOptions{}, false)
				return err
			}))
		}()
	}
	state, err := c.Cluster(ctx)
	if err != nil {
		return fmt.Errorf("rediscover etcd: %w", err)
	}
	for _, i := range inTurn(o.Members, state) {
		if err := c.restartPatroni(ctx, o.Members[i]); err != nil {
			return fmt.Errorf("rediscover etcd: %w", err)
		}
	}
	return nil
}

// restartPatroni restarts a member's Patroni, in a cluster that is paused, and waits until it has
// looked at the cluster. One that is left out, or does not run, finds etcd when it starts.
func (c *operator) restartPatroni(ctx context.Context, m Member) error {
	if m.Target.LeftOut {
		return nil
	}
	before, err := c.Patroni(ctx, m.Name)
	if err != nil {
		return ctx.Err()
	}
	_, err = m.Target.Do(ctx, Unit, "restarted",
		remote.Cmd{Argv: []string{"systemctl", "restart", Unit}})
	if err != nil || c.options.Planning() {
		return remote.OnHost(m.Target.Name, err)
	}
	what := "Patroni on " + m.Target.Name + " to look at the cluster again"
	err = poll.Until(ctx, poll.Options{What: what, Bound: c.options.Wait},
		func(ctx context.Context) (string, error) {
			node, err := c.Patroni(ctx, m.Name)
			if err == nil && !node.LastSeen.After(before.LastSeen) {
				return "it has not since it started", nil
			}
			return "", err
		})
	return remote.WithHint(err, "see `journalctl -u patroni -n 50` on "+m.Target.Name)
}
