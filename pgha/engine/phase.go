package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// Phase is one named part of an Apply.
type Phase struct {
	// Name appears in events, errors and the CLI.
	Name string
	// After names the phases that must have succeeded first. Phases that do not wait for each other
	// run at the same time. Nil means: after every phase that stands before this one.
	After []string
	// Run does the work. It must be safe to repeat and must change nothing that already is as it
	// should be.
	Run func(ctx context.Context, run *Run) error
}

// errSkipped marks a phase that could not run because one that it needs failed.
var errSkipped = errors.New("skipped")

// RunPhases runs every phase as soon as those it waits for are done. The first failure lets running
// phases finish and starts no further ones, so a failed run leaves whole steps behind. A dry run
// holds every change back.
func RunPhases(ctx context.Context, c *site.Site, phases []Phase, out *event.Emitter,
	dryRun bool) error {
	waits, err := Order(phases)
	if err != nil {
		return err
	}
	type outcome struct {
		done chan struct{}
		err  error
	}
	outcomes := make([]outcome, len(phases))
	for i := range outcomes {
		outcomes[i].done = make(chan struct{})
	}
	var wg sync.WaitGroup
	for i, p := range phases {
		wg.Go(func() {
			defer close(outcomes[i].done)
			for _, w := range waits[i] {
				<-outcomes[w].done
				if outcomes[w].err != nil {
					outcomes[i].err = errSkipped
					return
				}
			}
			outcomes[i].err = runPhase(ctx, &job.Job{Site: c, Phase: p.Name, Out: out,
				DryRun: dryRun}, p)
		})
	}
	wg.Wait()
	var failed []error
	for i, p := range phases {
		if err := outcomes[i].err; err != nil && !errors.Is(err, errSkipped) {
			failed = append(failed, fmt.Errorf("%s: %w", p.Name, err))
		}
	}
	return errs.Join(failed...)
}

func runPhase(ctx context.Context, run *job.Job, p Phase) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	start := time.Now()
	run.Out.Emit(event.Event{Kind: event.PhaseStarted, Phase: p.Name})
	err := p.Run(ctx, &Run{Spec: run.Spec, job: run})
	run.Out.Emit(event.Event{Kind: event.PhaseFinished, Phase: p.Name, Duration: time.Since(start),
		Err: err})
	return err
}

// Order turns After into indexes and refuses names that do not stand before the phase that waits
// for them.
func Order(phases []Phase) ([][]int, error) {
	index := map[string]int{}
	waits := make([][]int, len(phases))
	for i, p := range phases {
		if _, dup := index[p.Name]; dup || p.Name == "" {
			return nil, fmt.Errorf("phase %d: the name %q is empty or used twice", i+1, p.Name)
		}
		if p.After == nil {
			for w := range i {
				waits[i] = append(waits[i], w)
			}
		}
		for _, name := range p.After {
			w, ok := index[name]
			if !ok {
				return nil, fmt.Errorf("phase %q waits for %q, which does not stand before it",
					p.Name, name)
			}
			waits[i] = append(waits[i], w)
		}
		index[p.Name] = i
	}
	return waits, nil
}

// PreflightName is the phase that changes nothing, not even the state directory.
const PreflightName = "preflight"
