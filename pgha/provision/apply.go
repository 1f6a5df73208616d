package provision

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/status"
	"github.com/pgha/toolkit/pgha/trail"
)

// ApplyOptions say how Apply works. The zero value runs StandardPhases silently.
type ApplyOptions struct {
	// Phases replace the standard ones; start from StandardPhases to add your own.
	Phases []engine.Phase
	// Without names hosts, or their members, that are left as they are: nothing is asked of them,
	// and none is waited for. The next Apply without it brings them in. Refused, before anything is
	// changed, is what is not safe without them: so many that no majority of etcd, or no balancer,
	// is left; a restart of etcd that would leave no quorum; a change that all balancers have to
	// make in order while one is left out; an unfinished rotation of an authority. Phases of the
	// caller's own find such hosts in Run.Target alone, with LeftOut set. Connect with
	// AllowUnreachable, or the same Without. A Plan brings its own.
	Without []string
	// Plan, when set, is what Apply should do and nothing else: if the hosts have changed since it
	// was made, Apply refuses with ErrPlanStale before it changes anything.
	Plan *Plan
	// Observer receives progress; nil is allowed.
	Observer event.Observer
}

// Report is what an Apply did.
type Report struct {
	// Changes in the order in which they happened, of all hosts.
	Changes []remote.Change
	// LeftOut are the hosts that the next Apply brings in.
	LeftOut []string
	// Duration is the whole time.
	Duration time.Duration
}

// Apply makes the hosts the cluster that the spec describes, and returns once it takes writes
// through the virtual IP.
//
// It is safe to run at any time, and again after it was interrupted at any point: each phase looks
// first and changes only what differs, so a second run reports no changes. It never removes data.
// When a phase fails the phases that run at the same time are finished and no further one is begun;
// the report tells what was changed until then. A host without a connection that is not left out is
// an error that says how to leave it out, if that is safe. Only one at a time changes a cluster:
// the error matches ErrLocked, and names the holder, while somebody else does. Refused (ErrRefused)
// is a change of hosts that is half done: it is finished or taken back first; and a specification
// that lacks hosts which the last Apply had, whose removal is a change of its own.
func Apply(ctx context.Context, c *site.Site, opts ApplyOptions) (Report, error) {
	phases := opts.Phases
	if phases == nil {
		phases = StandardPhases()
	}
	start := time.Now()
	names := opts.Without
	if opts.Plan != nil && len(names) == 0 {
		names = opts.Plan.LeftOut
	}
	c, err := without(ctx, c, names)
	if err != nil {
		return Report{Duration: time.Since(start)}, err
	}
	out := &event.Emitter{Observer: opts.Observer, Log: c.Log}
	held, unlock, err := job.Lock(ctx, c, "apply", "", job.LockHosts)
	if err != nil {
		return Report{Duration: time.Since(start)}, err
	}
	// An etcd that does not answer, as before there is one, has no record.
	if half, unknown := status.Change(held, c); unknown == nil && half != nil {
		return Report{Duration: time.Since(start)}, errors.Join(status.HalfDone(*half), unlock())
	}
	if former, unknown := status.Former(held, c); unknown == nil && len(former) > 0 {
		return Report{Duration: time.Since(start)}, errors.Join(status.LeftBehind(former), unlock())
	}
	// What changes nothing, and what preflight refuses, leaves no trail.
	record := sync.OnceValue(func() *trail.Trail { return trail.Begin(ctx, c, "apply", "") })
	out.OnChange = func() { record() }
	warnLeftOut(c, out)
	if opts.Plan != nil || len(c.LeftOut()) > 0 {
		err = rehearse(held, c, opts.Plan, opts.Phases)
	}
	if err == nil {
		err = engine.RunPhases(held, c, engine.Saving(phases), out, false)
	}
	if err == nil {
		engine.Recognize(held, &job.Job{Site: c, Out: out})
		if unknown := status.RememberHosts(held, c); unknown != nil {
			out.Emit(event.Event{Kind: event.Warning, Message: unknown.Error()})
		}
	}
	if changes := out.Changed(); len(changes) > 0 {
		record().End(ctx, changes, err)
	}
	err = errors.Join(err, unlock())
	return Report{Changes: out.Changed(), LeftOut: site.HostNames(c.LeftOut()),
		Duration: time.Since(start)}, err
}
