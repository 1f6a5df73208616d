package pgha

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pgha/toolkit/internal/errlist"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// ErrRefused: the operation would do harm, or could not end well, and nothing was changed. The reason is in the error's
// text. Refused finds it together with the reasons of package patroni.
var ErrRefused = errors.New("refused")

// Operation is what every verb that changes a running cluster has in common. The zero value acts, silently.
type Operation struct {
	// DryRun looks and refuses as the verb always does, and reports every change as planned instead of making it. It takes
	// no lock.
	DryRun bool
	// Observer hears of progress and of every change; nil hears nothing.
	Observer Observer
	// Holder is who is named to others who want to change the cluster at the same time. Default: user@machine, process.
	Holder string
}

// operate runs one verb: alone on this cluster, unless it is only planned. The context that f gets ends with the lock.
func (c *Cluster) operate(ctx context.Context, name string, op Operation, how locking, f func(context.Context, *job) error) error {
	run := &job{Cluster: c, phase: name, out: &emitter{observer: op.Observer, log: c.log}, lenient: true, dryRun: op.DryRun}
	run.warnPaused(ctx)
	if op.DryRun {
		return run.aboutSilence(ctx, name, advise(f(ctx, run)))
	}
	held, unlock, err := c.lock(ctx, name, op.Holder, how)
	if err != nil {
		return fmt.Errorf("%s: %w", name, c.aboutFailsafe(name, err))
	}
	trail := c.audit(ctx, name, op.Holder)
	err = advise(f(held, run))
	if cause := context.Cause(held); err != nil && cause != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w; %w", cause, err)
	}
	trail.end(ctx, run.out.changed(), err)
	return errlist.Join(err, unlock())
}

// warnPaused says loudly that the cluster is paused, if it is. A cluster that does not answer is for the verb to tell.
func (r *job) warnPaused(ctx context.Context) {
	po, err := r.patroniOptions()
	if err != nil {
		return
	}
	if state, err := patroni.NewClient(po).Cluster(ctx); err == nil && state.Paused {
		r.Warn("", "the cluster is PAUSED: nobody is promoted if the leader fails, until it is resumed")
	}
}

// Refused reports whether err says that an operation was refused before anything was changed: because the cluster's
// state, its rules or the arguments forbid it. Such an operation will be refused again until something else has changed.
func Refused(err error) bool {
	for _, reason := range []error{
		ErrRefused, ErrPlanStale, patroni.ErrPutBack, patroni.ErrVersion, patroni.ErrNoCandidate, patroni.ErrNoLeader, patroni.ErrPaused, patroni.ErrInvalid, patroni.ErrLeaderHealthy,
		patroni.ErrLossNotAccepted, patroni.ErrUnhealthy, patroni.ErrScheduled, patroni.ErrNothingScheduled, patroni.ErrConflict, etcd.ErrNoSpace,
	} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// member returns the member's name for the name of a member or of its host, and refuses balancers and names that are
// none, with the nearest one there is.
func (c *Cluster) member(name string) (string, error) {
	h, err := c.Spec.Host(name)
	if err == nil && h.Role != spec.RoleDatabase {
		err = fmt.Errorf("%s is a balancer, not a member of the database cluster", h.Name)
	}
	if err != nil {
		var names []string
		for _, d := range c.Spec.Databases() {
			names = append(names, d.Member)
		}
		return "", remote.WithHint(fmt.Errorf("%w: %w", patroni.ErrInvalid, err), "the members are "+strings.Join(names, ", "))
	}
	return h.Member, nil
}

// advise adds what to do about a candidate that is refused, where nothing better is known.
func advise(err error) error {
	if errors.Is(err, patroni.ErrNoCandidate) && remote.Hint(err) == "" {
		return remote.WithHint(err, "pgha-cli status shows which replicas stream; without --to the best one is taken")
	}
	return err
}

// memberHost returns the host that a member lives on.
func (c *Cluster) memberHost(member string) (spec.Host, error) { return c.Spec.Host(member) }

// members translates several names.
func (c *Cluster) members(names []string) ([]string, error) {
	var members []string
	for _, name := range names {
		m, err := c.member(name)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}
