package engine

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/remote"
)

// PlanSteps reports the steps that are left of a change of many, as planned on a host. It refuses
// what RunSteps would.
func PlanSteps(r *job.Job, host string, record procedure.Record, steps []procedure.Step) error {
	if err := record.Fits(steps); err != nil {
		return err
	}
	for i, s := range steps[record.Reached:] {
		action := s.Name
		if s.Cost != "" {
			action += " (" + s.Cost + ")"
		}
		if s.Back == "" {
			action += ", from which there is no way back"
		}
		r.Out.Emit(event.Event{Kind: event.Changed, Phase: r.Phase, Change: &remote.Change{
			Host: host, Kind: "step", Planned: true, Action: action,
			Name: fmt.Sprintf("%d of %d:", record.Reached+i+1, len(steps))}})
	}
	return nil
}

// RunSteps does the steps that are left, tells each, and writes down who works on them.
func RunSteps(ctx context.Context, r *job.Job, record *procedure.Record, steps []procedure.Step,
	keep func(context.Context, procedure.Record) error) error {
	record.By = vault.WhoAmI()
	return procedure.Run(ctx, record, steps, keep, func(i int, s procedure.Step) {
		r.Progress(fmt.Sprintf("step %d of %d: %s", i+1, len(steps), s.Name))
	})
}
