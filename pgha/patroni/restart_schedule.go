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

// scheduleRestart schedules the restart of one member and waits until the cluster shows it. Several
// at the same moment would be an outage, so there is only one a call.
func (c *operator) scheduleRestart(ctx context.Context, s survey, order []MemberState,
	ro RestartOptions) (*ScheduledRestart, error) {
	if err := checkTime(ro.At, time.Now()); err != nil {
		return nil, err
	}
	m := order[0]
	switch {
	case len(order) > 1:
		return nil, remote.WithHint(fmt.Errorf("%w: %d members would restart at the same moment",
			ErrInvalid, len(order)),
			"schedule them one by one, each for its own time")
	case ro.LeaderBySwitchover:
		return nil, remote.WithHint(fmt.Errorf("%w: a restart by switchover cannot be scheduled",
			ErrInvalid),
			"schedule a switchover, and the restart after it")
	case s.state.Paused:
		return nil, remote.WithHint(ErrPaused, "resume the cluster first")
	case m.ScheduledRestart != "":
		return nil, remote.WithHint(fmt.Errorf("%w: restart of %s at %s", ErrScheduled, m.Name,
			m.ScheduledRestart),
			"cancel it first")
	}
	target, err := c.member(m.Name)
	if err != nil {
		return nil, err
	}
	wanted := &ScheduledRestart{Member: m.Name, At: ro.At.Truncate(time.Second)}
	change := remote.Change{Kind: "schedule", Name: m.Name,
		Action: "set: restart at " + wanted.At.Format(time.RFC3339)}
	if c.options.Planning() {
		c.changed(target, change)
		return wanted, nil
	}
	body := map[string]any{"schedule": wanted.At.Format(time.RFC3339)}
	if ro.PendingOnly {
		body["restart_pending"] = true
	}
	r, err := c.Quick(ctx, target.Name, http.MethodPost, "/restart", body)
	switch {
	case err != nil:
		return nil, err
	case r.Code == http.StatusConflict:
		return nil, remote.WithHint(fmt.Errorf("%w: %w", ErrScheduled, r.Err()), "cancel it first")
	case !r.Good() && !r.Uncertain():
		return nil, fmt.Errorf("%w: %w", ErrInvalid, r.Err())
	}
	if err := c.waitRestartSchedule(ctx, m.Name, true); err != nil {
		undo := retract(ctx, func(ctx context.Context) error {
			_, err := c.deleteRestart(ctx, target)
			return err
		})
		if undo != nil {
			return nil, fmt.Errorf("%w; the schedule may stand: %w", err, undo)
		}
		return nil, err
	}
	c.changed(target, change)
	return wanted, nil
}

// waitRestartSchedule waits until the cluster shows a scheduled restart of the member, or none.
// Patroni tells the DCS that there is none only in its next round.
func (c *operator) waitRestartSchedule(ctx context.Context, member string, set bool) error {
	what := map[bool]string{true: "the schedule to show", false: "the schedule to be gone"}[set]
	wake := c.waker()
	return poll.Until(ctx, poll.Options{What: what, Bound: scheduleWait},
		func(ctx context.Context) (string, error) {
			wake(ctx)
			state, err := c.Cluster(ctx)
			if err != nil {
				return "", err
			}
			m, _ := state.Member(member)
			if (m.ScheduledRestart != "") == set {
				return "", nil
			}
			return fmt.Sprintf("scheduled restart of %s: %q", member, m.ScheduledRestart), nil
		})
}

// deleteRestart reports whether there was something to delete.
func (c *operator) deleteRestart(ctx context.Context, m Member) (bool, error) {
	r, err := c.Quick(ctx, m.Name, http.MethodDelete, "/restart", nil)
	switch {
	case err != nil:
		return false, err
	case r.Code == http.StatusNotFound:
		return false, nil
	case r.Good() || r.Uncertain():
		return true, nil
	}
	return false, r.Err()
}

// CancelRestart deletes the scheduled restart of the member, waits until the cluster shows none,
// and returns what was scheduled. Errors match ErrInvalid for an unknown member,
// ErrNothingScheduled when there was nothing to cancel, ErrUnavailable or ErrTimeout. When the
// targets only plan, the change is reported and nothing happens.
func CancelRestart(ctx context.Context, o Options, member string) (ScheduledRestart, error) {
	was, err := newOperator(o).cancelRestart(ctx, member)
	if err != nil {
		return was, fmt.Errorf("cancel scheduled restart: %w", err)
	}
	return was, nil
}

func (c *operator) cancelRestart(ctx context.Context, name string) (ScheduledRestart, error) {
	was := ScheduledRestart{Member: name}
	state, err := c.Cluster(ctx)
	if err != nil {
		return was, err
	}
	m, ok := state.Member(name)
	if !ok {
		return was, unknownMember(state, name, ErrInvalid)
	}
	target, err := c.member(name)
	if err != nil {
		return was, err
	}
	nothing := remote.WithHint(fmt.Errorf("%w for %s", ErrNothingScheduled, name),
		"no restart of it is waiting for its time")
	if m.ScheduledRestart == "" {
		return was, nothing
	}
	was.At = rest.ParseTime(m.ScheduledRestart)
	if !c.options.Planning() {
		found, err := c.deleteRestart(ctx, target)
		switch {
		case err != nil:
			return was, err
		case !found:
			return was, nothing
		}
		if err := c.waitRestartSchedule(ctx, name, false); err != nil {
			return was, err
		}
	}
	c.changed(target,
		remote.Change{Kind: "schedule", Name: name,
			Action: "cancelled: restart at " + m.ScheduledRestart})
	return was, nil
}
