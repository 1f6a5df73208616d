package operate

import (
	"context"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
)

// ReinitializeOptions say which member is copied again.
type ReinitializeOptions struct {
	engine.Operation
	// Member, or its host, whose data is deleted and copied again.
	Member string
	// Force also allows deleting the only healthy copy besides the leader's, and ends a copy that
	// is under way.
	Force bool
	// FromLeader copies from the leader and not from a replica. Needs Patroni 4.1.
	FromLeader bool
}

// Reinitialize deletes the data of a replica, copies it again, from another replica where one runs, and
// waits until it streams; progress comes in bytes. See patroni.Reinitialize for refusals and errors. There is no
// time limit but ctx's and patroni's 12 hours.
func Reinitialize(ctx context.Context, c *site.Site,
	opts ReinitializeOptions) (patroni.ReinitializeResult, error) {
	var result patroni.ReinitializeResult
	member, err := c.Member(opts.Member)
	if err != nil {
		return result, err
	}
	err = engine.Operate(ctx, c, "reinit", opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			po, err := engine.PatroniOptions(run)
			if err != nil {
				return err
			}
			result, err = patroni.Reinitialize(ctx, po, patroni.ReinitializeOptions{
				Member: member, Force: opts.Force, AllowLast: opts.Force,
				FromLeader: opts.FromLeader,
				Copying:    func(ctx context.Context) { followCopy(ctx, run, po, member) },
			})
			return err
		})
	return result, err
}

// followCopy reports how many bytes of a member's copy have been sent, until ctx ends.
func followCopy(ctx context.Context, r *job.Job, po patroni.Options, member string) {
	for ctx.Err() == nil {
		for _, c := range patroni.Copies(ctx, po) {
			if c.To == member && c.Streamed > 0 {
				r.Progress(c.String())
			}
		}
		_ = poll.Pause(ctx, time.Second)
	}
}
