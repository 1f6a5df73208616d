package patroni

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/patroni/rest"
	"github.com/pgha/toolkit/pgha/remote"
)

// ErrNotFollowing: the leadership has moved as it was asked to, and a member did not say in time
// that it streams from the new leader. It matches ErrTimeout, too.
var ErrNotFollowing = errs.New(errs.Unhealthy, "not all members follow yet")

// SwitchoverOptions say where the leadership goes, and when.
type SwitchoverOptions struct {
	// Candidate is the member that should lead. "" leaves it to Patroni, which picks the one that
	// has most of the WAL, and is the quicker way: replicas that are not the candidate wait two
	// seconds before they look for their new primary (Patroni, ha.py, process_unhealthy_cluster),
	// and where commits wait for one of them that adds to the time without writes.
	Candidate string
	// At schedules the switchover for this time, at least 5 s ahead, instead of making it now.
	At time.Time
	// Timeout bounds the whole operation. 0 means the Options' Wait.
	Timeout time.Duration
	// Before, when set, is called once everything is checked, right before Patroni is asked to move
	// the leadership now. Its error ends the operation, and nothing is changed then.
	Before func(context.Context) error
}

// SwitchoverResult is what a switchover did.
type SwitchoverResult struct {
	OldLeader string `json:"old_leader"`
	// NewLeader is "" when Patroni should pick it at the scheduled time. A run that only plans
	// without a Candidate names the likeliest.
	NewLeader string `json:"new_leader"`
	// Timeline is the new leader's; 0 when the run only planned or scheduled.
	Timeline int64 `json:"timeline"`
	// Promoted is how long it took until the new leader ran, Complete until all others streamed
	// from it.
	Promoted Elapsed `json:"promoted_seconds"`
	Complete Elapsed `json:"complete_seconds"`
	// Scheduled is what the cluster says is scheduled; nil for a switchover that was made at once.
	Scheduled *ScheduledSwitchover `json:"scheduled,omitempty"`
	// Before and After are the cluster at the beginning and at the end. After is empty when the run
	// only planned.
	Before ClusterState `json:"before"`
	After  ClusterState `json:"after"`
}

// Switchover moves the leadership from a healthy leader to a replica that has everything the leader
// has, and waits until the new leader runs and every other healthy member, the former leader
// included, streams from it. Sessions to the old leader are closed; no committed transaction is
// lost.
//
// Before anything is changed the candidate is checked: it must answer, stream on the leader's
// timeline, be allowed to lead, be synchronous if the cluster is, and be no further behind than
// maximum_lag_on_failover. Refusals match ErrNoLeader, ErrNoCandidate, ErrPaused, ErrScheduled or
// ErrInvalid, and nothing was changed then. Other errors match ErrUnavailable, ErrTimeout or
// ErrNotFollowing, with which the switchover itself is done. After ErrTimeout alone, and when ctx
// is cancelled, the switchover may still be going on: Patroni brings it to its end or gives it up,
// so look at the cluster's state and force nothing. A schedule that was not confirmed is deleted
// again. When the targets only plan, the change is reported and nothing happens.
func Switchover(ctx context.Context, o Options, so SwitchoverOptions) (SwitchoverResult, error) {
	o = o.WithDefaults()
	so.Timeout = cmp.Or(so.Timeout, o.Wait)
	o.Wait = so.Timeout
	var result SwitchoverResult
	err := within(ctx, so.Timeout, "switchover", func(ctx context.Context) (err error) {
		result, err = newOperator(o).switchover(ctx, so)
		return err
	})
	return result, err
}

func (c *operator) switchover(ctx context.Context, so SwitchoverOptions) (SwitchoverResult, error) {
	s, err := c.survey(ctx)
	if err != nil {
		return SwitchoverResult{}, err
	}
	result := SwitchoverResult{Before: s.state}
	leader, candidate, err := s.choose(so, time.Now())
	if err != nil {
		return result, err
	}
	asked, err := c.member(leader.Name)
	if err != nil {
		return result, err
	}
	result.OldLeader, result.NewLeader = leader.Name, candidate.Name
	if !so.At.IsZero() {
		result.NewLeader = so.Candidate
		return c.scheduleSwitchover(ctx, asked, so, result)
	}
	change := remote.Change{Kind: "leader", Name: c.options.Scope,
		Action: "moved from " + leader.Name + " to " + candidate.Name}
	if c.options.Planning() {
		c.changed(asked, change)
		return result, nil
	}
	body, to := map[string]string{"leader": leader.Name}, "another member"
	if so.Candidate != "" {
		body["candidate"], to = candidate.Name, candidate.Name
	}
	if so.Before != nil {
		if err := so.Before(ctx); err != nil {
			return result, err
		}
	}
	c.options.Progress("switchover from " + leader.Name + " to " + to)
	start := time.Now()
	promoted, err := c.waitPromoted(ctx, c.Background(ctx, asked.Name, http.MethodPost,
		"/switchover", body),
		leader, to)
	if err != nil {
		return result, err
	}
	result.NewLeader, result.Timeline, result.Promoted = promoted.Name, promoted.Timeline,
		since(start)
	change.Action, change.Duration = "moved from "+leader.Name+" to "+promoted.Name,
		result.Promoted.Duration()
	c.changed(asked, change)
	if so.Candidate != "" && promoted.Name != candidate.Name {
		return result, fmt.Errorf("%s became leader instead of %s", promoted.Name, candidate.Name)
	}
	result.After, err = c.waitFollowing(ctx, so.Timeout, result.Timeline, s.healthy())
	if errors.Is(err, ErrTimeout) {
		err = fmt.Errorf("%w: %w", ErrNotFollowing, err)
	}
	if err != nil {
		return result, fmt.Errorf("%s leads, but: %w", promoted.Name, err)
	}
	result.Complete = since(start)
	return result, nil
}

// healthy are the names of the members that are well.
func (s survey) healthy() []string {
	return slices.DeleteFunc(s.state.Names(),
		func(name string) bool { return !s.state.Healthy(name) || s.gone[name] != nil })
}

// choose returns the leader and the replica that may take over, the best one when none is named. It
// refuses whatever stands against a switchover.
func (s survey) choose(so SwitchoverOptions,
	now time.Time) (leader, candidate MemberState, err error) {
	leader, ok := s.state.Leader()
	switch {
	case !ok:
		return leader, candidate,
			remote.WithHint(ErrNoLeader, "a switchover needs a healthy leader; a failover does not")
	case s.gone[leader.Name] != nil:
		return leader, candidate, remote.WithHint(fmt.Errorf("%w that answers: %w", ErrNoLeader,
			s.gone[leader.Name]),
			"if "+leader.Name+" is gone for good, use a failover; otherwise wait until it is back")
	case !s.state.Healthy(leader.Name):
		return leader, candidate,
			remote.WithHint(fmt.Errorf("%w that runs: %s is %q", ErrNoLeader, leader.Name,
				leader.State),
				"wait until it runs again, or use a failover")
	case s.state.Paused:
		return leader, candidate, remote.WithHint(ErrPaused, "resume the cluster first")
	case s.state.ScheduledSwitchover != nil:
		return leader, candidate,
			remote.WithHint(fmt.Errorf("%w: %s", ErrScheduled, s.state.ScheduledSwitchover),
				"cancel it first")
	}
	if err := checkTime(so.At, now); err != nil {
		return leader, candidate, err
	}
	candidate, err = s.candidate(leader, so.Candidate)
	return leader, candidate, err
}

func (s survey) candidate(leader MemberState, name string) (MemberState, error) {
	if name != "" {
		found, ok := s.state.Member(name)
		if !ok {
			return found, unknownMember(s.state, name, ErrNoCandidate)
		}
		if name == leader.Name {
			return found,
				remote.WithHint(fmt.Errorf("%w: %s leads already", ErrNoCandidate, name),
					"nothing has to be done")
		}
		if why := s.limitation(found); why != "" {
			return found, fmt.Errorf("%w: %s %s", ErrNoCandidate, name, why)
		}
		return found, nil
	}
	fit, reasons := s.sift(leader.Name, s.limitation)
	if len(fit) == 0 {
		return MemberState{}, fmt.Errorf("%w: %s", ErrNoCandidate, strings.Join(reasons, ", "))
	}
	return slices.MinFunc(fit, func(a, b MemberState) int {
		return cmp.Compare(*s.lag(a), *s.lag(b))
	}), nil
}

// sift parts the members without the leader into those that have no limitation and the reasons
// against the others.
func (s survey) sift(leader string,
	limitation func(MemberState) string) (fit []MemberState, reasons []string) {
	for _, m := range s.state.Members {
		if m.Name == leader {
			continue
		}
		if why := limitation(m); why != "" {
			reasons = append(reasons, m.Name+" "+why)
			continue
		}
		fit = append(fit, m)
	}
	if len(fit)+len(reasons) == 0 {
		reasons = []string{"the cluster has no replica"}
	}
	return fit, reasons
}

// promotion is the leader that a change of leadership brought.
type promotion struct {
	Name     string
	Timeline int64
}

// waitPromoted waits until somebody else than the old leader holds the lock and runs as primary.
// Patroni's answer to the request matters only when it is a refusal: it comes late, it may not come
// at all, and it may say that Patroni does not know.
func (c *operator) waitPromoted(ctx context.Context, request <-chan rest.Answered, old MemberState,
	candidate string) (promotion, error) {
	var found promotion
	var refused *rest.Response
	what := poll.Options{What: candidate + " to lead", Bound: c.options.Wait}
	err := poll.Until(ctx, what, func(ctx context.Context) (string, error) {
		select {
		case a := <-request:
			request = nil
			if err := c.judge(a); err != nil {
				return "", poll.Stop(err)
			}
			if !a.Response.Good() && a.Response.Lost == nil &&
				!strings.Contains(a.Response.Body, "status unknown") {
				refused = &a.Response
			}
		default:
		}
		state, err := c.Cluster(ctx)
		if err != nil {
			return "", err
		}
		leader, ok := state.Leader()
		switch {
		case ok && leader.Name == old.Name && refused != nil:
			return "", poll.Stop(remote.WithHint(refused.Err(),
				"see `journalctl -u patroni -n 50` on "+refused.Member))
		case !ok || leader.Name == old.Name:
			return describe(state), nil
		}
		self, err := c.Patroni(ctx, leader.Name)
		if err != nil {
			return "", err
		}
		found = promotion{Name: leader.Name, Timeline: self.Timeline}
		if self.Role == RoleLeader && self.State == StateRunning && self.Timeline > old.Timeline {
			return "", nil
		}
		return describe(state), nil
	})
	return found, err
}

// judge returns the error of a request that had no effect, and reports one whose effect is not
// known.
func (c *operator) judge(a rest.Answered) error {
	switch {
	case a.Err != nil:
		return a.Err
	case a.Response.Lost != nil:
		c.options.Progress("warning: no answer to the request, watching the cluster instead: " +
			a.Response.Lost.Error())
	case a.Response.Code == http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %w", ErrNoCandidate, a.Response.Err())
	case a.Response.Good():
	case a.Response.Uncertain():
		c.options.Progress("warning: Patroni is not sure, watching the cluster instead: " +
			a.Response.Body)
	default:
		return a.Response.Err()
	}
	return nil
}

func report(t *remote.Target, change remote.Change) {
	if t.OnChange != nil {
		t.OnChange(change)
	}
}
