package patroni

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// RestartOptions say which PostgreSQL servers are restarted, and how.
type RestartOptions struct {
	// Members to restart. Empty means all that the other fields leave over.
	Members []string
	// PendingOnly leaves out members without a setting that waits for a restart.
	PendingOnly bool
	// Role leaves out members of other roles. RoleReplica stands for every member but the leader. "" means any.
	Role Role
	// SkipLeader leaves out the leader.
	SkipLeader bool
	// LeaderBySwitchover moves the leadership to a restarted replica first and restarts the former leader as a replica. It
	// costs writes about as long as a restart does, but not longer when PostgreSQL is slow to start. Otherwise the leader is
	// restarted in place.
	LeaderBySwitchover bool
	// Force goes on although another member is unhealthy.
	Force bool
	// At schedules the restart of one member for this time, at least 5 s ahead, instead of making it now.
	At time.Time
	// Timeout bounds the restart of each member. 0 means the Options' Wait.
	Timeout time.Duration
}

// RestartedMember is one member that was restarted.
type RestartedMember struct {
	Member string `json:"member"`
	// Role is the one it was restarted in.
	Role Role `json:"role"`
	// Down is how long PostgreSQL did not answer, to the interval of looking; Took is how long it took until the member was
	// healthy again.
	Down Elapsed `json:"down_seconds"`
	Took Elapsed `json:"took_seconds"`
	// Pending are settings that still wait for a restart: some can be lowered on a replica only after the leader.
	Pending []string `json:"pending,omitempty"`
}

// ScheduledRestart is a restart that waits for its time.
type ScheduledRestart struct {
	Member string    `json:"member"`
	At     time.Time `json:"at"`
}

// RestartResult is what Restart did.
type RestartResult struct {
	// Restarted are the members that were restarted, in order; when the run only planned, those that would be.
	Restarted []RestartedMember `json:"restarted"`
	// Remaining were not restarted, because one before them did not come back.
	Remaining []string `json:"remaining,omitempty"`
	// Switchover is the one that LeaderBySwitchover made; nil when there was none.
	Switchover *SwitchoverResult `json:"switchover,omitempty"`
	// Scheduled is what At has set; nil otherwise.
	Scheduled *ScheduledRestart `json:"scheduled,omitempty"`
	Took      Elapsed           `json:"took_seconds"`
	// Before and After are the cluster at the beginning and at the end. After is empty when the run only planned.
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

// Hint names the log to read.
func (e *RestartError) Hint() string {
	return "see `journalctl -u patroni -n 50` and PostgreSQL's log on " + e.Member
}

// Restart restarts PostgreSQL on the chosen members, one at a time, replicas first and the leader last. After each it waits
// until the member runs again with a new start time, streams on the leader's timeline, and has no setting pending; at the
// first that does not come back it stops, with a *RestartError. Sessions to a member that is restarted are closed.
//
// Nothing is changed when the error matches ErrInvalid, ErrNoLeader, ErrUnhealthy (another member is not healthy, which
// Force overrules), ErrPaused, ErrScheduled or ErrNoCandidate. Other errors match ErrUnavailable or ErrTimeout. A restart that
// was asked for goes on when ctx ends, no further one is begun. A paused cluster is told through Progress and is no
// hindrance, except for schedules and LeaderBySwitchover. When the targets only plan, the changes are reported and nothing
// happens. With nothing to restart it does nothing.
func Restart(ctx context.Context, o Options, ro RestartOptions) (RestartResult, error) {
	o = o.withDefaults()
	setDefault(&ro.Timeout, o.Wait)
	result, err := NewClient(o).restart(ctx, ro)
	if err != nil {
		return result, fmt.Errorf("restart: %w", err)
	}
	return result, nil
}

func (c *Client) restart(ctx context.Context, ro RestartOptions) (RestartResult, error) {
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
		if c.options.planning() {
			c.planRestart(s, m, ro, &result)
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
	result.Took = since(start)
	if c.options.planning() {
		return result, nil
	}
	result.After, err = c.Cluster(ctx)
	return result, err
}

// restartOrder returns the chosen members, replicas first.
func (c *Client) restartOrder(s survey, ro RestartOptions) ([]MemberState, error) {
	for _, name := range ro.Members {
		if _, ok := s.state.Member(name); !ok {
			return nil, unknownMember(s.state, name, ErrInvalid)
		}
		if _, err := c.member(name); err != nil {
			return nil, err
		}
	}
	var replicas, leaders []MemberState
	for _, m := range s.state.Members {
		leads := m.Role.Leads()
		switch {
		case len(ro.Members) > 0 && !slices.Contains(ro.Members, m.Name),
			ro.PendingOnly && !m.PendingRestart && !s.nodes[m.Name].PendingRestart,
			ro.SkipLeader && leads,
			ro.Role == RoleReplica && leads,
			ro.Role != "" && ro.Role != RoleReplica && ro.Role != m.Role:
		case leads:
			leaders = append(leaders, m)
		default:
			replicas = append(replicas, m)
		}
	}
	return append(replicas, leaders...), nil
}

// checkRestart refuses what would be an outage.
func (c *Client) checkRestart(s survey, order []MemberState, ro RestartOptions) error {
	leader, ok := s.state.Leader()
	if !ok {
		return remote.WithHint(ErrNoLeader, "wait until there is one, or make one with a failover")
	}
	last := order[len(order)-1]
	if s.state.Paused {
		if ro.LeaderBySwitchover && last.Name == leader.Name {
			return remote.WithHint(ErrPaused, "resume the cluster first, or restart the leader in place")
		}
		c.options.Progress("warning: the cluster is paused: if PostgreSQL does not start again, nobody takes over")
	}
	var sick []string
	for _, m := range c.options.Members {
		other := len(order) > 1 || order[0].Name != m.Name
		if other && (!s.state.Healthy(m.Name) || s.gone[m.Name] != nil) {
			sick = append(sick, m.Name)
		}
	}
	if len(sick) == 0 {
		return nil
	}
	err := fmt.Errorf("%w: %s is not healthy", ErrUnhealthy, strings.Join(sick, ", "))
	if healthy := s.healthy(); last.Name == leader.Name && !slices.ContainsFunc(healthy, func(name string) bool { return name != leader.Name }) {
		err = fmt.Errorf("%w, so restarting %s is an outage that no replica can cover", err, leader.Name)
	}
	if ro.Force {
		c.options.Progress("warning: " + err.Error())
		return nil
	}
	return remote.WithHint(err, "bring it back first, or force the restart")
}

func (c *Client) planRestart(s survey, m MemberState, ro RestartOptions, result *RestartResult) {
	target, err := c.member(m.Name)
	if err != nil {
		return // restartOrder has found it
	}
	leader, _ := s.state.Leader()
	if ro.LeaderBySwitchover && m.Name == leader.Name {
		c.changed(target, remote.Change{Kind: "leader", Name: c.options.Scope, Action: "moved from " + leader.Name + " to a restarted replica"})
	}
	c.changed(target, remote.Change{Kind: "member", Name: m.Name, Action: "restarted"})
	result.Restarted = append(result.Restarted, RestartedMember{Member: m.Name, Role: m.Role})
}

// restartNext restarts one member, after a switchover if that is how the leader goes.
func (c *Client) restartNext(ctx context.Context, s survey, m MemberState, ro RestartOptions, result *RestartResult) error {
	leader, _ := s.state.Leader()
	if ro.LeaderBySwitchover && m.Name == leader.Name {
		ctx, cancel := context.WithTimeout(ctx, ro.Timeout)
		defer cancel()
		moved, err := c.switchover(ctx, SwitchoverOptions{Timeout: ro.Timeout})
		if err != nil {
			return err
		}
		result.Switchover = &moved
		m.Role = RoleReplica
	}
	done, err := c.restartOne(ctx, m, ro)
	if err != nil {
		return err
	}
	result.Restarted = append(result.Restarted, done)
	return nil
}

// restartGrace is how long a member may take to come back after its Patroni has said that the restart failed: Patroni
// itself tries again.
const restartGrace = 30 * time.Second

// pendingGrace is how long a healthy member may still say that settings are pending before that is believed.
const pendingGrace = 5 * time.Second

// restartOne restarts one member and waits until it is back.
func (c *Client) restartOne(ctx context.Context, m MemberState, ro RestartOptions) (RestartedMember, error) {
	done := RestartedMember{Member: m.Name, Role: m.Role}
	target, err := c.member(m.Name)
	if err != nil {
		return done, err
	}
	before, err := c.Patroni(ctx, m.Name)
	if err != nil {
		return done, err
	}
	c.options.Progress(fmt.Sprintf("restarting PostgreSQL on %s (%s)", m.Name, m.Role))
	w := restartWatch{client: c, member: m.Name, before: before, start: time.Now()}
	w.request = c.background(ctx, target, http.MethodPost, "/restart", map[string]any{})
	if err := poll(ctx, ro.Timeout, m.Name+" to be back", w.look); err != nil {
		return done, err
	}
	done.Took, done.Down, done.Pending = since(w.start), Elapsed(w.down), w.pending
	c.changed(target, remote.Change{Kind: "member", Name: m.Name, Action: "restarted", Duration: done.Took.Duration()})
	return done, nil
}

// restartWatch follows the restart of one member.
type restartWatch struct {
	client  *Client
	member  string
	before  NodeState
	request <-chan answered
	start   time.Time

	failed          error     // what Patroni said against it
	failedAt        time.Time // when
	lastUp, backAt  time.Time // PostgreSQL's last answer before, the moment of being healthy
	down            time.Duration
	woken           time.Time
	pending         []string
	stopped, backUp bool
}

// look asks whether the member is back: first itself, then the cluster.
func (w *restartWatch) look(ctx context.Context) (bool, string, error) {
	if err := w.hear(); err != nil {
		return false, "", err
	}
	node, err := w.client.Patroni(ctx, w.member)
	if err != nil {
		return false, err.Error(), nil
	}
	restarted := !node.StartedAt.IsZero() && !node.StartedAt.Equal(w.before.StartedAt)
	switch {
	case !restarted && node.State == StateRunning && w.failed != nil:
		return false, "", w.failed // it never stopped
	case !w.failedAt.IsZero() && time.Since(w.failedAt) > restartGrace:
		return false, "", w.failed
	case !restarted:
		w.measure(node)
		return false, fmt.Sprintf("%s is %q", w.member, node.State), nil
	}
	w.measure(node)
	return w.lookAtCluster(ctx, node)
}

// hear takes in Patroni's answer, once.
func (w *restartWatch) hear() error {
	select {
	case a := <-w.request:
		w.request = nil
		if a.err != nil {
			return a.err
		}
		if !a.response.good() && !a.response.uncertain() {
			return a.response.err()
		}
		if !a.response.good() {
			w.client.options.Progress("warning: " + a.response.err().Error() + "; watching " + w.member + " instead")
		}
		if a.response.lost == nil && !a.response.good() && !strings.Contains(a.response.Body, "still starting") {
			w.failed, w.failedAt = a.response.err(), time.Now()
		}
	default:
	}
	return nil
}

// measure finds out how long PostgreSQL was away, as far as looking now and then can tell.
func (w *restartWatch) measure(node NodeState) {
	now := time.Now()
	up := node.State == StateRunning && !node.StartedAt.IsZero()
	switch {
	case !w.stopped && up && node.StartedAt.Equal(w.before.StartedAt):
		w.lastUp = now
	case up && !w.backUp:
		w.stopped, w.backUp = true, true
		if w.lastUp.IsZero() {
			w.lastUp = w.start
		}
		w.down = now.Sub(w.lastUp)
	default:
		w.stopped = true
	}
}

func (w *restartWatch) lookAtCluster(ctx context.Context, node NodeState) (bool, string, error) {
	state, err := w.client.Cluster(ctx)
	if err != nil {
		return false, err.Error(), nil
	}
	if time.Since(w.woken) >= wakeEvery {
		w.client.wake(ctx)
		w.woken = time.Now()
	}
	if !state.Healthy(w.member) || node.State != StateRunning {
		return false, describe(state), nil
	}
	if w.backAt.IsZero() {
		w.backAt = time.Now()
	}
	w.pending = nil
	if node.PendingRestart {
		w.pending = node.PendingReason
		return time.Since(w.backAt) > pendingGrace, w.member + " still has settings pending: " + settings(node.PendingReason), nil
	}
	return true, "", nil
}
