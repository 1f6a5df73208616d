package lb

import (
	"context"

	"github.com/pgha/toolkit/pgha/remote"
)

var _ = remote.Leave

// Configure doc later
func Configure(ctx context.Context, o Options) error { return ctx.Err() }

// State doc later
func State(ctx context.Context, o Options) ([]BalancerState, error) { return nil, ctx.Err() }
func isUp(s string) bool                                            { return s == "UP" }
