package hosts

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/status"
)

// ErrNoChange: no change is half done.
var ErrNoChange = errs.New(errs.NotFound, "no change is half done")

// Change returns the change that was begun and is not finished; ErrNoChange if there is none.
// Changes nothing. The error matches etcd.ErrUnhealthy where etcd, which has the record, does not
// answer.
func Change(ctx context.Context, c *site.Site) (procedure.Record, error) {
	found, err := status.Change(ctx, c)
	if err == nil && found == nil {
		err = errs.WithNext(ErrNoChange, errs.Text("there is nothing to finish or take back: %s "+
			"tells how the cluster is, %s what was done", errs.Verb("status"),
			errs.Verb("history", "--operations")))
	}
	if err != nil {
		return procedure.Record{}, err
	}
	return *found, nil
}

// keeper writes a record to etcd by way of the members that stay.
func keeper(c *site.Site) (func(context.Context, procedure.Record) error, error) {
	o, err := c.EtcdOptions()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, r procedure.Record) error {
		return etcd.Keep(ctx, o, c.ChangeKey(), r.Text())
	}, nil
}

// forget deletes the record.
func forget(ctx context.Context, c *site.Site) error {
	o, err := c.EtcdOptions()
	if err != nil {
		return err
	}
	return etcd.Forget(ctx, o, c.ChangeKey())
}

// refuseSecond is an error where another change is half done.
func refuseSecond(ctx context.Context, c *site.Site) error {
	r, err := status.Change(ctx, c)
	if err != nil || r == nil {
		return err
	}
	return status.HalfDone(*r)
}

// orderOf reads what a record orders.
func orderOf(r procedure.Record) (order, error) {
	var o order
	if err := json.Unmarshal(r.Order, &o); err != nil {
		return o, fmt.Errorf("read the record of %s %s: %w", r.Verb, r.Subject, err)
	}
	return o, nil
}
