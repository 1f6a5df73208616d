package operate

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/bytesize"
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
	// FromLeader copies from the leader and not from a replica tagged clonefrom. Needs Patroni 4.1.
	FromLeader bool
}

// Reinitialize deletes the data of a replica, copies it again from the leader, and waits until it
// streams; progress comes in bytes. See patroni.Reinitialize for refusals and errors. There is no
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
				Copying:    func(ctx context.Context) { followCopy(ctx, run, member) },
			})
			return err
		})
	return result, err
}

// copySQL is what the primary knows of a base backup that it sends to an address. The total is an
// estimate, and unknown while it is made.
const copySQL = `SELECT coalesce(p.backup_streamed, 0), coalesce(p.backup_total, 0)
FROM pg_stat_progress_basebackup p JOIN pg_stat_activity a USING (pid)
WHERE host(a.client_addr) = $1 ORDER BY a.backend_start DESC LIMIT 1`

// followCopy reports once a second how many bytes of a member's copy have been sent, until ctx
// ends. It does not see a copy that another member sends.
func followCopy(ctx context.Context, r *job.Job, member string) {
	h, err := r.MemberHost(member)
	if err != nil {
		return
	}
	for ctx.Err() == nil {
		var sent, total int64
		err := r.WithSQL(ctx, r.WriteRoute(), func(conn *pgx.Conn) error {
			return conn.QueryRow(ctx, copySQL, h.Address).Scan(&sent, &total)
		})
		if err == nil && sent > 0 {
			r.Progress(copyProgress(member, sent, max(total, sent)))
		}
		_ = poll.Pause(ctx, time.Second)
	}
}

func copyProgress(member string, sent, total int64) string {
	return fmt.Sprintf("copying to %s: %s of %s (%d %%)", member, bytesize.Text(sent),
		bytesize.Text(total),
		100*sent/total)
}
