package patroni

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

const (
	// leastAhead is how far ahead something can be scheduled at least: Patroni must hear of it before the time has come.
	leastAhead = 5 * time.Second
	// scheduleWait bounds how long a schedule may take to show.
	scheduleWait = 10 * time.Second
)

// String says it in words.
func (s ScheduledSwitchover) String() string {
	text := "switchover"
	if s.From != "" {
		text += " from " + s.From
	}
	if s.To != "" {
		text += " to " + s.To
	}
	if s.At.IsZero() {
		return text
	}
	return text + " at " + s.At.Format(time.RFC3339)
}

// checkTime refuses times that have passed or are too close. The zero time means now, and is fine.
func checkTime(at, now time.Time) error {
	switch {
	case at.IsZero():
		return nil
	case at.Before(now):
		return remote.WithHint(fmt.Errorf("%w: %s has passed", ErrInvalid, at.Format(time.RFC3339)), "it is "+now.Format(time.RFC3339)+" now")
	case at.Before(now.Add(leastAhead)):
		return remote.WithHint(fmt.Errorf("%w: %s is less than %s ahead", ErrInvalid, at.Format(time.RFC3339), leastAhead), "leave the time out to act now")
	}
	return nil
}

// scheduleSwitchover writes the schedule and waits until the cluster shows it.
func (c *Client) scheduleSwitchover(ctx context.Context, asked Member, so SwitchoverOptions, result SwitchoverResult) (SwitchoverResult, error) {
	wanted := ScheduledSwitchover{At: so.At.Truncate(time.Second), From: result.OldLeader, To: so.Candidate}
	result.Scheduled = &wanted
	change := remote.Change{Kind: "schedule", Name: c.options.Scope, Action: "set: " + wanted.String()}
	if c.options.planning() {
		c.changed(asked, change)
		return result, nil
	}
	body := map[string]string{"leader": result.OldLeader, "scheduled_at": wanted.At.Format(time.RFC3339)}
	if so.Candidate != "" {
		body["candidate"] = so.Candidate
	}
	r, err := c.quick(ctx, asked, http.MethodPost, "/switchover", body)
	switch {
	case err != nil:
		return result, err
	case !r.good() && !r.uncertain():
		return result, fmt.Errorf("%w: %w", ErrInvalid, r.err())
	}
	result.After, err = c.waitSchedule(ctx, "the schedule to show", func(state ClusterState) bool {
		return state.ScheduledSwitchover != nil && state.ScheduledSwitchover.equal(wanted)
	})
	if err != nil {
		if undo := retract(ctx, func(ctx context.Context) error { return c.unscheduleOwn(ctx, wanted) }); undo != nil {
			return result, fmt.Errorf("%w; the schedule may stand: %w", err, undo)
		}
		return result, err
	}
	result.Scheduled = result.After.ScheduledSwitchover
	c.changed(asked, change)
	return result, nil
}

// equal compares to the second: Patroni writes the time its own way.
func (s ScheduledSwitchover) equal(other ScheduledSwitchover) bool {
	return s.From == other.From && s.To == other.To && s.At.Sub(other.At).Abs() < time.Second
}

// waitSchedule waits until the cluster's schedule is as wished.
func (c *Client) waitSchedule(ctx context.Context, what string, wished func(ClusterState) bool) (ClusterState, error) {
	var state ClusterState
	err := poll(ctx, scheduleWait, what, func(ctx context.Context) (bool, string, error) {
		now, err := c.Cluster(ctx)
		if err != nil {
			return false, err.Error(), nil
		}
		state = now
		seen := "no scheduled switchover"
		if s := state.ScheduledSwitchover; s != nil {
			seen = s.String()
		}
		return wished(state), seen, nil
	})
	return state, err
}

// unscheduleOwn deletes the schedule that this run made, and no other.
func (c *Client) unscheduleOwn(ctx context.Context, own ScheduledSwitchover) error {
	state, err := c.Cluster(ctx)
	if err != nil {
		return err
	}
	if s := state.ScheduledSwitchover; s == nil || !s.equal(own) {
		return nil
	}
	_, err = c.deleteSchedule(ctx)
	return err
}

// deleteSchedule reports whether there was one.
func (c *Client) deleteSchedule(ctx context.Context) (bool, error) {
	return anyMember(ctx, c, func(ctx context.Context, m Member) (bool, error) {
		r, err := c.quick(ctx, m, http.MethodDelete, "/switchover", nil)
		switch {
		case err != nil:
			return false, err
		case r.good():
			return true, nil
		case r.lost == nil && r.Code == http.StatusNotFound:
			return false, nil
		}
		return false, r.err()
	})
}

// ScheduledSwitchovers returns what is scheduled: at most one, because Patroni keeps no more. Scheduled restarts are found
// in MemberState.ScheduledRestart. Changes nothing. Errors match ErrUnavailable.
func ScheduledSwitchovers(ctx context.Context, o Options) ([]ScheduledSwitchover, error) {
	state, err := NewClient(o).Cluster(ctx)
	if err != nil || state.ScheduledSwitchover == nil {
		return nil, err
	}
	return []ScheduledSwitchover{*state.ScheduledSwitchover}, nil
}

// CancelSwitchover deletes the scheduled switchover, waits until the cluster shows none, and returns what was scheduled.
// Errors match ErrNothingScheduled when there was none, ErrUnavailable or ErrTimeout. When the targets only plan, the
// change is reported and nothing happens.
func CancelSwitchover(ctx context.Context, o Options) (ScheduledSwitchover, error) {
	c := NewClient(o)
	was, err := c.cancelSwitchover(ctx)
	if err != nil {
		return was, fmt.Errorf("cancel scheduled switchover: %w", err)
	}
	return was, nil
}

func (c *Client) cancelSwitchover(ctx context.Context) (ScheduledSwitchover, error) {
	state, err := c.Cluster(ctx)
	if err != nil {
		return ScheduledSwitchover{}, err
	}
	if state.ScheduledSwitchover == nil {
		return ScheduledSwitchover{}, remote.WithHint(ErrNothingScheduled, "no switchover is waiting for its time")
	}
	was := *state.ScheduledSwitchover
	if !c.options.planning() {
		found, err := c.deleteSchedule(ctx)
		switch {
		case err != nil:
			return was, err
		case !found:
			return was, remote.WithHint(ErrNothingScheduled, "somebody else cancelled it, or its time has come: look at the cluster")
		}
		_, err = c.waitSchedule(ctx, "the schedule to be gone", func(state ClusterState) bool { return state.ScheduledSwitchover == nil })
		if err != nil {
			return was, err
		}
	}
	c.changed(c.options.Members[0], remote.Change{Kind: "schedule", Name: c.options.Scope, Action: "cancelled: " + was.String()})
	return was, nil
}
