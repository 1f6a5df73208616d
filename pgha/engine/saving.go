package engine

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
)

// SaveState makes the state directory one that is written to, and writes what was newly made; then
// the hosts record its generation. It comes before the first change of a host: what hosts
// have must not be lost with this process.
func SaveState(ctx context.Context, r *job.Job, notes map[string][]byte) error {
	if r.Planning() || r.State.ReadOnly {
		return nil
	}
	id, err := r.State.Identity()
	if err != nil {
		return err
	}
	if err := site.Ahead(ctx, r.Site, id); err != nil {
		return err
	}
	if !r.State.Settled(r.Spec, id) {
		if id, err = r.State.Grow(r.Spec, id); err != nil {
			return err
		}
	}
	if err := r.State.Begin(r.Spec); err != nil {
		return err
	}
	if err := Share(ctx, r, r.State); err != nil {
		return err
	}
	r.TellGeneration(ctx, id, notes)
	return nil
}

// Share brings the copies of the state directory in line with it, and warns of those that could not
// be reached: the next run makes up for it.
func Share(ctx context.Context, r *job.Job, s *vault.State) error {
	done, err := site.Share(ctx, r.Site, s)
	if len(done.Removed) > 0 {
		r.WarnNext("", errs.Text("no recipient of the state any more: %s. What they could open until "+
			"now they may have kept: %s. %s and %s replace it, but for the key of backups",
			strings.Join(done.Removed, ", "), strings.Join(done.Known, ", "),
			errs.Verb("secrets", "rotate"), errs.Verb("certificates", "rotate-ca", "all")))
	}
	return err
}

// Saving puts saveState before the first phase that is not preflight.
func Saving(phases []Phase) []Phase {
	var once sync.Once
	var failed error
	wrapped := slices.Clone(phases)
	for i, p := range wrapped {
		if p.Name == PreflightName {
			continue
		}
		wrapped[i].Run = func(ctx context.Context, run *Run) error {
			once.Do(func() {
				run.job.Mu.Lock()
				facts := run.job.Facts
				run.job.Mu.Unlock()
				failed = SaveState(ctx, run.job, inspect.StateNotes(facts))
			})
			if failed != nil {
				return failed
			}
			return p.Run(ctx, run)
		}
	}
	return wrapped
}
