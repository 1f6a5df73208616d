package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/contents"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/leader"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// DatabasesPhase makes the roles and databases of the specification on the leader, and that of the
// pooler, and mends what differs. What it does not name is left alone.
func DatabasesPhase(ctx context.Context, run *job.Job) error {
	if err := poolerRole(ctx, run); err != nil || !run.Spec.Contents() {
		return err
	}
	seen, err := leader.Look(ctx, run.Site)
	none := errors.Is(err, patroni.ErrNoLeader) || errors.Is(err, patroni.ErrUnavailable)
	switch {
	case none && run.Planning() && !hasCluster(ctx, run.Site):
		seen, err = leader.Fresh(run.Site), nil
	case none && run.Planning(), errors.Is(err, remote.ErrLeftOut):
		run.WarnNext("", errs.Text("roles and databases are left as they are: %v", err))
		return nil
	}
	if err != nil {
		return err
	}
	if err := RefuseContents(contents.Judge(run.Spec, seen.Server)); err != nil {
		return err
	}
	for _, step := range contents.Steps(run.Spec, seen.Server) {
		if err := takeStep(ctx, run, seen, step); err != nil {
			return err
		}
	}
	return nil
}

// RefuseContents makes one error of what cannot be done of roles and databases.
func RefuseContents(problems []contents.Problem) error {
	var refused []error
	for _, p := range problems {
		refused = append(refused, errs.WithNext(fmt.Errorf("%w: %s: %s", errs.ErrRefused, p.Field,
			p.Problem), p.Remedy))
	}
	return errs.Join(refused...)
}

// takeStep makes one thing, unless the run only plans, and reports it.
func takeStep(ctx context.Context, run *job.Job, seen leader.Seen, step contents.Step) error {
	start := time.Now()
	if !run.Planning() {
		err := leader.Do(ctx, run.Site, seen.Member, step, seen.Passwords[step.Name])
		if err != nil {
			return err
		}
		if step.Kind == "role" && step.Action == contents.Dropped {
			if err := run.State.ForgetRole(step.Name); err != nil {
				return err
			}
		}
	}
	change := remote.Change{Kind: step.Kind, Name: step.Name, Action: step.Action, Diff: step.Diff,
		Duration: time.Since(start)}
	if !step.New {
		change.Was = &remote.Was{}
	}
	return run.Changed(seen.Member, change)
}

// unfinishedRoles refuses to go on while the password of a role of the specification is being
// replaced: which one the server has is not known here.
func unfinishedRoles(run *job.Job) error {
	roles := run.State.UnfinishedRoles(run.Spec)
	if len(roles) == 0 {
		return nil
	}
	return errs.WithNext(fmt.Errorf("%w: the password of %s is being replaced, and the server may "+
		"have either", errs.ErrRefused, strings.Join(roles, ", ")),
		errs.Text("finish it: %s", rotate(roles)))
}
