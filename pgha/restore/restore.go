package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/hosts"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/remote"
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

// Restore brings the cluster back to a moment of the past: all members, with all databases. What was
// written since is not in it any more; the data of before is kept on every host, until Confirm
// deletes it or Undo brings it back.
//
// Before anything is changed the error matches errs.ErrRefused for a moment that the repository does
// not cover (it says what is covered), a member that cannot be reached, a paused cluster, a backup
// or another change under way, a former restore that is not confirmed, tablespaces, and a host
// without room for the copy beside the data of before.
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
			if err := json.Unmarshal(k.Order, &w.order); err != nil {
				return fmt.Errorf("read the record of the last restore: %w", err)
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
			if err := json.Unmarshal(k.Order, &w.order); err != nil {
				return fmt.Errorf("read the record of the last restore: %w", err)
			}
			if err := w.reachable(); err != nil {
				return err
			}
			targets, err := w.databases()
			if err != nil {
				return err
			}
			if err := w.move(ctx, targets, "deleted the data of before", "drop", w.keptDir()); err != nil {
				return err
			}
			return w.forgetKept(ctx)
		})
}

// Is tells whether a record is a restore's, which Continue and UndoChange of this package go on with.
func Is(r procedure.Record) bool { return r.Verb == verbRestore || r.Verb == verbUndo }

// Continue finishes a restore, or its undoing, from the step on that was not finished.
func (b Backups) Continue(ctx context.Context, r procedure.Record, op engine.Operation) (Result, error) {
	return carryOut(ctx, b.site, r, op, func(_ context.Context, w *work) error {
		return readOrder(r, &w.order)
	})
}

// UndoChange takes a restore that is half done back. The undoing of one cannot be taken back: it is
// finished.
func (b Backups) UndoChange(ctx context.Context, r procedure.Record,
	op engine.Operation) (Result, error) {
	if r.Undoing || r.Verb == verbUndo {
		return b.Continue(ctx, r, op)
	}
	led := r.Reached >= len(r.Steps)-5 // from "let ... lead" on it may have
	r.Undoing, r.Reached, r.Steps = true, 0, nil
	return carryOut(ctx, b.site, r, op, func(_ context.Context, w *work) error {
		if err := readOrder(r, &w.order); err != nil {
			return err
		}
		w.Led = led
		return w.reachable()
	})
}

func readOrder(r procedure.Record, o *order) error {
	if err := json.Unmarshal(r.Order, o); err != nil {
		return fmt.Errorf("read the record of %s %s: %w", r.Verb, r.Subject, err)
	}
	return nil
}

// carryOut does what is left of a record, under the lock of the cluster. prepare sets the order; for
// a record without steps it also refuses what has to be refused.
func carryOut(ctx context.Context, c *site.Site, r procedure.Record, op engine.Operation,
	prepare func(context.Context, *work) error) (Result, error) {
	start := time.Now()
	result := Result{Verb: r.Verb}
	err := engine.Operate(ctx, c, r.Verb, op, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			w := &work{Job: run, by: vault.WhoAmI(), since: time.Now().UTC()}
			fresh := len(r.Steps) == 0
			if err := w.alone(ctx, fresh && !r.Undoing, &r); err != nil {
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

// alone refuses to begin while another change is half done, and to go on with one that somebody has
// finished meanwhile.
func (w *work) alone(ctx context.Context, fresh bool, r *procedure.Record) error {
	now, err := status.Change(ctx, w.Site)
	switch {
	case err != nil:
		return err
	case fresh && now != nil:
		return status.HalfDone(*now)
	case !fresh && now == nil && r.Verb != verbUndo:
		return fmt.Errorf("%w: it has been finished meanwhile", errs.ErrRefused)
	case !fresh && now != nil && !r.Undoing:
		r.Reached = now.Reached
	}
	return nil
}

// run does the steps, each recorded before the next.
func (w *work) run(ctx context.Context, r *procedure.Record) error {
	if w.Planning() {
		for i, s := range w.steps[r.Reached:] {
			action := s.Name
			if s.Cost != "" {
				action += " (" + s.Cost + ")"
			}
			w.Out.Emit(event.Event{Kind: event.Changed, Phase: w.Phase, Change: &remote.Change{
				Host: w.Host, Kind: "step", Planned: true, Action: action,
				Name: fmt.Sprintf("%d of %d:", r.Reached+i+1, len(w.steps))}})
		}
		return nil
	}
	eo, err := engine.EtcdOptions(w.Job)
	if err != nil {
		return err
	}
	r.By = w.by
	keep := func(ctx context.Context, r procedure.Record) error {
		return etcd.Keep(ctx, eo, w.ChangeKey(), r.Text())
	}
	err = procedure.Run(ctx, r, w.steps, keep, func(i int, s procedure.Step) {
		w.Progress(fmt.Sprintf("step %d of %d: %s", i+1, len(w.steps), s.Name))
	})
	if err != nil {
		return err
	}
	return etcd.Forget(ctx, eo, w.ChangeKey())
}

// reachable refuses a restore while a member's host is out of reach: its data of before would stay,
// as the most advanced of all.
func (w *work) reachable() error {
	for _, h := range w.Spec.Databases() {
		if err := w.Unreachable[h.Name]; err != nil {
			return errs.WithNext(fmt.Errorf("%w: %w", errs.ErrRefused, err),
				errs.Text("bring the host back, or take it out of the cluster first: %s",
					errs.Verb("host", "remove")))
		}
	}
	return nil
}

// prepare refuses what has to be refused, and says how the restore is done.
func (w *work) prepare(ctx context.Context, set string) error {
	if err := w.reachable(); err != nil {
		return err
	}
	if err := unconfirmed(ctx, w.Site); err != nil {
		return err
	}
	s, err := status.Look(ctx, w.Site)
	if err != nil {
		return err
	}
	if s.Paused {
		return errs.WithNext(patroni.ErrPaused, errs.Text("%s comes first", errs.Verb("resume")))
	}
	all := w.Spec.Databases()
	w.Host, w.Before = all[0].Name, s.Leader()
	if w.Before != "" {
		w.Host = w.HostNameOf(w.Before)
	}
	if err := w.aim(ctx, set); err != nil {
		return err
	}
	return w.room(ctx)
}

// aim chooses the backup, and refuses what the repository does not cover.
func (w *work) aim(ctx context.Context, set string) error {
	inventory, err := backup.List(ctx, w.backups)
	if err != nil {
		return err
	}
	if inventory.Running {
		return errs.WithNext(backup.ErrRunning, errs.Text("wait for its end"))
	}
	archive, err := backup.ReadArchive(ctx, w.backups)
	if err != nil {
		return err
	}
	w.Timeline = archive.Timeline()
	sets := inventory.Sets
	if set != "" {
		one, ok := inventory.Set(set)
		if !ok {
			return errs.WithNext(fmt.Errorf("%w: there is no backup %s", errs.ErrRefused, set),
				errs.Text("%s shows those that are there", errs.Verb("backup", "list")))
		}
		sets = []backup.Set{one}
	}
	best, err := w.To.choose(sets, archive, w.Timeline)
	if err != nil {
		return err
	}
	w.order.Set, w.Size, w.Mark = best.Label, best.Size, w.since.Format("20060102-150405")
	return nil
}

// room refuses what the copy does not fit on, and directories that cannot be put aside by a rename.
func (w *work) room(ctx context.Context) error {
	targets, err := w.databases()
	if err != nil {
		return err
	}
	var reasons []string
	dir := w.Spec.PostgreSQL.DataDir
	for _, t := range targets {
		res, err := t.Run(ctx, remote.Cmd{Script: moveScript, Argv: []string{"look", dir}})
		if err != nil {
			return remote.OnHost(t.Name, err)
		}
		f := strings.Fields(string(res.Stdout))
		if len(f) < 3 {
			return remote.OnHost(t.Name, errors.New("it says nothing of "+dir))
		}
		f = f[len(f)-3:] // the size is left out where there is no directory
		free, _ := strconv.ParseInt(f[0], 10, 64)
		switch {
		case f[1] == "apart":
			reasons = append(reasons, fmt.Sprintf("%s on %s is a mount or a link: it cannot be kept by "+
				"a rename", dir, t.Name))
		case f[2] != "0":
			reasons = append(reasons, fmt.Sprintf("%s has tablespaces outside of %s", t.Name, dir))
		case float64(free) < 1.05*float64(w.Size):
			reasons = append(reasons, fmt.Sprintf("%s has %d MB free beside %s, and the copy takes %d MB",
				t.Name, free>>20, dir, w.Size>>20))
		}
	}
	if len(reasons) > 0 {
		slices.Sort(reasons)
		return fmt.Errorf("%w: %w", errs.ErrRefused, errs.Reasons(reasons))
	}
	return nil
}
