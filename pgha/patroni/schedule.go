package patroni

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/patroni/rest"
	"github.com/pgha/toolkit/pgha/remote"
)

const (
	// leastAhead is how far ahead something can be scheduled at least: Patroni must hear of it
	// before the time has come.
	leastAhead = 5 * time.Second
	// scheduleWait bounds how long a schedule may take to show.
	scheduleWait = 10 * time.Second
)

// checkTime refuses times that have passed or are too close. The zero time means now, and is fine.
func checkTime(at, now time.Time) error {
	switch {
	case at.IsZero():
		return nil
	case at.Before(now):
		return remote.WithHint(fmt.Errorf("%w: %s has passed", ErrInvalid, at.Format(time.RFC3339)),
			"it is "+now.Format(time.RFC3339)+" now")
	case at.Before(now.Add(leastAhead)):
		return remote.WithHint(fmt.Errorf("%w: %s is less than %s ahead", ErrInvalid,
			at.Format(time.RFC3339),
			leastAhead), "leave the time out to act now")
	}
	return nil
}

// scheduleSwitchover writes the schedule and waits until the cluster shows it.
func (c *operator) scheduleSwitchover(ctx context.Context, asked Member, so SwitchoverOptions,
	result SwitchoverResult) (SwitchoverResult, error) {
	wanted := ScheduledSwitchover{At: so.At.Truncate(time.Second), From: result.OldLeader,
		To: so.Candidate}
	result.Scheduled = &wanted
	change := remote.Change{Kind: "schedule", Name: c.options.Scope,
		Action: "set: " + wanted.String()}
	if c.options.Planning() {
		c.changed(asked, change)
		return result, nil
	}
	body := map[string]string{"leader": result.OldLeader,
		"scheduled_at": wanted.At.Format(time.RFC3339)}
	if so.Candidate != "" {
		body["candidate"] = so.Candidate
	}
	r, err := c.Quick(ctx, asked.Name, http.MethodPost, "/switchover", body)
	switch {
	case err != nil:
		return result, err
	case !r.Good() && !r.Uncertain():
		return result, fmt.Errorf("%w: %w", ErrInvalid, r.Err())
	}
	result.After, err = c.waitSchedule(ctx, "the schedule to show", func(state ClusterState) bool {
		return state.ScheduledSwitchover != nil && state.ScheduledSwitchover.Equal(wanted)
	})
	if err != nil {
		if undo := retract(ctx, func(ctx context.Context) error {
			return c.unscheduleOwn(ctx, wanted)
		}); undo != nil {
			return result, fmt.Errorf("%w; the schedule may stand: %w", err, undo)
		}
		return result, err
	}
	result.Scheduled = result.After.ScheduledSwitchover
	c.changed(asked, change)
	return result, nil
}

// waitSchedule waits until the cluster's schedule is as wished.
func (c *operator) waitSchedule(ctx context.Context, what string,
	wished func(ClusterState) bool) (ClusterState,
	error) {
	var state ClusterState
	err := poll.Until(ctx, poll.Options{What: what, Bound: scheduleWait},
		func(ctx context.Context) (string, error) {
			now, err := c.Cluster(ctx)
			if err != nil {
				return "", err
			}
			if state = now; wished(state) {
				return "", nil
			}
			if s := state.ScheduledSwitchover; s != nil {
				return s.String(), nil
			}
			return "no scheduled switchover", nil
		})
	return state, err
}

// unscheduleOwn deletes the schedule that this run made, and no other.
func (c *operator) unscheduleOwn(ctx context.Context, own ScheduledSwitchover) error {
	state, err := c.Cluster(ctx)
	if err != nil {
		return err
	}
	if s := state.ScheduledSwitchover; s == nil || !s.Equal(own) {
		return nil
	}
	_, err = c.deleteSchedule(ctx)
	return err
}

// deleteSchedule reports whether there was one.
func (c *operator) deleteSchedule(ctx context.Context) (bool, error) {
	return rest.Any(ctx, c.Client, func(ctx context.Context, m rest.Member) (bool, error) {
		r, err := c.Quick(ctx, m.Name, http.MethodDelete, "/switchover", nil)
		switch {
		case err != nil:
			return false, err
		case r.Good():
			return true, nil
		case r.Lost == nil && r.Code == http.StatusNotFound:
			return false, nil
		}
		return false, r.Err()
	})
}

// ScheduledSwitchovers returns what is scheduled: at most one, because Patroni keeps no more.
// Scheduled restarts are found in MemberState.ScheduledRestart. Changes nothing. Errors match
// ErrUnavailable.
func ScheduledSwitchovers(ctx context.Context, o Options) ([]ScheduledSwitchover, error) {
	state, err := newOperator(o).Cluster(ctx)
	if err != nil || state.ScheduledSwitchover == nil {
		return nil, err
	}
	return []ScheduledSwitchover{*state.ScheduledSwitchover}, nil
}

// CancelSwitchover deletes the scheduled switchover, waits until the cluster shows none, and
// returns what was scheduled. Errors match ErrNothingScheduled when there was none, ErrUnavailable
// or ErrTimeout. When the targets only plan, the change is reported and nothing happens.
func CancelSwitchover(ctx context.Context, o Options) (ScheduledSwitchover, error) {
	c := newOperator(o)
	was, err := c.cancelSwitchover(ctx)
	if err != nil {
		return was, fmt.Errorf("cancel scheduled switchover: %w", err)
	}
	return was, nil
}

func (c *operator) cancelSwitchover(ctx context.Context) (ScheduledSwitchover, error) {
	state, err := c.Cluster(ctx)
	if err != nil {
		return ScheduledSwitchover{}, err
	}
	if state.ScheduledSwitchover == nil {
		return ScheduledSwitchover{}, remote.WithHint(ErrNothingScheduled,
			"no switchover is waiting for its time")
	}
	was := *state.ScheduledSwitchover
	if !c.options.Planning() {
		found, err := c.deleteSchedule(ctx)
		switch {
		case err != nil:
			return was, err
		case !found:
			return was, remote.WithHint(ErrNothingScheduled,
				"somebody else cancelled it, or its time has come: look at the cluster")
		}
		_, err = c.waitSchedule(ctx, "the schedule to be gone",
			func(state ClusterState) bool { return state.ScheduledSwitchover == nil })
		if err != nil {
			return was, err
		}
	}
	c.changed(c.options.Members[0], remote.Change{Kind: "schedule", Name: c.options.Scope,
		Action: "cancelled: " + was.String()})
	return was, nil
}
