package pgha

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
)

// SwitchoverOptions say where the leadership goes.
type SwitchoverOptions struct {
	Operation
	// To is the member, or its host, that shall lead. "" picks the replica that is behind the least.
	To string
}

// Switchover moves the leadership to a replica without losing a committed transaction, and returns once the new leader
// takes writes through the virtual IP and the former one streams from it. Sessions to the former leader are closed.
//
// Before it asks Patroni it writes a checkpoint, so that the former leader stops quickly, and moves etcd's leadership to a
// host that takes no part. Nothing is changed when the candidate is not fit; errors match those of patroni.Switchover.
func (c *Cluster) Switchover(ctx context.Context, opts SwitchoverOptions) (patroni.SwitchoverResult, error) {
	out := &emitter{observer: opts.Observer, log: c.log}
	run := &Run{Cluster: c, phase: "switchover", out: out, lenient: true, dryRun: opts.DryRun}
	po, err := run.patroniOptions()
	if err != nil {
		return patroni.SwitchoverResult{}, err
	}
	so := patroni.SwitchoverOptions{Candidate: opts.To}
	if opts.To != "" {
		h, err := c.Spec.Host(opts.To)
		if err != nil {
			return patroni.SwitchoverResult{}, err
		}
		if h.Role != spec.RoleDatabase {
			return patroni.SwitchoverResult{}, fmt.Errorf("switchover: %w: %s is a balancer", patroni.ErrNoCandidate, h.Name)
		}
		so.Candidate = h.Member
	}
	state, err := patroni.NewClient(po).Cluster(ctx)
	if err != nil {
		return patroni.SwitchoverResult{}, err
	}
	if leader, ok := state.Leader(); ok && leader.Name != so.Candidate {
		if err := c.prepareSwitchover(ctx, run, leader.Name, so.Candidate); err != nil {
			// Both are comforts: without them the switchover takes longer, and is no less safe.
			run.Warn("", err.Error())
		}
	}
	result, err := patroni.Switchover(ctx, po, so)
	if err != nil {
		return result, err
	}
	return result, readyPhase(ctx, run)
}

// prepareSwitchover makes it short: little left to write at shutdown, and no election of etcd in the middle of it.
func (c *Cluster) prepareSwitchover(ctx context.Context, run *Run, leader, candidate string) error {
	run.Progress("writing a checkpoint on " + leader)
	err := c.withSQL(ctx, c.writeRoute(), func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CHECKPOINT")
		return err
	})
	if err != nil {
		return fmt.Errorf("write a checkpoint first: %w", err)
	}
	eo, err := run.etcdOptions()
	if err != nil {
		return err
	}
	now, err := etcd.Leader(ctx, eo)
	if err != nil || (now != leader && now != candidate) {
		return err
	}
	for _, m := range eo.Members {
		if m.Name != leader && m.Name != candidate {
			run.Progress("moving etcd's leadership to " + m.Name)
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			return etcd.MoveLeader(ctx, eo, m.Name)
		}
	}
	return nil
}
