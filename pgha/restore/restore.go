package restore

import (
	"context"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/hosts"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/status"
)

// The verbs of records.
const (
	verbRestore = "restore"
	verbUndo    = "restore undo"
)

// Options say what the cluster is restored to.
type Options struct {
	engine.Operation
	// To is a moment (RFC 3339, or 2026-11-30 14:05:00 of this machine's zone), how long ago (10m),
	// a place in the log (0/E017998), a restore point (name:before-release), a backup's label, or
	// "latest", the end of the archive. No default.
	To string
	// Set is the label of the backup to begin with. "" means the best one.
	Set string
}

// Result is what a restore, or its undoing, did.
type Result struct {
	// Verb is that of the record: "restore", "restore undo".
	Verb string `json:"verb"`
	// Target is what the cluster went back to, Set the label of the backup it began with.
	Target string `json:"target,omitempty"`
	Set    string `json:"backup,omitempty"`
	// LastKept is the last commit that is there, FirstGone the first one that is not, in
	// PostgreSQL's words; nil where PostgreSQL did not say, as after a run that was cut off.
	LastKept  *time.Time `json:"last_kept,omitempty"`
	FirstGone *string    `json:"first_gone,omitempty"`
	// Kept is where each host has the data of before; "" once it is back.
	Kept    string              `json:"kept,omitempty"`
	Steps   []procedure.Outline `json:"steps"`
	Elapsed patroni.Elapsed     `json:"seconds"`
}

// Of is the result in the words of all changes of many steps. r is the record as it was before.
func (r Result) Of(record procedure.Record) hosts.Result {
	return hosts.Result{Verb: record.Verb, Subject: record.Subject, Steps: r.Steps,
		Undone: record.Undoing, Elapsed: r.Elapsed}
}

// Restore brings the cluster back to a moment of the past: all members, with all databases. What
// was written since is not in it any more; the data of before is kept on every host, until Confirm
// deletes it or Undo brings it back.
//
// Before anything is changed the error matches errs.ErrRefused for a moment that the repository
// does not cover (it says what is covered), a member that cannot be reached, a paused cluster, a
// backup or another change under way, a former restore that is not confirmed, tablespaces, and a
// host without room for the copy beside the data of before.
//
// Then the leader's log is archived to its end, Patroni stops everywhere (balancers let nobody in),
// every data directory is put aside by a rename, and the backup is copied to the leader's host. A
// server that nobody reaches replays the log there up to the target. Patroni of that host starts
// first, then the others, which copy from it. At the end a full backup is made. Each step is
// recorded: after an error or a crash Continue goes on, and UndoChange brings back what was before.
func (b Backups) Restore(ctx context.Context, opts Options) (Result, error) {
	to, err := parseTarget(opts.To, time.Now())
	if err != nil {
		return Result{}, err
	}
	return carryOut(ctx, b.site, procedure.Record{Verb: verbRestore, Subject: "to " + to.String()}, opts.Operation,
		func(ctx context.Context, w *work) error {
			w.To = to
			return w.prepare(ctx, opts.Set)
		})
}

// Undo brings back what was there before the last restore, with all rows that were written until
// then; what was written since is gone for good. ErrNothingKept where no restore waits. It is
// recorded in steps, and continued by Continue.
func (b Backups) Undo(ctx context.Context, op engine.Operation) (Result, error) {
	k, err := status.Kept(ctx, b.site)
	if err == nil && k == nil {
		err = ErrNothingKept
	}
	if err != nil {
		return Result{}, err
	}
	return carryOut(ctx, b.site, procedure.Record{Verb: verbUndo, Subject: k.Target}, op,
		func(ctx context.Context, w *work) error {
			if w.order, err = readOrder(k.Order, "the last restore", w.Spec); err != nil {
				return err
			}
			return w.reachable()
		})
}

// Confirm deletes the data that the last restore has kept on each host: after that it cannot be
// taken back. ErrNothingKept where no restore waits. Safe to repeat.
func (b Backups) Confirm(ctx context.Context, op engine.Operation) error {
	k, err := status.Kept(ctx, b.site)
	if err == nil && k == nil {
		err = ErrNothingKept
	}
	if err != nil {
		return err
	}
	return engine.Operate(ctx, b.site, "restore confirm", op, job.LockHosts,
		func(ctx context.Context, r *job.Job) error {
			w := &work{Job: r}
			if w.order, err = readOrder(k.Order, "the last restore", w.Spec); err != nil {
				return err
			}
			if err := w.reachable(); err != nil {
				return err
			}
			targets, err := w.Databases()
			if err != nil {
				return err
			}
			if err := w.move(ctx, targets, "deleted the data of before", "drop", w.keptDir()); err != nil {
				return err
			}
			return w.forgetKept(ctx)
		})
}

// Is tells whether a record is a restore's, which Continue and UndoChange of this package go on
// with.
func Is(r procedure.Record) bool { return r.Verb == verbRestore || r.Verb == verbUndo }

// Continue finishes a restore, or its undoing, from the step on that was not finished.
func (b Backups) Continue(ctx context.Context, r procedure.Record, op engine.Operation) (Result, error) {
	return carryOut(ctx, b.site, r, op, func(_ context.Context, w *work) (err error) {
		w.order, err = readOrder(r.Order, r.Verb+" "+r.Subject, w.Spec)
		return err
	})
}

// UndoChange takes a restore that is half done back. The undoing of one cannot be taken back: it is
// finished.
func (b Backups) UndoChange(ctx context.Context, r procedure.Record,
	op engine.Operation) (Result, error) {
	if r.Undoing || r.Verb == verbUndo {
		return b.Continue(ctx, r, op)
	}
	o, err := readOrder(r.Order, r.Verb+" "+r.Subject, b.site.Spec)
	if err != nil {
		return Result{}, err
	}
	r.Undoing, r.Reached, r.Steps = true, 0, nil
	return carryOut(ctx, b.site, r, op, func(ctx context.Context, w *work) error {
		// Somebody may have gone on with it since it was looked at without the lock.
		now, err := status.Change(ctx, w.Site)
		if err != nil {
			return err
		}
		w.order = o
		if now != nil && !now.Undoing {
			w.Led = o.led(*now)
		}
		return w.reachable()
	})
}

// led tells whether a record of the order has come to the step from which on what was restored
// leads.
func (o order) led(r procedure.Record) bool {
	return r.Reached >= slices.IndexFunc(r.Steps,
		func(s procedure.Outline) bool { return s.Name == leadStep(o.Host) })
}

// carryOut does what is left of a record, under the lock of the cluster. prepare sets the order;
// for a record without steps it also refuses what has to be refused.
func carryOut(ctx context.Context, c *site.Site, r procedure.Record, op engine.Operation,
	prepare func(context.Context, *work) error) (Result, error) {
	start := time.Now()
	result := Result{Verb: r.Verb}
	err := engine.Operate(ctx, c, r.Verb, op, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			w := &work{Job: run, by: vault.WhoAmI(), since: time.Now().UTC()}
			fresh := len(r.Steps) == 0
			if err := status.Alone(ctx, w.Site, fresh && !r.Undoing, &r); err != nil {
				return err
			}
			var ok bool
			var err error
			if w.backups, ok, err = engine.BackupOptions(run); known(ok, err) != nil {
				return known(ok, err)
			}
			if err := prepare(ctx, w); err != nil {
				return err
			}
			if r.Undoing || r.Verb == verbUndo {
				w.buildUndo()
			} else {
				w.build()
			}
			if fresh {
				r.Steps, r.Order, r.Since = procedure.Outlines(w.steps), w.order.text(), w.since
			}
			result.Steps, result.Target, result.Set = r.Steps, w.To.String(), w.Set
			err = w.run(ctx, &r)
			if w.reached != nil {
				result.LastKept, result.FirstGone = w.reached.LastCommit, w.reached.FirstGone
			}
			if !r.Undoing && r.Verb == verbRestore {
				result.Kept = w.keptDir()
			}
			return err
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// run does the steps, each recorded before the next.
func (w *work) run(ctx context.Context, r *procedure.Record) error {
	if w.Planning() {
		return engine.PlanSteps(w.Job, w.Host, *r, w.steps)
	}
	eo, err := engine.EtcdOptions(w.Job)
	if err != nil {
		return err
	}
	keep := func(ctx context.Context, r procedure.Record) error {
		return etcd.Keep(ctx, eo, w.ChangeKey(), r.Text())
	}
	if err := engine.RunSteps(ctx, w.Job, r, w.steps, keep); err != nil {
		return err
	}
	return etcd.Forget(ctx, eo, w.ChangeKey())
}
