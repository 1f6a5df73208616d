package etcd

import (
	"context"
	"slices"

	"github.com/pgha/toolkit/pgha/remote"
)

// Bootstrap installs etcd and makes its members one healthy cluster with a leader. It needs the
// packages of Layout. It is safe to repeat: the second time it changes nothing and costs two looks
// at each host and one question to etcd. It finishes whatever an earlier run, or a failure, left
// behind:
//   - Members that never started form the cluster together, all started at the same time.
//   - Members that are stopped are started.
//   - A member whose data is gone is removed from the cluster and joins it again, as long as the
//     others are a majority; else ErrQuorumLost. If the data of all is gone a new, empty cluster is
//     formed. A Patroni that runs refuses it, because its raft term is lower than the one it knew
//     (seen with 4.1: StaleEtcdNode), until it is restarted; then it writes its state into it.
//   - A member that runs with another configuration, CA or version than it should is restarted: one
//     at a time, the leader last and after it has handed over, each only once the others are
//     healthy.
//
// Once the cluster is healthy, ETCD_INITIAL_CLUSTER_STATE becomes "existing" everywhere. etcd reads
// the variable only when it starts without data, so this changes the file and restarts nobody: what
// it protects is the next start. "existing" alone would even let a member that lost its data come
// back as a voter without a memory, so the unit refuses to start such a one (etcd.service,
// ExecStartPre).
//
// Members whose Target is left out stay as they are, and none is waited for. What takes all members
// is refused then, with an error that matches ErrRefused of package errs, before anything is
// changed: a restart that would leave no quorum, and a new cluster.
//
// Each wait is bounded by Options.Wait. On a planning target it only records what it would change.
func Bootstrap(ctx context.Context, o Options) error {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return err
	}
	seen, err := o.lookAll(ctx)
	if err != nil {
		return err
	}
	if err := o.judgeLeftOut(seen); err != nil {
		return err
	}
	if err := o.install(ctx, seen); err != nil {
		return err
	}
	if err := o.admit(ctx, seen); err != nil {
		return err
	}
	if err := o.start(ctx, seen, o.all()); err != nil {
		return err
	}
	if err := o.restartStale(ctx, seen); err != nil {
		return err
	}
	if o.planning() {
		return nil
	}
	if err := o.awaitHealth(ctx, o.all()); err != nil {
		return err
	}
	return o.markFormed(ctx, seen)
}

func (o Options) planning() bool { return o.Members[0].Target.Planning() }

// all are the indices of all members that are not left out.
func (o Options) all() []int {
	var list []int
	for i, m := range o.Members {
		if !m.Target.LeftOut {
			list = append(list, i)
		}
	}
	return list
}

// start starts those of the given members that do not run, all at the same time: a first start is
// over when a quorum has met.
func (o Options) start(ctx context.Context, seen []facts, members []int) error {
	members = slices.DeleteFunc(slices.Clone(members),
		func(i int) bool { return seen[i].running || seen[i].started })
	if len(members) == 0 {
		return nil
	}
	o.Progress("starting etcd")
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	return o.each(ctx, func(ctx context.Context, i int, m Member) error {
		if !slices.Contains(members, i) {
			return nil
		}
		_, err := m.Target.Ensure(ctx, remote.Unit{Name: Unit, Running: remote.Yes})
		return err
	})
}

// markFormed writes down on the hosts of members that were not part of the cluster before that they
// now are.
func (o Options) markFormed(ctx context.Context, seen []facts) error {
	return o.each(ctx, func(ctx context.Context, i int, m Member) error {
		if seen[i].hasData {
			return nil // install has written it
		}
		_, err := m.Target.Ensure(ctx, o.environmentFile(m, formed))
		return err
	})
}
