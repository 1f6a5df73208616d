package etcd

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// MemberHealth is what `etcdctl endpoint health` says of a member.
type MemberHealth struct {
	Name, Endpoint string
	Healthy        bool
	// Took is how long a read took that the whole quorum had to agree to.
	Took time.Duration
	// Alarm is what etcd itself has raised, such as "NOSPACE": it takes no writes then. Such a
	// member is not healthy.
	Alarm string
	// Err is why the member is not healthy.
	Err string
}

// Health asks every member at the same time for a read that takes a quorum, each for at most 4 s.
// Members that fail are in the result, which is in the members' order; the error is ctx's.
func Health(ctx context.Context, o Options) ([]MemberHealth, error) {
	o = o.withDefaults()
	health := make([]MemberHealth, len(o.Members))
	err := o.each(ctx, func(ctx context.Context, i int, m Member) error {
		h := MemberHealth{Name: m.Name, Endpoint: o.clientURL(m)}
		start := time.Now()
		err := o.ask(ctx, m, func(ctx context.Context, c *clientv3.Client) error {
			var wg sync.WaitGroup
			defer wg.Wait()
			wg.Go(func() { h.Alarm = alarm(ctx, c, o.clientURL(m)) })
			start = time.Now()
			_, err := c.Get(ctx, "health")
			h.Took = time.Since(start)
			if errors.Is(err, rpctypes.ErrPermissionDenied) {
				return nil // refused by the quorum, which therefore is there
			}
			return err
		})
		switch h.Healthy = err == nil && h.Alarm == ""; {
		case err != nil:
			h.Err = err.Error()
		case !h.Healthy:
			h.Err = "alarm " + h.Alarm + ": etcd takes no writes"
		}
		health[i] = h
		return ctx.Err()
	})
	return health, err
}
