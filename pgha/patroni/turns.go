package patroni

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/internal/rollout"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

// rollOut puts every member's host right. Those whose Patroni does not run yet go at the same time:
// they serve no session, and a new cluster forms sooner. Running ones take turns. One that was
// healthy must have read its new configuration and be healthy again before the next one begins.
//
// Where somebody leads, those that do not run yet get their files while the others take turns, and
// start behind them: a member that is new copies from others, which have to know it.
func rollOut(ctx context.Context, o Options, wishes [][]remote.Resource) error {
	fresh, running, err := rollout.Sort(len(o.Members), func(i int) (rollout.Need, error) {
		t := o.Members[i].Target
		needs, err := t.Preview(ctx, wishes[i]...)
		switch {
		case err != nil || !needs.Any():
			return rollout.Nothing, remote.OnHost(t.Name, err)
		case needs.Starts(Unit):
			return rollout.AtOnce, nil
		}
		return rollout.InTurn, nil
	})
	if err != nil {
		return err
	}
	if len(fresh) > 0 {
		if err := o.Adopt(ctx); err != nil {
			return err
		}
	}
	turns := turns{operator: newOperator(o), wishes: wishes}
	var behind []int
	if len(fresh) > 0 && len(running) > 0 && !o.Planning() {
		state, err := turns.Cluster(ctx)
		if leader, led := state.Leader(); err == nil && led && state.Healthy(leader.Name) {
			fresh, behind = nil, fresh
		}
	}
	var files sync.WaitGroup
	var unready error
	files.Go(func() { unready = prepare(ctx, o, wishes, behind) })
	err = rollout.Run(ctx, rollout.Rollout{
		AtOnce: fresh, InTurn: running, Order: turns.order,
		Change: func(ctx context.Context, i int) (func(context.Context) error, error) {
			if slices.Contains(fresh, i) {
				return nil, ensure(ctx, o.Members[i], wishes[i])
			}
			return turns.change(ctx, i)
		},
	})
	files.Wait()
	if err = errs.Join(err, unready); err != nil {
		return err
	}
	return parallel.Each(behind, func(_, i int) error {
		return ensure(ctx, o.Members[i], wishes[i])
	})
}

// prepare brings all about on the hosts of members that does not start Patroni.
func prepare(ctx context.Context, o Options, wishes [][]remote.Resource, members []int) error {
	return parallel.Each(members, func(_, i int) error {
		return ensure(ctx, o.Members[i], slices.DeleteFunc(slices.Clone(wishes[i]),
			func(r remote.Resource) bool { _, unit := r.(remote.Unit); return unit }))
	})
}

// turns changes running members one after the other.
type turns struct {
	*operator
	wishes [][]remote.Resource
	before ClusterState // when the first turn began
}

// order asks how the cluster is. Members that nobody can ask about keep their order.
func (t *turns) order(ctx context.Context, members []int) ([]int, error) {
	var err error
	if t.before, err = t.Cluster(ctx); err != nil && ctx.Err() != nil {
		return nil, err
	}
	all := inTurn(t.options.Members, t.before)
	return slices.DeleteFunc(all, func(i int) bool { return !slices.Contains(members, i) }), nil
}

// change changes the host of a member.
func (t *turns) change(ctx context.Context,
	i int) (settled func(context.Context) error, err error) {
	m := t.options.Members[i]
	old := oldConfig(ctx, t.options, m)
	changes, err := m.Target.Ensure(ctx, t.wishes[i]...)
	if err != nil || !changes.Touched(Unit) || !t.before.Healthy(m.Name) || t.options.Planning() {
		return nil, remote.OnHost(m.Target.Name, err)
	}
	return func(ctx context.Context) error {
		err := t.waitReloaded(ctx, m)
		if err == nil && changes.Touched(ConfigPath) {
			err = t.tryReloaded(ctx, m, old)
			if err == nil && changes.Touched(layout.CertificateOf(layout.RESTServer).File) {
				err = t.present(ctx, m)
			}
		}
		return remote.OnHost(m.Target.Name, err)
	}, nil
}

// inTurn returns the indices of the members in the order in which they are changed one after the
// other: first those that are not healthy anyway, then replicas, the leader last.
func inTurn(members []Member, state ClusterState) []int {
	leader, _ := state.Leader()
	rank := func(m Member) int {
		switch {
		case !state.Healthy(m.Name):
			return 0
		case m.Name != leader.Name:
			return 1
		}
		return 2
	}
	order := make([]int, len(members))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(members[a]) - rank(members[b]) })
	return order
}

// waitReloaded waits until a Patroni that was told to reload has done so and its member is healthy.
func (c *operator) waitReloaded(ctx context.Context, m Member) error {
	return c.waitRead(ctx, m, true)
}

// waitRead waits until a Patroni that was told to reload has done so, and until its member is
// healthy where that is wanted.
//
// Patroni reloads between two rounds of its loop, and nothing of its API tells when. The second
// round that begins after the reload was asked for has seen it for certain: the first may have been
// under way.
func (c *operator) waitRead(ctx context.Context, m Member, healthy bool) error {
	var seen time.Time
	rounds, wake := 0, c.waker()
	what := poll.Options{What: m.Name + " to be healthy with its new configuration",
		Bound: c.options.Wait}
	err := poll.Until(ctx, what, func(ctx context.Context) (string, error) {
		node, err := c.Patroni(ctx, m.Name)
		if err != nil {
			return "", err
		}
		switch {
		case seen.IsZero():
			c.Wake(ctx)
		case !node.LastSeen.After(seen):
			wake(ctx)
		case rounds == 0:
			rounds++
			c.Wake(ctx) // at once: the first one is over
		default:
			rounds++
		}
		seen = node.LastSeen
		if rounds < 2 && !seen.IsZero() {
			return "its Patroni has not looked at the cluster since", nil
		}
		if !healthy {
			return "", nil
		}
		state, err := c.Cluster(ctx)
		if err != nil {
			return "", err
		}
		if !state.Healthy(m.Name) || !node.Follows(state) {
			return fmt.Sprintf("%s says that it is %s; %s", m.Name, node.State,
				describe(state)), nil
		}
		return "", nil
	})
	return remote.WithHint(err, "see `journalctl -u patroni -n 50` on "+m.Target.Name+
		"; the members behind it are as they were, and the next apply goes on")
}

// oldConfig is the member's config.yml before it is changed; nil where it can't be read or nobody
// would put it back.
func oldConfig(ctx context.Context, o Options, m Member) []byte {
	if o.TryLogins == nil || o.Planning() {
		return nil
	}
	content, err := readConfig(ctx, m)
	if err != nil {
		return nil
	}
	return content
}

// readConfig returns the config.yml of a member's host.
func readConfig(ctx context.Context, m Member) ([]byte, error) {
	file, err := m.Target.Get(ctx, ConfigPath)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// tryReloaded tries the logins on a member that has read its new config.yml. Where one fails the
// old file is put back and read again, and the error, which matches ErrPutBack, says what failed.
func (c *operator) tryReloaded(ctx context.Context, m Member, old []byte) error {
	if c.options.TryLogins == nil {
		return nil
	}
	refused := c.options.TryLogins(ctx, m)
	if refused == nil || ctx.Err() != nil {
		return refused
	}
	const hint = "put right what the specification says of logins (postgresql.pg_hba, " +
		"patroni.extra); the other members are as they were"
	if len(old) == 0 {
		return remote.WithHint(fmt.Errorf("%s with its new configuration: %w", m.Name,
			refused), hint)
	}
	_, err := m.Target.Ensure(ctx,
		host.ConfigFile(c.options, old),
		remote.Unit{Name: Unit, Enabled: remote.Yes, Running: remote.Yes,
			ReloadOn: []string{ConfigPath}})
	if err == nil {
		err = c.waitReloaded(ctx, m)
	}
	if err != nil {
		return remote.WithHint(fmt.Errorf("%s with its new configuration: %w; put its old one "+
			"back: %w",
			m.Name, refused, err), hint)
	}
	return remote.WithHint(fmt.Errorf("%w: %s with its new configuration: %w", ErrPutBack, m.Name,
		refused), hint)
}
