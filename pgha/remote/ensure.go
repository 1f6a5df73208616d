package remote

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Resource is a piece of a host's state that Ensure can look at and put right: File, Together, Dir,
// Link, Absent, User, Packages, Unit.
type Resource interface {
	fmt.Stringer
	// questions are the things Ensure must look at on the host for this resource.
	questions(*questions)
	// settle changes what differs from the wish and returns what it changed.
	settle(ctx context.Context, t *Target, seen *observation, earlier Changes) (Changes, error)
}

// Changes is a list of changes with questions about it.
type Changes []Change

// Any reports whether something was changed.
func (cs Changes) Any() bool { return len(cs) > 0 }

// Touched reports whether one of the named things was changed.
func (cs Changes) Touched(names ...string) bool {
	return slices.ContainsFunc(cs, func(c Change) bool { return slices.Contains(names, c.Name) })
}

// Starts reports whether the named unit, which did not run, was started.
func (cs Changes) Starts(unit string) bool {
	return slices.ContainsFunc(cs,
		func(c Change) bool { return c.Kind == "unit" && c.Name == unit && c.Action == "started" })
}

// Preview returns what Ensure would change. It changes nothing and reports nothing, and costs one
// round trip.
func (t *Target) Preview(ctx context.Context, resources ...Resource) (Changes, error) {
	planned := &Target{Host: t.Host, Executor: Plan(t.Executor), LeftOut: t.LeftOut}
	return planned.Ensure(ctx, resources...)
}

// Ensure makes the host match every resource, in order, and returns what it had to change: nothing,
// when called again.
//
// All resources are looked at first, in one round trip; then only those that differ cost another
// one. A resource may build on an earlier one of the same call (a file in a folder, a unit that
// restarts when a file changed). Interrupted half-way it is finished by calling it again: a Unit
// notices files newer than its process. On a host that is left out it does nothing.
func (t *Target) Ensure(ctx context.Context, resources ...Resource) (Changes, error) {
	if t.LeftOut {
		return nil, nil
	}
	var q questions
	for _, r := range resources {
		r.questions(&q)
	}
	seen, err := t.observe(ctx, &q)
	if err != nil {
		return nil, err
	}
	var done Changes
	for _, r := range resources {
		start := time.Now()
		changes, err := r.settle(ctx, t, seen, done)
		for _, c := range changes {
			c.Duration = time.Since(start)
			t.report(c)
			c.Host, c.Planned = t.Name, t.Planning()
			done = append(done, c)
		}
		if err != nil {
			return done, fmt.Errorf("ensure %s: %w", r, OnHost(t.Name, err))
		}
	}
	return done, nil
}

// mutate runs a command that changes the host.
func (t *Target) mutate(ctx context.Context, argv ...string) error {
	_, err := t.Run(ctx, Cmd{Argv: argv, Mutating: true})
	return err
}
