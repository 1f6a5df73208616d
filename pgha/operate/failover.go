package operate

import (
	"context"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/provision"
)

// FailoverOptions say who takes over from a leader that is gone, and what may be lost.
type FailoverOptions struct {
	engine.Operation
	// To is the member, or its host, that should lead. "" picks the most advanced one that may.
	To string
	// AcceptLoss accepts whatever may be lost, an unknown amount included.
	AcceptLoss bool
	// MaxLossBytes accepts a known loss of so many bytes of WAL. 0 accepts none.
	MaxLossBytes int64
}

// Failover makes a replica the leader of a cluster whose leader is gone, and returns once it takes
// writes through the virtual IP. It warns of slots that Patroni keeps on all members and that the
// new leader had no copy of. See patroni.Failover for what is refused and how much may be lost.
func Failover(ctx context.Context, c *site.Site,
	opts FailoverOptions) (patroni.FailoverResult, error) {
	var result patroni.FailoverResult
	fo := patroni.FailoverOptions{AcceptLoss: opts.AcceptLoss, MaxLossBytes: opts.MaxLossBytes}
	if opts.To != "" {
		var err error
		if fo.Candidate, err = c.Member(opts.To); err != nil {
			return result, err
		}
	}
	err := engine.Operate(ctx, c, "failover", opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			po, err := engine.PatroniOptions(run)
			if err != nil {
				return err
			}
			permanent, _ := permanentSlots(ctx, po) // without an answer there is nothing to tell
			before := slotsOfAll(ctx, run.Site)
			if result, err = patroni.Failover(ctx, po, fo); err != nil {
				return err
			}
			if !run.Planning() {
				tellLostSlots(run, permanent, before, result.NewLeader)
			}
			return provision.ReadyPhase(ctx, run)
		})
	return result, err
}
