package provision

import (
	"context"
	"errors"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/leader"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pooler"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// PoolerPhase sets PgBouncer up on the balancers. Where PostgreSQL's packages come from a
// repository of their own, so does it.
func PoolerPhase(ctx context.Context, run *job.Job) error {
	opts, ok, err := engine.PoolerOptions(run)
	if err != nil || !ok {
		return err
	}
	if run.Spec.PostgreSQL.Source != spec.SourceDistribution {
		targets, err := run.Balancers()
		if err != nil {
			return err
		}
		err = remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
			if t.LeftOut {
				return nil
			}
			resources, err := repository(ctx, run, t)
			if err != nil {
				return err
			}
			_, err = t.Ensure(ctx, resources...)
			return aboutRepository(err)
		})
		if err != nil {
			return err
		}
	}
	return pooler.Configure(ctx, opts)
}

// formerPooler tells whether preflight has seen a pooler that the specification has no more.
func formerPooler(run *job.Job) bool {
	run.Mu.Lock()
	defer run.Mu.Unlock()
	there := false
	for _, h := range run.Spec.Balancers() {
		there = there || run.Facts[h.Name].Pooler
	}
	return there && run.Spec.Pooler == nil
}

// removePoolers takes away poolers that the specification has no more, once keepalived does not ask
// for them.
func removePoolers(ctx context.Context, run *job.Job) error {
	if !formerPooler(run) {
		return nil
	}
	targets, err := run.Balancers()
	if err != nil {
		return err
	}
	return pooler.Remove(ctx, targets)
}

// poolerRole makes what the pooler needs in PostgreSQL, or takes away what a former one has left.
func poolerRole(ctx context.Context, run *job.Job) error {
	former := formerPooler(run)
	if run.Spec.Pooler == nil && !former {
		return nil
	}
	password := run.Credentials().Pooler
	l, err := leader.LookUp(ctx, run.Site, password)
	none := errors.Is(err, patroni.ErrNoLeader) || errors.Is(err, patroni.ErrUnavailable)
	switch {
	case none && run.Planning() && !hasCluster(ctx, run.Site):
		l, err = leader.FreshLookup(run.Site), nil
	case none && run.Planning(), errors.Is(err, remote.ErrLeftOut):
		run.Warn("", "the pooler's role is left as it is: "+err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	start := time.Now()
	report := func(kind, name, action string, there bool) error {
		if action == "" {
			return nil
		}
		change := remote.Change{Kind: kind, Name: name, Action: action, Duration: time.Since(start)}
		if there {
			change.Was = &remote.Was{}
		}
		return run.Changed(l.Member, change)
	}
	if former {
		if !l.Exists() {
			return nil
		}
		if !run.Planning() {
			if err := l.Drop(ctx, run.Site); err != nil {
				return err
			}
		}
		return report("role", spec.PoolerRole, "dropped", true)
	}
	if l.Role == "" && l.Function == "" {
		return nil
	}
	if !run.Planning() {
		if err := l.Make(ctx, run.Site, password); err != nil {
			return err
		}
	}
	if err := report("role", spec.PoolerRole, l.Role, l.Exists()); err != nil {
		return err
	}
	return report("schema", spec.PoolerRole, l.Function, false)
}
