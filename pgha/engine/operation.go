package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/trail"
)

// Operation is what every verb that changes a running cluster has in common. The zero value acts,
// silently.
type Operation struct {
	// DryRun looks and refuses as the verb always does, and reports every change as planned instead
	// of making it. It takes no lock.
	DryRun bool
	// Observer receives progress and every change; nil is allowed.
	Observer event.Observer
	// Holder is who is named to others who want to change the cluster at the same time. Default:
	// user@machine, process.
	Holder string
}

// Operate runs one verb: alone on this cluster, unless it is only planned, and on no other than
// that of the state directory (ErrRefused). The context that f gets ends with the lock.
func Operate(ctx context.Context, c *site.Site, name string, op Operation, how job.Locking,
	f func(context.Context, *job.Job) error) error {
	run := &job.Job{Site: c, Phase: name, Out: &event.Emitter{Observer: op.Observer, Log: c.Log},
		Lenient: true, DryRun: op.DryRun}
	warnPaused(ctx, run)
	if err := site.Guard(ctx, c); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if op.DryRun {
		return aboutSilence(ctx, run, name, aboutCandidates(f(ctx, run)))
	}
	held, unlock, err := job.Lock(ctx, c, name, op.Holder, how)
	if err != nil {
		return fmt.Errorf("%s: %w", name, aboutFailsafe(c, name, err))
	}
	record := trail.Begin(ctx, c, name, op.Holder)
	err = aboutCandidates(f(held, run))
	if cause := context.Cause(held); err != nil && cause != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w; %w", cause, err)
	}
	if err == nil && how == job.LockHosts { // it may have replaced etcd or the databases
		Recognize(ctx, run)
	}
	record.End(ctx, run.Out.Changed(), err)
	return errors.Join(err, unlock())
}

// Recognize keeps in the state directory which cluster this is, for whoever works on it next. That
// it cannot is no reason to call what was done a failure.
func Recognize(ctx context.Context, r *job.Job) {
	if err := site.Recognize(ctx, r.Site); err != nil {
		r.Warn("", "the state directory does not know which databases and which etcd these are: "+
			err.Error())
	}
}

// warnPaused says loudly that the cluster is paused, if it is. A cluster that does not answer is
// for the verb to tell.
func warnPaused(ctx context.Context, r *job.Job) {
	po, err := PatroniOptions(r)
	if err != nil {
		return
	}
	if state, err := patroni.NewClient(po).Cluster(ctx); err == nil && state.Paused {
		r.Warn("", "the cluster is PAUSED: nobody is promoted if the leader fails, until it is "+
			"resumed")
	}
}

// aboutCandidates adds what to do about a candidate that is refused, where nothing better is known.
func aboutCandidates(err error) error {
	if errors.Is(err, patroni.ErrNoCandidate) && remote.Hint(err) == "" {
		return errs.WithNext(err,
			errs.Text("%s shows which replicas stream; without --to the best one is taken",
				errs.Verb("status")))
	}
	return err
}
