// Package external is a program of somebody else's, in a module of its own.
package external

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Provision makes the hosts the cluster that sp describes and reports what happens, as it does.
func Provision(ctx context.Context, sp *spec.Spec, opts pgha.ConnectOptions,
	watch func(pgha.Event)) error {
	cluster, err := pgha.Connect(ctx, sp, opts)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if _, err := cluster.Apply(ctx, pgha.ApplyOptions{Observer: watch}); err != nil {
		return fmt.Errorf("provision, %s: %w", remote.Hint(err), err)
	}
	return nil
}

// Pending says how many changes an Apply would make.
func Pending(ctx context.Context, cluster *pgha.Cluster, watch func(pgha.Event)) (int, error) {
	plan, err := cluster.Plan(ctx, pgha.PlanOptions{Observer: watch})
	if err != nil {
		return 0, err
	}
	return len(plan.Changes), nil
}

// Announce is a verb: it puts a message on every host, below the host's folder in dir. It is alone
// on the cluster and leaves a trail; a dry run only reports.
func Announce(ctx context.Context, cluster *pgha.Cluster, dir, message string,
	op pgha.Operation) error {
	return cluster.Operate(ctx, "announce", op, func(ctx context.Context, run *pgha.Run) error {
		return remote.Each(ctx, run.Targets(), func(ctx context.Context, t *remote.Target) error {
			_, err := t.Ensure(ctx, remote.File{
				FileMeta: remote.FileMeta{Path: filepath.Join(dir, t.Name), Mode: 0o644},
				Content:  []byte(message),
			})
			return err
		})
	})
}
