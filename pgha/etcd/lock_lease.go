package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/internal/process"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// lock is a key that lives as long as a lease does. One goroutine at a time works on it.
//
// Each step is a question of its own to one member after the other. A client that has all of them
// as endpoints would keep its stream to a member whose host has lost its power until the connection
// is found out to be dead, which is later than the lease ends.
type lock struct {
	Options
	key, value string
	ttl        time.Duration
	lease      clientv3.LeaseID // 0 until granted
	renewed    time.Time        // the lease lives for ttl from here on at least
	turn       int              // counts up when a member does not answer
}

// askAny calls f with one member after the other until one answers, that is until f returns nil. It
// begins with the one that answered last.
func (l *lock) askAny(ctx context.Context, f func(context.Context, *clientv3.Client) error) error {
	var failed []error
	for range l.Members {
		m := l.Members[l.turn%len(l.Members)]
		err := l.ask(ctx, m, f)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, rpctypes.ErrNoSpace): // each member would say so
			return noSpace()
		case errors.Is(err, context.DeadlineExceeded):
			err = remote.OnHost(m.Target.Name, fmt.Errorf("etcd gave no answer in %v", callTimeout))
		}
		failed = append(failed, err)
		l.turn++
	}
	return remote.WithHint(fmt.Errorf("%w: %w", ErrUnhealthy, errs.Join(failed...)),
		"etcd works while more than half of its members do: see `systemctl status etcd` on "+
			"their hosts")
}

// take makes the lock ours, or says whose it is. What was begun and not finished is taken back.
func (l *lock) take(ctx context.Context) error {
	var taken *LockedError
	err := l.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
		if err := l.grant(ctx, c); err != nil {
			return err
		}
		var err error
		taken, err = l.put(ctx, c)
		return err
	})
	if err == nil && taken == nil {
		return nil
	}
	if l.lease != 0 {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		_ = l.release(bounded) // else it ends by itself
	}
	if taken != nil {
		return taken
	}
	return fmt.Errorf("take lock %s: %w", l.key, err)
}

// put writes the key unless somebody has done so; a process that is known to have ended is nobody.
func (l *lock) put(ctx context.Context, c *clientv3.Client) (*LockedError, error) {
	for as := int64(0); ; {
		r, err := c.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(l.key), "=", as)). // 0: there is none
			Then(clientv3.OpPut(l.key, l.value, clientv3.WithLease(l.lease))).
			Else(clientv3.OpGet(l.key)).
			Commit()
		if err != nil || r.Succeeded {
			return nil, err
		}
		as = 0
		for _, kv := range r.Responses[0].GetResponseRange().Kvs {
			holder := holderIn(kv.Value)
			switch {
			case clientv3.LeaseID(kv.Lease) == l.lease:
				return nil, nil // a member before this one has done it without telling
			case !process.Gone(holder.Process):
				return refusal(holder), nil
			}
			as = kv.ModRevision
		}
	}
}

// grant gets the lease, unless a member before has given one.
func (l *lock) grant(ctx context.Context, c *clientv3.Client) error {
	if l.lease != 0 {
		return nil
	}
	began := time.Now()
	r, err := c.Grant(ctx, int64(l.ttl/time.Second))
	if err != nil {
		return err
	}
	// etcd gives more than asked for if its election time-out is long.
	l.lease, l.ttl, l.renewed = r.ID, time.Duration(r.TTL)*time.Second, began
	return nil
}

// keep renews the lock until ctx ends (nil) or the lock is lost (ErrLockLost).
func (l *lock) keep(ctx context.Context) error {
	for poll.Pause(ctx, l.ttl/15) == nil {
		if err := l.renew(ctx); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrLockLost, l.key, err)
		}
	}
	return nil
}

// renew returns why the lock is lost. That nobody answers is no reason before the lease may have
// ended.
func (l *lock) renew(ctx context.Context) error {
	bounded, cancel := context.WithDeadline(ctx, l.renewed.Add(l.ttl))
	defer cancel()
	var lost error
	err := l.askAny(bounded, func(ctx context.Context, c *clientv3.Client) error {
		began := time.Now()
		// The look comes first: it fails at once where there is no connection, while KeepAliveOnce
		// tries until its time is over.
		r, err := c.Get(ctx, l.key)
		switch {
		case err != nil:
			return err
		case len(r.Kvs) == 0:
			lost = errors.New("it is gone from etcd")
			return nil
		case clientv3.LeaseID(r.Kvs[0].Lease) != l.lease:
			lost = fmt.Errorf("held by %v", holderIn(r.Kvs[0].Value))
			return nil
		}
		_, err = c.KeepAliveOnce(ctx, l.lease)
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			lost = errors.New("its lease has ended")
			return nil
		}
		if err == nil {
			l.renewed = began
		}
		return err
	})
	if lost == nil && time.Since(l.renewed) >= l.ttl {
		lost = fmt.Errorf("not renewed for %v: %w", l.ttl, err)
	}
	return lost
}

// release ends the lease and with it the lock.
func (l *lock) release(ctx context.Context) error {
	err := l.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Revoke(ctx, l.lease)
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("release lock %s, which frees itself within %v: %w", l.key, l.ttl, err)
	}
	return nil
}
