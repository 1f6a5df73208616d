package operate

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/remote"
)

// Checkpoint writes a checkpoint on the primary, so that it has little left to write when it stops.
func Checkpoint(ctx context.Context, r *job.Job, leader string) error {
	change := remote.Change{Kind: "checkpoint", Name: "of " + leader, Action: "written"}
	if !r.Planning() {
		r.Progress("writing a checkpoint on " + leader)
		start := time.Now()
		// A checkpoint takes as long as the disk needs: only ctx bounds it.
		conn, err := r.Connect(ctx, r.WriteRoute())
		if err == nil {
			_, err = conn.Exec(ctx, "CHECKPOINT")
			closeSQL(conn)
		}
		if err != nil {
			return fmt.Errorf("write a checkpoint first: %w", err)
		}
		change.Duration = time.Since(start)
	}
	return r.Changed(leader, change)
}

// closeSQL says goodbye, even when the work's own context has ended, but does not wait for an
// answer.
func closeSQL(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // there is nothing left to lose
}

// MoveEtcdLeader hands etcd's leadership from one member to another.
func MoveEtcdLeader(ctx context.Context, r *job.Job, eo etcd.Options, from, to string) error {
	start := time.Now()
	if !r.Planning() {
		r.Progress("moving etcd's leadership to " + to)
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := etcd.MoveLeader(ctx, eo, to); err != nil {
			return err
		}
	}
	return r.Changed(from, remote.Change{Kind: "etcd leader", Name: r.Spec.Cluster,
		Action: "moved from " + from + " to " + to, Duration: time.Since(start)})
}
