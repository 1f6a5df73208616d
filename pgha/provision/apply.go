package provision

import (
	"context"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/errlist"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/trail"
)

// ApplyOptions say how Apply works. The zero value runs StandardPhases silently.
type ApplyOptions struct {
	// Phases replace the standard ones; start from StandardPhases to add your own.
	Phases []engine.Phase
	// Plan, when set, is what Apply shall do and nothing else: if the hosts have changed since it was made, Apply refuses
	// with ErrPlanStale before it changes anything.
	Plan *Plan
	// Observer hears of progress; nil hears nothing.
	Observer event.Observer
}

// Report is what an Apply did.
type Report struct {
	// Changes in the order in which they happened, of all hosts.
	Changes []remote.Change
	// Duration is the whole time.
	Duration time.Duration
}

// Apply makes the hosts the cluster that the spec describes, and returns once it takes writes through the virtual IP.
//
// It is safe to run at any time, and again after it was interrupted at any point: each phase looks first and changes only
// what differs, so a second run reports no changes. It never removes data. When a phase fails the phases that run at the
// same time are finished and no further one is begun; the report tells what was changed until then. Only one at a time
// changes a cluster: the error matches ErrLocked, and names the holder, while somebody else does.
func Apply(ctx context.Context, c *site.Site, opts ApplyOptions) (Report, error) {
	phases := opts.Phases
	if phases == nil {
		phases = StandardPhases()
	}
	start := time.Now()
	out := &event.Emitter{Observer: opts.Observer, Log: c.Log}
	held, unlock, err := job.Lock(ctx, c, "apply", "", job.LockHosts)
	if err != nil {
		return Report{Duration: time.Since(start)}, err
	}
	// What changes nothing, and what preflight refuses, leaves no trail.
	record := sync.OnceValue(func() *trail.Trail { return trail.Begin(ctx, c, "apply", "") })
	out.OnChange = func() { record() }
	if opts.Plan != nil {
		err = check(held, c, *opts.Plan, phases)
	}
	if err == nil {
		err = engine.RunPhases(held, c, engine.Saving(phases), out, false)
	}
	if changes := out.Changed(); len(changes) > 0 {
		record().End(ctx, changes, err)
	}
	err = errlist.Join(err, unlock())
	return Report{Changes: out.Changed(), Duration: time.Since(start)}, err
}
