package remote

import (
	"context"
	"time"
)

// QuickLock is Lock with durations that a test can wait for.
func (t *Target) QuickLock(ctx context.Context, path,
	note string) (context.Context, func() error, error) {
	return t.lock(ctx, path, note, lockTimes{
		beat: 50 * time.Millisecond, silence: time.Second, patience: 2 * time.Second,
		farewell: time.Second,
	})
}
