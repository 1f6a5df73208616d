package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/status"
)

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
	if w.To.Kind == kindTime {
		w.Warn("", fmt.Sprintf("what was written after %s, in the last %s, will not be there", w.To,
			time.Since(w.To.Time).Round(time.Second)))
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
	if w.To.Kind == kindName && set == "" && len(sets) > 1 {
		w.WarnNext("", errs.Text("where %s is nobody knows, so the newest backup is taken, and it is "+
			"found only if it was made after that one; %s names an older one", w.To,
			errs.Verb("restore", "--set")))
	}
	best, err := w.To.choose(sets, archive, inventory.System, w.Timeline)
	if err != nil {
		return err
	}
	w.Own = best.Timeline()
	w.order.Set, w.Size, w.Mark = best.Label, best.Size, w.since.Format("20060102-150405")
	return nil
}

// room refuses what the copy does not fit on, and directories that cannot be put aside by a rename.
func (w *work) room(ctx context.Context) error {
	targets, err := w.Databases()
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
		free, err := strconv.ParseInt(f[0], 10, 64)
		switch {
		case err != nil:
			return remote.OnHost(t.Name, fmt.Errorf("look for room beside %s: %w", dir, err))
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
