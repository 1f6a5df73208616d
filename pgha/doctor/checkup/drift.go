package checkup

import (
	"context"
	"slices"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/provision"
)

// drift lists what apply would change, and what it would refuse. Its phases do not wait for each
// other: a component that is broken must not hide what has become of the others.
func drift(ctx context.Context, c *pgha.Cluster) ([]doctor.Difference, []preflight.Finding, error) {
	var refused []preflight.Finding
	var phases []pgha.Phase
	for _, p := range pgha.StandardPhases() {
		switch p.Name {
		case provision.ReadyName:
			continue
		case engine.PreflightName:
			// The other phases render from its facts; its findings about the hosts are for apply.
			p.Run = func(ctx context.Context, run *pgha.Run) error {
				report, err := run.Preflight(ctx, pgha.PreflightOptions{})
				// Whether a host of unknown address has moved cannot be known.
				if len(c.Spec.Names()) == 0 {
					refused = slices.DeleteFunc(report.Findings,
						func(f preflight.Finding) bool { return f.Field == "" })
				}
				return err
			}
		default:
			p.After = []string{engine.PreflightName}
		}
		phases = append(phases, p)
	}
	plan, err := c.Plan(ctx, pgha.PlanOptions{Phases: phases})
	return differences(plan.Changes), refused, err
}

func differences(changes []pgha.PlannedChange) []doctor.Difference {
	var list []doctor.Difference
	for _, ch := range changes {
		d := doctor.Difference{Host: ch.Host, Kind: ch.Kind, Name: ch.Name, Action: ch.Action,
			Diff: ch.Diff}
		if ch.Origin != (pgha.Origin{}) {
			d.Came = ch.Origin.String()
		}
		list = append(list, d)
	}
	return list
}
