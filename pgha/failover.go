package pgha

import (
	"context"

	"github.com/pgha/toolkit/pgha/patroni"
)

// FailoverOptions say who takes over from a leader that is gone, and what may be lost.
type FailoverOptions struct {
	Operation
	// To is the member, or its host, that shall lead. "" picks the most advanced one that may.
	To string
	// AcceptLoss accepts whatever may be lost, an unknown amount included.
	AcceptLoss bool
	// MaxLossBytes accepts a known loss of so many bytes of WAL. 0 accepts none.
	MaxLossBytes int64
}

// Failover makes a replica the leader of a cluster whose leader is gone, and returns once it takes writes through the
// virtual IP. See patroni.Failover for what is refused and how much may be lost.
func (c *Cluster) Failover(ctx context.Context, opts FailoverOptions) (patroni.FailoverResult, error) {
	var result patroni.FailoverResult
	fo := patroni.FailoverOptions{AcceptLoss: opts.AcceptLoss, MaxLossBytes: opts.MaxLossBytes}
	if opts.To != "" {
		var err error
		if fo.Candidate, err = c.member(opts.To); err != nil {
			return result, err
		}
	}
	err := c.operate(ctx, "failover", opts.Operation, lockEtcd, func(ctx context.Context, run *job) error {
		po, err := run.patroniOptions()
		if err != nil {
			return err
		}
		if result, err = patroni.Failover(ctx, po, fo); err != nil {
			return err
		}
		return readyPhase(ctx, run)
	})
	return result, err
}
