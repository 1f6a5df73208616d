package operate

import (
	"context"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/provision"
)

// RestartOptions say which PostgreSQL servers are restarted, and how.
type RestartOptions struct {
	engine.Operation
	// Members, or their hosts, to restart. Empty means all that the other fields leave over.
	Members []string
	// Role leaves out members of other roles: "leader" or "replica", which stands for every member
	// but the leader.
	Role patroni.Role
	// PendingOnly leaves out members without a setting that waits for a restart.
	PendingOnly bool
	// BySwitchover moves the leadership to a restarted replica before the former leader is
	// restarted.
	BySwitchover bool
	// At schedules the restart of one member for this time instead of making it now.
	At time.Time
	// Force goes on although another member is unhealthy, or long transactions would be cut short.
	Force bool
}

// Restart restarts PostgreSQL on the chosen members, one at a time, in patroni.Restart's order, and
// stops at the first that does not come back. Before anything is stopped each host tries whether
// PostgreSQL starts with the settings that wait there; if not, the error matches errs.ErrRefused
// and names them. If the leader is among them it is checked first what would be cut short, as
// Switchover does, and a checkpoint is written. See patroni.Restart for refusals and errors.
func Restart(ctx context.Context, c *site.Site,
	opts RestartOptions) (patroni.RestartResult, error) {
	var result patroni.RestartResult
	members, err := c.Members(opts.Members)
	if err != nil {
		return result, err
	}
	ro := patroni.RestartOptions{Members: members, Role: opts.Role, PendingOnly: opts.PendingOnly,
		LeaderBySwitchover: opts.BySwitchover, At: opts.At, Force: opts.Force}
	err = engine.Operate(ctx, c, "restart", opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			result, err = restart(ctx, run, ro)
			return err
		})
	return result, err
}

func restart(ctx context.Context, r *job.Job,
	ro patroni.RestartOptions) (patroni.RestartResult, error) {
	rehearsal, err := engine.PatroniOptions(r.Rehearsed())
	if err != nil {
		return patroni.RestartResult{}, err
	}
	planned, err := patroni.Restart(ctx, rehearsal, ro)
	if err != nil {
		return planned, err
	}
	if err := refuseBadStart(ctx, r, rehearsal, planned); err != nil {
		return planned, err
	}
	leader := slices.IndexFunc(planned.Restarted, func(m patroni.RestartedMember) bool {
		return m.Role.Leads()
	})
	if leader >= 0 && ro.At.IsZero() {
		if err := RefuseObstacles(ctx, r, ro.Force); err != nil {
			return planned, err
		}
		if err := Checkpoint(ctx, r, planned.Restarted[leader].Member); err != nil {
			r.Warn("", err.Error())
		}
	}
	po, err := engine.PatroniOptions(r)
	if err != nil {
		return planned, err
	}
	hold := &Hold{run: r, done: make(chan struct{})}
	if ro.At.IsZero() {
		if hold, err = PrepareHold(ctx, r, ro.Force); err != nil {
			return planned, err
		}
	}
	ro.BeforeLeader, ro.BeforeReplica = hold.Begin, hold.Replica
	result, err := patroni.Restart(ctx, po, ro)
	hold.End()
	if err != nil || leader < 0 || !ro.At.IsZero() {
		return result, err
	}
	return result, provision.ReadyPhase(ctx, r)
}

// refuseBadStart asks the hosts of the members that are to be restarted whether PostgreSQL starts
// with the settings that wait there. Nothing has been stopped yet.
func refuseBadStart(ctx context.Context, r *job.Job, po patroni.Options,
	planned patroni.RestartResult) error {
	var members []string
	for _, m := range planned.Restarted {
		members = append(members, m.Member)
	}
	if planned.Scheduled != nil {
		members = append(members, planned.Scheduled.Member)
	}
	client := patroni.NewClient(po)
	var list []inspect.Restarting
	for _, member := range members {
		h, err := r.MemberHost(member)
		if err != nil {
			return err
		}
		t, err := r.Target(h.Name)
		if err != nil {
			return err
		}
		restarting := inspect.Restarting{Target: t}
		if node, err := client.Patroni(ctx, member); err == nil {
			restarting.Waiting = node.PendingReason
		}
		list = append(list, restarting)
	}
	found, err := inspect.JudgeRestart(ctx, r.Site, list)
	if err != nil {
		return err
	}
	report := inspect.PreflightReport{Findings: found}
	for _, w := range report.Warnings() {
		r.Warn(w.Host, w.Problem)
	}
	return report.Err()
}

// CancelRestart takes the scheduled restart of a member, or its host, off the schedule and returns
// it. patroni.ErrNothingScheduled if there is none.
func CancelRestart(ctx context.Context, c *site.Site, op engine.Operation,
	member string) (patroni.ScheduledRestart,
	error) {
	var was patroni.ScheduledRestart
	name, err := c.Member(member)
	if err != nil {
		return was, err
	}
	err = engine.Operate(ctx, c, "cancel restart", op, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			po, err := engine.PatroniOptions(run)
			if err == nil {
				was, err = patroni.CancelRestart(ctx, po, name)
			}
			return err
		})
	return was, err
}
