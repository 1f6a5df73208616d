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

// SwitchoverOptions say where the leadership goes.
type SwitchoverOptions struct {
	// Candidate is the member that shall lead. "" picks the replica that is behind the least.
	Candidate string
	// Timeout bounds the whole operation. 0 means the Options' Wait.
	Timeout time.Duration
}

// SwitchoverResult is what a switchover did.
type SwitchoverResult struct {
	OldLeader, NewLeader string
	// Timeline is the new leader's; 0 when the run only planned.
	Timeline int64
	// Promoted is how long it took until the new leader ran, Complete until all others streamed from it.
	Promoted, Complete time.Duration
}

// Switchover moves the leadership from a healthy leader to a replica that has everything the leader has, and waits until
// the new leader runs and every other member, the former leader included, streams from it. Sessions to the old leader
// are closed; no committed transaction is lost.
//
// Before anything is changed the candidate is checked: it must stream on the leader's timeline, be allowed to lead, and
// be no further behind than MaximumLagOnFailover. Errors match ErrNoLeader, ErrNoCandidate, ErrPaused, ErrUnavailable or
// ErrTimeout. After ErrTimeout the switchover may still be going on: look at the cluster's state, and do not force
// anything. When the named candidate leads already, nothing happens. When the targets only plan, the change is reported
// and nothing happens either.
func Switchover(ctx context.Context, o Options, so SwitchoverOptions) (SwitchoverResult, error) {
	o = o.withDefaults()
	setDefault(&so.Timeout, o.Wait)
	ctx, cancel := context.WithTimeout(ctx, so.Timeout)
	defer cancel()
	start := time.Now()
	client := NewClient(o)
	state, err := client.Cluster(ctx)
	if err != nil {
		return SwitchoverResult{}, fmt.Errorf("switchover: %w", err)
	}
	if leader, ok := state.Leader(); ok && leader.Name == so.Candidate {
		return SwitchoverResult{OldLeader: leader.Name, NewLeader: leader.Name, Timeline: leader.Timeline}, nil
	}
	leader, candidate, err := o.chooseCandidate(state, so.Candidate)
	if err != nil {
		return SwitchoverResult{}, fmt.Errorf("switchover: %w", err)
	}
	result := SwitchoverResult{OldLeader: leader.Name, NewLeader: candidate.Name}
	asked, err := client.member(leader.Name)
	if err != nil {
		return SwitchoverResult{}, fmt.Errorf("switchover: %w", err)
	}
	change := remote.Change{Host: asked.Target.Name, Kind: "leader", Name: o.Scope, Action: "moved from " + leader.Name + " to " + candidate.Name}
	if o.planning() {
		change.Planned = true
		report(asked.Target, change)
		return result, nil
	}
	o.Progress("switchover from " + leader.Name + " to " + candidate.Name)
	if err := client.requestSwitchover(ctx, asked, candidate.Name); err != nil {
		return result, fmt.Errorf("switchover: %w", err)
	}
	if result.Timeline, err = client.waitPromoted(ctx, leader, candidate.Name); err != nil {
		return result, fmt.Errorf("switchover: %w", err)
	}
	result.Promoted = time.Since(start)
	change.Duration = result.Promoted
	report(asked.Target, change)
	if err := client.waitHealthy(ctx, so.Timeout); err != nil {
		return result, fmt.Errorf("switchover: %s leads, but: %w", candidate.Name, err)
	}
	result.Complete = time.Since(start)
	return result, nil
}

// chooseCandidate returns the leader and the replica that may take over; name "" means the best one.
func (o Options) chooseCandidate(state ClusterState, name string) (leader, candidate MemberState, err error) {
	leader, ok := state.Leader()
	if !ok {
		return leader, candidate, remote.WithHint(ErrNoLeader, "a switchover needs a healthy leader; a failover doesn't")
	}
	if state.Paused {
		return leader, candidate, remote.WithHint(ErrPaused, "resume the cluster first")
	}
	synchronous := slices.ContainsFunc(state.Members, func(m MemberState) bool { return m.Role == RoleSyncStandby })
	if name != "" {
		found, ok := state.Member(name)
		if !ok {
			return leader, candidate, fmt.Errorf("%w: the cluster has no member %q", ErrNoCandidate, name)
		}
		if why := o.limitation(state, found, synchronous); why != "" {
			return leader, candidate, fmt.Errorf("%w: %s %s", ErrNoCandidate, name, why)
		}
		return leader, found, nil
	}
	var fit []MemberState
	var reasons []string
	for _, m := range state.Members {
		if m.Name == leader.Name {
			continue
		}
		if why := o.limitation(state, m, synchronous); why != "" {
			reasons = append(reasons, m.Name+" "+why)
			continue
		}
		fit = append(fit, m)
	}
	if len(fit) == 0 {
		if len(reasons) == 0 {
			reasons = []string{"the cluster has no replica"}
		}
		return leader, candidate, fmt.Errorf("%w: %s", ErrNoCandidate, strings.Join(reasons, ", "))
	}
	return leader, slices.MinFunc(fit, func(a, b MemberState) int { return int(*a.LagBytes - *b.LagBytes) }), nil
}

// limitation says why a replica must not lead, or "".
func (o Options) limitation(state ClusterState, m MemberState, synchronous bool) string {
	priority, limited := m.Tags["failover_priority"]
	switch {
	case !state.Healthy(m.Name):
		return fmt.Sprintf("does not stream on the leader's timeline: it is %q on timeline %d", m.State, m.Timeline)
	case m.Tag("nofailover") || limited && fmt.Sprint(priority) == "0":
		return "is tagged nofailover"
	case synchronous && m.Role != RoleSyncStandby:
		return "is not the synchronous standby"
	case m.LagBytes == nil:
		return "does not say how far it is behind"
	case *m.LagBytes > o.MaximumLagOnFailover:
		return fmt.Sprintf("is %d bytes behind, more than maximum_lag_on_failover %d", *m.LagBytes, o.MaximumLagOnFailover)
	}
	return ""
}

// requestSwitchover hands the request to the leader's Patroni. Patroni answers when it is done or when it lost patience;
// "status unknown", and no answer at all, mean that it may still be going on, which the caller finds out by looking.
func (c *Client) requestSwitchover(ctx context.Context, leader Member, candidate string) error {
	body := map[string]string{"leader": leader.Name, "candidate": candidate}
	code, answer, err := c.request(ctx, leader, http.MethodPost, "/switchover", body)
	if err != nil {
		if c.err != nil || ctx.Err() != nil {
			return err
		}
		c.options.Progress("warning: no answer to the request, watching the cluster instead: " + err.Error())
		return nil
	}
	refusal := &StatusError{Member: leader.Name, Method: http.MethodPost, Path: "/switchover", Code: code, Body: excerpt(answer)}
	switch {
	case code == http.StatusOK, code == http.StatusAccepted:
		return nil
	case code == http.StatusServiceUnavailable && strings.Contains(refusal.Body, "status unknown"):
		c.options.Progress("Patroni does not know yet how the switchover went, waiting on")
		return nil
	case code == http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %w", ErrNoCandidate, refusal)
	}
	return refusal
}

// waitPromoted waits until somebody else than the old leader holds the lock and runs as primary, and returns its timeline.
func (c *Client) waitPromoted(ctx context.Context, old MemberState, candidate string) (int64, error) {
	timeline := int64(0)
	err := poll(ctx, c.options.Wait, candidate+" to lead", func(ctx context.Context) (bool, string, error) {
		state, err := c.Cluster(ctx)
		if err != nil {
			return false, err.Error(), nil
		}
		leader, ok := state.Leader()
		switch {
		case !ok || leader.Name == old.Name:
			return false, describe(state), nil
		case leader.Name != candidate:
			return false, "", fmt.Errorf("%s became leader instead of %s", leader.Name, candidate)
		}
		self, err := c.Patroni(ctx, candidate)
		if err != nil {
			return false, err.Error(), nil
		}
		timeline = self.Timeline
		return self.Role == RoleLeader && self.State == StateRunning && self.Timeline > old.Timeline, describe(state), nil
	})
	return timeline, err
}

func report(t *remote.Target, change remote.Change) {
	if t.OnChange != nil {
		t.OnChange(change)
	}
}
