package pgha

import (
	"context"
	"errors"
)

// ErrLocked: somebody else is changing the cluster. The error says who, since when and what.
var ErrLocked = errors.New("somebody else is changing the cluster")

type locking int

const (
	lockEtcd locking = iota
	lockHosts
)

func (c *Cluster) lock(ctx context.Context, purpose, holder string, how locking) (held context.Context, unlock func() error, err error) {
	return ctx, func() error { return nil }, nil
}
