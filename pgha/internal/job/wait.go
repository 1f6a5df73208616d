package job

import (
	"context"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
)

// Bounds of Stop, Start and RollingReboot.
const (
	// UnitWait is for one unit to stop or start. Patroni's may take 300 s: a shutdown checkpoint
	// writes all that is dirty.
	UnitWait = 6 * time.Minute
	// MoveWait is for the address or etcd's leadership to be elsewhere.
	MoveWait = 30 * time.Second
	// RestoreWait is for units to start again after a failure or an interruption.
	RestoreWait = time.Minute
	// StartWait is for started members to stream, and for balancers to send sessions to them.
	StartWait = 5 * time.Minute
)

// Until polls look until it returns ""; otherwise look returns what is still missing. When planning
// it returns at once. The error matches errs.ErrTimeout.
func (r *Job) Until(ctx context.Context, bound time.Duration, what string, next errs.Next,
	look func(context.Context) (missing string)) error {
	if r.Planning() {
		return nil
	}
	r.Progress("waiting for " + what)
	return poll.Until(ctx, poll.Options{What: what, Bound: bound, Next: next},
		func(ctx context.Context) (string, error) { return look(ctx), nil })
}
