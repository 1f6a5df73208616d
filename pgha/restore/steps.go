package restore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/status"
)

// work is one restore, or its undoing, under way.
type work struct {
	*job.Job
	order
	backups backup.Options
	steps   []procedure.Step
	reached *backup.Reached
	by      string
	since   time.Time
}

func (w *work) step(name, back, cost string, do func(context.Context) error) {
	w.steps = append(w.steps, procedure.Step{
		Outline: procedure.Outline{Name: name, Back: back, Cost: cost}, Do: do})
}

// keptDir, undoneDir and so on are beside the data.
func (w *work) keptDir() string   { return w.Spec.PostgreSQL.DataDir + ".before-" + w.Mark }
func (w *work) undoneDir() string { return w.Spec.PostgreSQL.DataDir + ".undone-" + w.Mark }

func (w *work) scratch() (backup.Scratch, error) {
	t, err := w.Target(w.Host)
	return backup.Scratch{Options: w.backups, Target: t, Purpose: "restore"}, err
}

const (
	putBack   = "the data of before takes its place again"
	needsNone = "it needs nothing"
)

// leadStep is the name of the step from which on what was restored has led.
func leadStep(host string) string { return "let " + host + " lead" }

// build makes the steps of a restore, which depend on the order alone.
func (w *work) build() {
	h := w.Host
	if w.Before != "" {
		w.step("archive what has been written", needsNone, "", w.archiveAll)
	}
	w.step("stop PostgreSQL on all members", "it is started again",
		"nobody can read or write, until "+h+" leads again", w.stopAll)
	w.step("put the data aside on all members", putBack, "", w.putAside)
	w.step("copy backup "+w.Set+" to "+h, putBack, "", w.copyBackup)
	w.step("replay the log to "+w.To.String(), putBack, "", w.replay)
	w.step(leadStep(h), putBack, "from here on applications write again, to what was restored",
		w.lead)
	w.step("archive the new timeline", putBack, "", w.archiveAll)
	w.step("copy it to the other members", putBack, "", w.follow)
	w.step("make a full backup", needsNone, "", w.fullBackup)
	w.step("remember what is kept", "it is forgotten", "", w.remember)
}

// buildUndo makes the steps that bring back what was before.
func (w *work) buildUndo() {
	h := w.Host
	w.step("stop PostgreSQL on all members", "",
		"nobody can read or write, until "+h+" leads again", w.stopAll)
	w.step("put the data of before in its place", "", "", w.bringBack)
	if w.Led {
		w.step("let it go on on a timeline of its own", "", "", w.ownTimeline)
	}
	w.step(leadStep(h), "", "from here on applications write again, to the data of before",
		w.lead)
	w.step("let the other members follow", "", "", w.follow)
	w.step("delete what was restored", "", "", w.dropUndone)
	w.step("forget the restore", "", "", w.forgetKept)
}

// archiveAll sends what the leader has written to the archive, and waits until it is there.
func (w *work) archiveAll(ctx context.Context) error {
	if w.Planning() {
		return nil
	}
	t, err := w.leaderHost(ctx)
	if err != nil {
		return err
	}
	return backup.ArchiveAll(ctx, w.backups, t)
}

func (w *work) fullBackup(ctx context.Context) error {
	set, err := backup.Take(ctx, w.backups, backup.Full)
	if err == nil && set.Label != "" {
		w.Progress("backup " + set.Label + " is there")
	}
	return err
}

func (w *work) remember(ctx context.Context) error {
	if w.Planning() {
		return nil
	}
	eo, err := engine.EtcdOptions(w.Job)
	if err != nil {
		return err
	}
	done := w.order
	done.Led = true
	text, err := json.Marshal(status.KeptRestore{Target: w.To.String(), Set: w.Set, By: w.by,
		Since: w.since, Directory: w.keptDir(), Order: done.text()})
	if err != nil {
		return fmt.Errorf("write the record of the restore: %w", err)
	}
	return etcd.Keep(ctx, eo, w.RestoreKey(), string(text))
}

func (w *work) forgetKept(ctx context.Context) error {
	if w.Planning() {
		return nil
	}
	eo, err := engine.EtcdOptions(w.Job)
	if err != nil {
		return err
	}
	return etcd.Forget(ctx, eo, w.RestoreKey())
}
