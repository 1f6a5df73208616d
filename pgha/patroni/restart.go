package patroni

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// RestartOptions say which PostgreSQL servers are restarted, and how.
type RestartOptions struct {
	// Members to restart. Empty means all that the other fields leave over.
	Members []string
	// PendingOnly leaves out members without a setting that waits for a restart.
	PendingOnly bool
	// Role leaves out members of other roles. RoleReplica stands for every member but the leader.
	// "" means any.
	Role Role
	// SkipLeader leaves out the leader.
	SkipLeader bool
	// LeaderBySwitchover moves the leadership to a restarted replica instead of restarting the
	// leader in place. The former leader's PostgreSQL is restarted by that as a replica. Writes
	// stop about as long as for a restart, but no longer when PostgreSQL is slow to start.
	LeaderBySwitchover bool
	// Force continues although another member is unhealthy.
	Force bool
	// At schedules the restart of one member for this time, at least 5 s ahead, instead of making
	// it now.
	At time.Time
	// Timeout bounds the restart of each member. 0 means the Options' Wait.
	Timeout time.Duration
	// BeforeLeader, when set, is called right before Patroni is asked to restart the leader now, or
	// to move the leadership for that; the others have been restarted then. Its error ends the
	// operation.
	BeforeLeader func(context.Context) error
	// BeforeReplica, when set, is called right before Patroni is asked to restart a replica now.
	// What it returns is called when the replica is back, or the wait for it has ended.
	BeforeReplica func(ctx context.Context, member string) (back func())
}

// RestartedMember is one member that was restarted.
type RestartedMember struct {
	Member string `json:"member"`
	// Role is the one it was restarted in.
	Role Role `json:"role"`
	// Down is how long PostgreSQL did not answer, to the interval of looking, and 0 after a
	// switchover, whose result tells; Took is how long it took until the member was healthy again.
	Down Elapsed `json:"down_seconds"`
	Took Elapsed `json:"took_seconds"`
	// Pending are settings that still wait for a restart: some can be lowered on a replica only
	// after the leader.
	Pending []string `json:"pending,omitempty"`
}

// ScheduledRestart is a restart that waits for its time.
type ScheduledRestart struct {
	Member string    `json:"member"`
	At     time.Time `json:"at"`
}

// RestartResult is what Restart did.
type RestartResult struct {
	// Restarted are the members that were restarted, in order; when the run only planned, those
	// that would be.
	Restarted []RestartedMember `json:"restarted"`
	// Remaining were not restarted, because one before them did not come back.
	Remaining []string `json:"remaining,omitempty"`
	// Switchover is the one that LeaderBySwitchover made; nil when there was none.
	Switchover *SwitchoverResult `json:"switchover,omitempty"`
	// Scheduled is what At has set; nil otherwise.
	Scheduled *ScheduledRestart `json:"scheduled,omitempty"`
	Took      Elapsed           `json:"took_seconds"`
	// Before and After are the cluster at the beginning and at the end. After is empty when the run
	// only planned.
	Before ClusterState `json:"before"`
	After  ClusterState `json:"after"`
}

// RestartError says which member did not come back. It wraps the reason.
type RestartError struct {
	Member string
	// Remaining were not restarted.
	Remaining []string
	Err       error
}

// Error names the member and what was left alone.
func (e *RestartError) Error() string {
	text := fmt.Sprintf("%s did not come back: %v", e.Member, e.Err)
	if len(e.Remaining) > 0 {
		text += "; not restarted: " + strings.Join(e.Remaining, ", ")
	}
	return text
}

// Unwrap returns the reason.
func (e *RestartError) Unwrap() error { return e.Err }

// Next names the log to read.
func (e *RestartError) Next() errs.Next {
	return errs.Text("see `journalctl -u patroni -n 50` and PostgreSQL's log on %s", e.Member)
}

// Restart restarts PostgreSQL on the chosen members, one at a time, replicas first and the leader
// last. After each it waits until the member runs again with a new start time, streams on the
// leader's timeline, and has no setting pending; at the first that does not come back it stops,
// with a *RestartError. Sessions to a member that is restarted are closed.
//
// Where max_connections or one of its like waits that is lowered, and none that is raised, the
// leader is the first: replicas have at least what their leader has. Where both wait, replicas are
// restarted once more after the leader.
//
// Nothing is changed when the error matches ErrInvalid, ErrNoLeader, ErrUnhealthy (another member
// is not healthy, which Force overrules), ErrPaused, ErrScheduled or ErrNoCandidate. Other errors
// match ErrUnavailable or ErrTimeout. A restart that was asked for continues when ctx ends, no
// further one is begun. A paused cluster is reported through Progress and does not prevent it,
// except for schedules and LeaderBySwitchover. When the targets only plan, the changes are reported
// and nothing happens. With nothing to restart it does nothing.
func Restart(ctx context.Context, o Options, ro RestartOptions) (RestartResult, error) {
	o = o.WithDefaults()
	ro.Timeout = cmp.Or(ro.Timeout, o.Wait)
	o.Wait = ro.Timeout
	result, err := newOperator(o).restart(ctx, ro)
	if err != nil {
		return result, fmt.Errorf("restart: %w", err)
	}
	return result, nil
}

func (c *operator) restart(ctx context.Context, ro RestartOptions) (RestartResult, error) {
	start := time.Now()
	s, err := c.survey(ctx)
	if err != nil {
		return RestartResult{}, err
	}
	result := RestartResult{Before: s.state}
	order, err := c.restartOrder(s, ro)
	if err != nil || len(order) == 0 {
		return result, err
	}
	if !ro.At.IsZero() {
		result.Scheduled, err = c.scheduleRestart(ctx, s, order, ro)
		result.Took = since(start)
		return result, err
	}
	if err := c.checkRestart(s, order, ro); err != nil {
		return result, err
	}
	for i, m := range order {
		if c.options.Planning() {
			planRestart(c, s, m, ro, &result)
			continue
		}
		if err := c.restartNext(ctx, s, m, ro, &result); err != nil {
			result.Took = since(start)
			for _, rest := range order[i+1:] {
				result.Remaining = append(result.Remaining, rest.Name)
			}
			return result, &RestartError{Member: m.Name, Remaining: result.Remaining, Err: err}
		}
	}
	if c.options.Planning() {
		return result, nil
	}
	if err = c.restartAgain(ctx, order, ro, &result); err == nil {
		err = c.awaitNoted(ctx)
	}
	result.Took = since(start)
	if err != nil {
		return result, err
	}
	result.After, err = c.Cluster(ctx)
	return result, err
}

// restartAgain restarts the replicas on which a setting still waits although it was restarted for
// that: one that was lowered (max_connections and the like) takes effect on a replica only after
// the leader has had it, who was the last.
func (c *operator) restartAgain(ctx context.Context, order []MemberState, ro RestartOptions,
	result *RestartResult) error {
	last := order[len(order)-1]
	if !last.Role.Leads() {
		return nil
	}
	for i, done := range result.Restarted {
		if len(done.Pending) == 0 || done.Member == last.Name {
			continue
		}
		state, err := c.Cluster(ctx)
		if err != nil {
			return err
		}
		m, _ := state.Member(done.Member)
		again, err := c.restartOne(ctx, m, ro)
		if err != nil {
			return &RestartError{Member: done.Member, Err: err}
		}
		again.Down, again.Took = again.Down+done.Down, again.Took+done.Took
		result.Restarted[i] = again
	}
	return nil
}

func planRestart(c *operator, s survey, m MemberState, ro RestartOptions, result *RestartResult) {
	target, err := c.member(m.Name)
	if err != nil {
		return // restartOrder has found it
	}
	leader, _ := s.state.Leader()
	if ro.LeaderBySwitchover && m.Name == leader.Name {
		c.changed(target, remote.Change{Kind: "leader", Name: c.options.Scope,
			Action: "moved from " + leader.Name + " to a restarted replica"})
	}
	c.changed(target, remote.Change{Kind: "member", Name: m.Name, Action: "restarted"})
	result.Restarted = append(result.Restarted, RestartedMember{Member: m.Name, Role: m.Role})
}

// restartNext restarts one member. After the leader it waits for the replicas, too: they have lost
// their connection.
func (c *operator) restartNext(ctx context.Context, s survey, m MemberState, ro RestartOptions,
	result *RestartResult) error {
	leader, _ := s.state.Leader()
	if m.Name == leader.Name && ro.LeaderBySwitchover {
		return c.restartBySwitchover(ctx, s, m, ro, result)
	}
	if m.Name == leader.Name && ro.BeforeLeader != nil {
		if err := ro.BeforeLeader(ctx); err != nil {
			return err
		}
	}
	done, err := c.restartOne(ctx, m, ro)
	if err != nil {
		return err
	}
	result.Restarted = append(result.Restarted, done)
	if m.Name == leader.Name {
		_, err = c.waitFollowing(ctx, ro.Timeout, leader.Timeline, s.healthy())
	}
	return err
}

// restartBySwitchover makes the leader a replica. Patroni stops and starts its PostgreSQL for that,
// so it is only restarted again if that was not enough.
func (c *operator) restartBySwitchover(ctx context.Context, s survey, m MemberState,
	ro RestartOptions,
	result *RestartResult) error {
	inner, cancel := context.WithTimeout(ctx, ro.Timeout)
	defer cancel()
	moved, err := c.switchover(inner, SwitchoverOptions{Timeout: ro.Timeout,
		Before: ro.BeforeLeader})
	if err != nil {
		return err
	}
	result.Switchover = &moved
	node, err := c.Patroni(ctx, m.Name)
	if err != nil {
		return err
	}
	m.Role = RoleReplica
	done := RestartedMember{Member: m.Name, Role: m.Role, Took: moved.Complete}
	if node.PendingRestart || node.StartedAt.Equal(s.nodes[m.Name].StartedAt) {
		if done, err = c.restartOne(ctx, m, ro); err != nil {
			return err
		}
	}
	result.Restarted = append(result.Restarted, done)
	return nil
}
