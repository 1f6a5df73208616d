package pgha

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/remote"
)

// checkpoint writes a checkpoint on the primary, so that it has little left to write when it stops.
func (r *job) checkpoint(ctx context.Context, leader string) error {
	change := remote.Change{Kind: "checkpoint", Name: "of " + leader, Action: "written"}
	if !r.planning() {
		r.Progress("writing a checkpoint on " + leader)
		start := time.Now()
		// A checkpoint takes as long as the disk needs: only ctx bounds it.
		conn, err := r.connect(ctx, r.writeRoute())
		if err == nil {
			_, err = conn.Exec(ctx, "CHECKPOINT")
			closeSQL(conn)
		}
		if err != nil {
			return fmt.Errorf("write a checkpoint first: %w", err)
		}
		change.Duration = time.Since(start)
	}
	return r.changed(leader, change)
}

// closeSQL says goodbye, even when the work's own context has ended, but does not wait for an answer.
func closeSQL(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // there is nothing left to lose
}

// moveEtcdLeader hands etcd's leadership from one member to another.
func (r *job) moveEtcdLeader(ctx context.Context, eo etcd.Options, from, to string) error {
	start := time.Now()
	if !r.planning() {
		r.Progress("moving etcd's leadership to " + to)
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := etcd.MoveLeader(ctx, eo, to); err != nil {
			return err
		}
	}
	return r.changed(from, remote.Change{Kind: "etcd leader", Name: r.Spec.Cluster, Action: "moved from " + from + " to " + to, Duration: time.Since(start)})
}

// changed reports a change that was made, or is planned, on a member's host.
func (r *job) changed(member string, change remote.Change) error {
	h, err := r.memberHost(member)
	if err != nil {
		return err
	}
	change.Host, change.Planned = h.Name, r.planning()
	r.out.emit(Event{Kind: Changed, Phase: r.phase, Host: h.Name, Change: &change, Duration: change.Duration})
	return nil
}
