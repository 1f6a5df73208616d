package operate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/advisor/measure"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/status"
)

// SwitchoverOptions say where the leadership goes, and when.
type SwitchoverOptions struct {
	engine.Operation
	// To is the member, or its host, that should lead. "" leaves it to Patroni, which is the
	// quicker way under synchronous replication: see patroni.SwitchoverOptions.
	To string
	// At schedules the switchover instead of making it now. Patroni then does it alone: the checks
	// and preparations below are those of this moment, not of that one.
	At time.Time
	// Force goes ahead although long transactions or a base backup would be cut short, archiving
	// fails, nobody else could take over while the former leader restarts, or consumers would lose
	// their replication slots.
	Force bool
}

// SwitchoverResult is what a switchover did.
type SwitchoverResult struct {
	patroni.SwitchoverResult
	// WithoutWrites is the longest time in which no row could be written through the virtual IP; 0
	// when the switchover was scheduled or could not be measured.
	WithoutWrites patroni.Elapsed `json:"seconds_without_writes"`
	// Held is how long clients of the poolers were held at most; 0 without a pooler.
	Held patroni.Elapsed `json:"seconds_held,omitempty"`
}

// Switchover moves the leadership to a replica without losing a committed transaction, and returns
// once the new leader takes writes through the virtual IP and the former one streams from it.
// Sessions to the former leader are closed. Members that do not stream in time are reported by a
// warning: what was asked for is done.
//
// It refuses a candidate that patroni.Switchover refuses, and, unless forced, a moment at which
// transactions older than a minute or a base backup run on the primary, its archiving fails, which
// would hold the shutdown up for ever, or a member is down already, so that nobody could take over
// until the former leader is back, or that the new leader would lack a logical replication slot:
// one that Patroni does not keep on all members and PostgreSQL does not copy (failover), or a copy
// that is not safe to use after half a minute. Then it writes a checkpoint, so that the former
// leader stops quickly, and moves etcd's leadership to a host that will likely take no part.
// Meanwhile it writes rows into a table of its own to measure the time without writes, and drops
// that table. Failover slots that the former leader has kept from its time are dropped there: the
// new leader has them, and they would keep PostgreSQL from copying those.
//
// Refusals match ErrRefused, ErrLocked or the errors of patroni.Switchover; nothing is changed
// then.
func Switchover(ctx context.Context, c *site.Site,
	opts SwitchoverOptions) (SwitchoverResult, error) {
	var result SwitchoverResult
	to := ""
	if opts.To != "" {
		var err error
		if to, err = c.Member(opts.To); err != nil {
			return result, err
		}
	}
	err := engine.Operate(ctx, c, "switchover", opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) (err error) {
			result, err = HandOver(ctx, run, patroni.SwitchoverOptions{Candidate: to, At: opts.At},
				opts.Force)
			return err
		})
	return result, err
}

// HandOver is the work of Switchover, for verbs that move the leadership on their way.
func HandOver(ctx context.Context, r *job.Job, so patroni.SwitchoverOptions,
	force bool) (SwitchoverResult, error) {
	po, err := engine.PatroniOptions(r)
	if err != nil {
		return SwitchoverResult{}, err
	}
	if !so.At.IsZero() {
		scheduled, err := patroni.Switchover(ctx, po, so)
		return SwitchoverResult{SwitchoverResult: scheduled}, err
	}
	// A rehearsal refuses what has to be refused and picks the candidate, before anything is
	// changed.
	rehearsal, err := engine.PatroniOptions(r.Rehearsed())
	if err != nil {
		return SwitchoverResult{}, err
	}
	planned, err := patroni.Switchover(ctx, rehearsal, so)
	if err != nil {
		return SwitchoverResult{SwitchoverResult: planned}, err
	}
	if err := refuseHandover(ctx, r, force); err != nil {
		return SwitchoverResult{SwitchoverResult: planned}, err
	}
	if err := RefuseObstacles(ctx, r, force); err != nil {
		return SwitchoverResult{SwitchoverResult: planned}, err
	}
	if err := refuseSlots(ctx, r, planned.OldLeader, candidates(planned, so.Candidate),
		force); err != nil {
		return SwitchoverResult{SwitchoverResult: planned}, err
	}
	if err := PrepareSwitchover(ctx, r, planned.OldLeader, planned.NewLeader); err != nil {
		// Both only shorten the switchover; failing is safe.
		r.Warn("", err.Error())
	}
	if r.Planning() {
		done, err := patroni.Switchover(ctx, po, so)
		return SwitchoverResult{SwitchoverResult: done}, err
	}
	hold, err := PrepareHold(ctx, r, force)
	if err != nil {
		return SwitchoverResult{SwitchoverResult: planned}, err
	}
	measure := measureWrites(ctx, r)
	so.Before = hold.Begin
	done, err := patroni.Switchover(ctx, po, so)
	result := SwitchoverResult{SwitchoverResult: done, Held: hold.End()}
	if errors.Is(err, patroni.ErrNotFollowing) {
		r.WarnNext("", errs.Text("%v; %s shows when they do", err, errs.Verb("status")))
		err = nil
	}
	if err == nil {
		dropLeftovers(ctx, r, result.OldLeader, result.NewLeader)
		err = provision.ReadyPhase(ctx, r)
	} else {
		err = aboutArchiver(ctx, r, planned.OldLeader, err)
	}
	result.WithoutWrites = patroni.Elapsed(measure(err == nil))
	return result, err
}

// refuseHandover is an error that matches ErrRefused if the advisor speaks against moving the
// leadership; with force it only warns.
func refuseHandover(ctx context.Context, r *job.Job, force bool) error {
	status, err := status.Look(ctx, r.Site)
	if err != nil {
		return err
	}
	reasons := strings.Join(advisor.Handover(measure.TopologyOf(r.Spec, status)), "; ")
	switch {
	case reasons == "":
		return nil
	case force:
		r.Warn("", "goes on although "+reasons)
		return nil
	}
	return errs.WithNext(fmt.Errorf("%w: %s", errs.ErrRefused, reasons),
		errs.Text("bring back first what is down (%s); --force goes ahead all the same",
			errs.Verb("status")))
}

// PrepareSwitchover makes it short: little left to write at shutdown, and no election of etcd in
// the middle of it.
func PrepareSwitchover(ctx context.Context, r *job.Job, leader, candidate string) error {
	if err := Checkpoint(ctx, r, leader); err != nil {
		return err
	}
	eo, err := engine.EtcdOptions(r)
	if err != nil {
		return err
	}
	now, err := etcd.Leader(ctx, eo)
	if err != nil || (now != leader && now != candidate) {
		return err
	}
	for _, m := range eo.Members {
		if m.Name != leader && m.Name != candidate {
			return MoveEtcdLeader(ctx, r, eo, now, m.Name)
		}
	}
	return nil
}

// CancelSwitchover takes a scheduled switchover off the schedule and returns it.
// patroni.ErrNothingScheduled if there is none.
func CancelSwitchover(ctx context.Context, c *site.Site,
	op engine.Operation) (patroni.ScheduledSwitchover, error) {
	var was patroni.ScheduledSwitchover
	err := engine.Operate(ctx, c, "cancel switchover", op, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			po, err := engine.PatroniOptions(run)
			if err == nil {
				was, err = patroni.CancelSwitchover(ctx, po)
			}
			return err
		})
	return was, err
}
