package job

import (
	"context"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/patroni"
)

// Bounds of Stop, Start and RollingReboot.
const (
	// UnitWait is for one unit to stop or start. Patroni's may take 300 s: a shutdown checkpoint writes all that is dirty.
	UnitWait = 6 * time.Minute
	// MoveWait is for the address or etcd's leadership to be elsewhere.
	MoveWait = 30 * time.Second
	// RestoreWait is for units to start again after a failure or an interruption.
	RestoreWait = time.Minute
	// StartWait is for started members to stream, and for balancers to send sessions to them.
	StartWait = 5 * time.Minute
)

// Until looks again and again until look says "", which is that there is nothing left to wait for; else it says what is.
// Nothing is waited for when planning. The error matches patroni.ErrTimeout.
func (r *Job) Until(ctx context.Context, bound time.Duration, what, hint string, look func(context.Context) (missing string)) error {
	if r.Planning() {
		return nil
	}
	start := time.Now()
	r.Progress("waiting for " + what)
	inner, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	seen := "nothing"
	for {
		missing := look(inner)
		if missing == "" && inner.Err() == nil {
			return nil
		}
		if inner.Err() == nil {
			seen = missing
		}
		select {
		case <-inner.Done():
			if ctx.Err() != nil && context.Cause(ctx) != context.DeadlineExceeded {
				return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
			}
			return &patroni.TimeoutError{What: what, After: time.Since(start), Seen: seen, Look: hint}
		case <-time.After(150 * time.Millisecond):
		}
	}
}
