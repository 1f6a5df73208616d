package engine

import (
	"context"

	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// Verb runs one verb of an embedder's; see Cluster.Operate of package pgha.
func Verb(ctx context.Context, c *site.Site, name string, op Operation,
	f func(context.Context, *Run) error) error {
	return Operate(ctx, c, name, op, job.LockEtcd, func(ctx context.Context, r *job.Job) error {
		return f(ctx, &Run{Spec: r.Spec, job: r})
	})
}
