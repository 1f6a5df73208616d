package operate

import (
	"context"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/vip"
)

// MoveAddressOptions name the balancer that gets the virtual IP.
type MoveAddressOptions struct {
	engine.Operation
	// To is the name of a balancer's host. No default.
	To string
}

// MoveAddressResult is what MoveAddress did.
type MoveAddressResult struct {
	vip.MoveResult
	// Elapsed is the whole time.
	Elapsed patroni.Elapsed `json:"seconds"`
}

// MoveAddress gives the virtual IP to a balancer and returns when it alone holds it, as vip.Move
// does: sessions through the former holder are cut. A cluster without a virtual IP is refused
// (ErrRefused).
func MoveAddress(ctx context.Context, c *site.Site,
	opts MoveAddressOptions) (MoveAddressResult, error) {
	var result MoveAddressResult
	start := time.Now()
	err := engine.Operate(ctx, c, "vip move", opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			o, ok, err := engine.AddressOptions(run)
			if err != nil {
				return err
			}
			if !ok {
				return fmt.Errorf("%w: the specification has no virtual IP", errs.ErrRefused)
			}
			result.MoveResult, err = vip.Move(ctx, o, opts.To)
			return err
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}
