package recovery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/adopt"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// FromOptions name the member that the cluster continues from.
type FromOptions struct {
	engine.Operation
	// From is the member, or its host, whose database continues. Required.
	From string
}

// FromResult is what FromMember did.
type FromResult struct {
	// Member leads now.
	Member string `json:"member"`
	// GivenUp are the members that did not answer, or have no data. They come back empty.
	GivenUp []string `json:"given_up"`
	// LossBytes is how far Member was behind the last position that etcd had heard of; nil when
	// that is not known. What was written after that is in no figure. Loss says it in words.
	LossBytes *int64 `json:"loss_bytes"`
	Loss      string `json:"loss"`
	// Kept are copies of etcd's former data.
	Kept []etcd.KeptData `json:"kept"`
	// Elapsed is until an application can write again.
	Elapsed patroni.Elapsed `json:"seconds"`
}

// FromMember makes the cluster go on from one member after a majority of the database hosts was
// lost for good: etcd continues from that member's own data, then its Patroni takes the lead, and
// FromMember returns once an application can write through the virtual IP. Other members that
// answer follow it. Hosts that replace the lost ones are brought in by an apply.
//
// Refused with an error that matches ErrRefused, before anything is changed: while etcd has a
// quorum, or only has to be started; while a balancer sends writes to another member; when the
// member cannot be reached, has no database or one of another cluster, or another member that
// answers has more.
//
// Nothing is deleted: what etcd had is copied beside its data directory. Whoever calls this makes
// sure that the hosts that are given up never start again with their old disks: most of them
// together would be a second cluster. In strict synchronous mode no replica is there to wait for,
// so the mode is relaxed until the next apply. When FromMember is interrupted run it again: it
// continues where it was, and does nothing once all is done.
func FromMember(ctx context.Context, c *site.Site, opts FromOptions) (FromResult, error) {
	var result FromResult
	start := time.Now()
	err := engine.Operate(ctx, c, "recover", opts.Operation, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			v, err := look(ctx, run, opts.From)
			if err != nil {
				return err
			}
			if err := v.refuse(run.Spec); err != nil {
				return err
			}
			result.Member, result.GivenUp = v.from.Member, v.givenUp(run.Spec)
			result.LossBytes, result.Loss = v.loss()
			run.Warn("", result.Loss)
			if len(result.GivenUp) > 0 {
				run.Warn("", fmt.Sprintf("%s are given up: if their hosts ever start again with "+
					"their old disks, there will be two clusters",
					strings.Join(result.GivenUp, " and ")))
			}
			if result.Kept, err = recoverStore(ctx, run, v); err != nil {
				return err
			}
			if err := lead(ctx, run, v); err != nil || run.Planning() {
				return err
			}
			return provision.ReadyPhase(ctx, run)
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// recoverStore gives etcd a quorum again, unless an earlier run has.
func recoverStore(ctx context.Context, r *job.Job, v view) ([]etcd.KeptData, error) {
	if v.store != nil {
		return []etcd.KeptData{}, nil
	}
	eo, err := r.Site.EtcdOptionsFor(r.Target)
	if err != nil {
		return nil, err
	}
	eo.Progress = r.Progress
	return etcd.Recover(ctx, eo, v.voter.Member)
}

// lead makes the member the leader, and lets the others that answer follow it.
func lead(ctx context.Context, r *job.Job, v view) error {
	leads := v.leader() == v.from.Member
	rest := slices.DeleteFunc(r.Spec.Databases(), func(h spec.Host) bool {
		l := v.looks[h.Name]
		return h.Name == v.from.Name || l.Err != nil || l.Control.Identifier == "" ||
			leads && l.Runs(patroni.Unit)
	})
	change := remote.Change{Kind: "leader", Name: r.Spec.Cluster,
		Action: "given to " + v.from.Member}
	if r.Planning() {
		if leads {
			return nil
		}
		return r.Changed(v.from.Member, change)
	}
	if !leads {
		start := time.Now()
		if err := adopt.Lead(ctx, r, v.from, rest); err != nil {
			return err
		}
		change.Duration = time.Since(start)
		if err := r.Changed(v.from.Member, change); err != nil {
			return err
		}
	}
	if err := relax(ctx, r); err != nil {
		return err
	}
	return adopt.Rejoin(ctx, r, rest)
}

// relax lets commits go on without a synchronous standby where strict mode would have them wait for
// ever.
func relax(ctx context.Context, r *job.Job) error {
	po, err := r.Site.PatroniOptionsFor(r.Target)
	if err != nil {
		return err
	}
	client := patroni.NewClient(po)
	config, err := client.Config(ctx)
	if err != nil {
		return err
	}
	const strict = "synchronous_mode_strict"
	if on, _ := config[strict].(bool); !on {
		return nil
	}
	r.Warn("", "strict synchronous mode is off until the next apply: no replica is there to "+
		"wait for")
	if _, err := client.PatchConfig(ctx, map[string]any{strict: false}); err != nil {
		return errs.WithNext(err, errs.Text("commits wait for a replica until %s",
			errs.Verb("sync", "on")))
	}
	return nil
}
