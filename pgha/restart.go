package pgha

import (
	"context"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/patroni"
)

// RestartOptions say which PostgreSQL servers are restarted, and how.
type RestartOptions struct {
	Operation
	// Members, or their hosts, to restart. Empty means all that the other fields leave over.
	Members []string
	// Role leaves out members of other roles: "leader" or "replica", which stands for every member but the leader.
	Role patroni.Role
	// PendingOnly leaves out members without a setting that waits for a restart.
	PendingOnly bool
	// BySwitchover moves the leadership to a restarted replica before the former leader is restarted.
	BySwitchover bool
	// At schedules the restart of one member for this time instead of making it now.
	At time.Time
	// Force goes on although another member is unhealthy, or long transactions would be cut short.
	Force bool
}

// Restart restarts PostgreSQL on the chosen members, one at a time, in patroni.Restart's order, and stops at the first
// that does not come back. If the leader is among them it is checked first what would be cut short, as Switchover
// does, and a checkpoint is written. See patroni.Restart for refusals and errors.
func (c *Cluster) Restart(ctx context.Context, opts RestartOptions) (patroni.RestartResult, error) {
	var result patroni.RestartResult
	members, err := c.members(opts.Members)
	if err != nil {
		return result, err
	}
	ro := patroni.RestartOptions{Members: members, Role: opts.Role, PendingOnly: opts.PendingOnly, LeaderBySwitchover: opts.BySwitchover, At: opts.At, Force: opts.Force}
	err = c.operate(ctx, "restart", opts.Operation, lockEtcd, func(ctx context.Context, run *job) error {
		result, err = run.restart(ctx, ro)
		return err
	})
	return result, err
}

func (r *job) restart(ctx context.Context, ro patroni.RestartOptions) (patroni.RestartResult, error) {
	rehearsal, err := r.rehearsed().patroniOptions()
	if err != nil {
		return patroni.RestartResult{}, err
	}
	planned, err := patroni.Restart(ctx, rehearsal, ro)
	if err != nil {
		return planned, err
	}
	leader := slices.IndexFunc(planned.Restarted, func(m patroni.RestartedMember) bool { return m.Role.Leads() })
	if leader >= 0 && ro.At.IsZero() {
		if err := r.refuseObstacles(ctx, ro.Force); err != nil {
			return planned, err
		}
		if err := r.checkpoint(ctx, planned.Restarted[leader].Member); err != nil {
			r.Warn("", err.Error())
		}
	}
	po, err := r.patroniOptions()
	if err != nil {
		return planned, err
	}
	result, err := patroni.Restart(ctx, po, ro)
	if err != nil || leader < 0 || !ro.At.IsZero() {
		return result, err
	}
	return result, readyPhase(ctx, r)
}

// CancelRestart takes the scheduled restart of a member, or its host, off the schedule and returns it.
// patroni.ErrNothingScheduled if there is none.
func (c *Cluster) CancelRestart(ctx context.Context, op Operation, member string) (patroni.ScheduledRestart, error) {
	var was patroni.ScheduledRestart
	name, err := c.member(member)
	if err != nil {
		return was, err
	}
	err = c.operate(ctx, "cancel restart", op, lockEtcd, func(ctx context.Context, run *job) error {
		po, err := run.patroniOptions()
		if err == nil {
			was, err = patroni.CancelRestart(ctx, po, name)
		}
		return err
	})
	return was, err
}
