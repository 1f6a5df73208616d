package pgha

import (
	"context"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/errlist"
	"github.com/pgha/toolkit/pgha/remote"
)

// ApplyOptions say how Apply works. The zero value runs StandardPhases silently.
type ApplyOptions struct {
	// Phases replace the standard ones; start from StandardPhases to add your own.
	Phases []Phase
	// Plan, when set, is what Apply shall do and nothing else: if the hosts have changed since it was made, Apply refuses
	// with ErrPlanStale before it changes anything.
	Plan *Plan
	// Observer hears of progress; nil hears nothing.
	Observer Observer
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
func (c *Cluster) Apply(ctx context.Context, opts ApplyOptions) (Report, error) {
	phases := opts.Phases
	if phases == nil {
		phases = StandardPhases()
	}
	start := time.Now()
	out := &emitter{observer: opts.Observer, log: c.log}
	held, unlock, err := c.lock(ctx, "apply", "", lockHosts)
	if err != nil {
		return Report{Duration: time.Since(start)}, err
	}
	// What changes nothing, and what preflight refuses, leaves no trail.
	trail := sync.OnceValue(func() *audit { return c.audit(ctx, "apply", "") })
	out.onChange = func() { trail() }
	if opts.Plan != nil {
		err = c.check(held, *opts.Plan, phases)
	}
	if err == nil {
		err = runPhases(held, c, saving(phases), out, false)
	}
	if changes := out.changed(); len(changes) > 0 {
		trail().end(ctx, changes, err)
	}
	err = errlist.Join(err, unlock())
	return Report{Changes: out.changed(), Duration: time.Since(start)}, err
}
