package engine

import (
	"context"

	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/job"
)

// TryFirstStart tries, on hosts that have PostgreSQL since a moment ago and no data, whether it
// starts with what the specification says: else the first member would try again and again.
func TryFirstStart(ctx context.Context, r *job.Job) error {
	if r.Planning() {
		return nil
	}
	r.Mu.Lock()
	facts := r.Facts
	r.Mu.Unlock()
	found, err := inspect.JudgeServers(ctx, r.Site, facts, true)
	if err != nil {
		return err
	}
	inspect.Place(r.Site, found)
	return inspect.PreflightReport{Findings: found}.Err()
}
