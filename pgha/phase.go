package pgha

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/errlist"
	"github.com/pgha/toolkit/pgha/remote"
)

// Phase is one named part of an Apply.
type Phase struct {
	// Name appears in events, errors and the CLI.
	Name string
	// After names the phases that must have succeeded first. Phases that do not wait for each other run at the same time.
	// Nil means: after every phase that stands before this one.
	After []string
	// Run does the work. It must be safe to repeat and must change nothing that already is as it should be.
	Run func(ctx context.Context, run *Run) error
}

// job is one piece of work on a cluster: the phases of an Apply share one each, and so does everything that a verb does. What
// it reaches hosts by reports each change, and in a dry run holds it back.
type job struct {
	*Cluster
	phase string
	out   *emitter
	// lenient stands in for hosts without a connection: an operation shall work on what is left of a cluster.
	lenient bool
	dryRun  bool
}

// Progress tells the observer what is being done or waited for.
func (r *job) Progress(message string) {
	r.out.emit(Event{Kind: Progress, Phase: r.phase, Message: message})
}

// Warn tells the observer of something that deserves attention though the work goes on.
func (r *job) Warn(host, message string) {
	r.out.emit(Event{Kind: Warning, Phase: r.phase, Host: host, Message: message})
}

// Target returns the connection to a host or member, with its changes reported under this phase.
func (r *job) Target(name string) (*remote.Target, error) {
	find := r.Cluster.Target
	if r.lenient {
		find = r.Cluster.lenientTarget
	}
	t, err := find(name)
	if err != nil {
		return nil, err
	}
	return r.watched(t), nil
}

// Targets returns every live connection in the order of the specification, watched as Target's is.
func (r *job) Targets() []*remote.Target {
	targets := r.Cluster.Targets()
	for i, t := range targets {
		targets[i] = r.watched(t)
	}
	return targets
}

// watched returns a connection to the same host whose changes are reported, and in a dry run held back.
func (r *job) watched(t *remote.Target) *remote.Target {
	w := *t
	if r.dryRun {
		w.Executor = remote.Plan(t.Executor)
	}
	w.OnChange = func(c remote.Change) {
		r.out.emit(Event{Kind: Changed, Phase: r.phase, Host: c.Host, Change: &c, Duration: c.Duration})
	}
	return &w
}

// errSkipped marks a phase that could not run because one that it needs failed.
var errSkipped = errors.New("skipped")

// runPhases runs every phase as soon as those it waits for are done. The first failure lets running phases finish and
// starts no further ones, so a failed run leaves whole steps behind. A dry run holds every change back.
func runPhases(ctx context.Context, c *Cluster, phases []Phase, out *emitter, dryRun bool) error {
	waits, err := order(phases)
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
			outcomes[i].err = runPhase(ctx, &job{Cluster: c, phase: p.Name, out: out, dryRun: dryRun}, p)
		})
	}
	wg.Wait()
	var failed []error
	for i, p := range phases {
		if err := outcomes[i].err; err != nil && !errors.Is(err, errSkipped) {
			failed = append(failed, fmt.Errorf("%s: %w", p.Name, err))
		}
	}
	return errlist.Join(failed...)
}

func runPhase(ctx context.Context, run *job, p Phase) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	start := time.Now()
	run.out.emit(Event{Kind: PhaseStarted, Phase: p.Name})
	err := p.Run(ctx, &Run{Spec: run.Spec, job: run})
	run.out.emit(Event{Kind: PhaseFinished, Phase: p.Name, Duration: time.Since(start), Err: err})
	return err
}

// order turns After into indexes and refuses names that do not stand before the phase that waits for them.
func order(phases []Phase) ([][]int, error) {
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
				return nil, fmt.Errorf("phase %q waits for %q, which does not stand before it", p.Name, name)
			}
			waits[i] = append(waits[i], w)
		}
		index[p.Name] = i
	}
	return waits, nil
}
