package etcd

import (
	"context"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Keys returns the keys below a prefix, without it, and their values: what a quorum agrees on, told
// by the first member that answers. Changes nothing. The error matches ErrUnhealthy when none does.
func Keys(ctx context.Context, o Options, prefix string) (map[string]string, error) {
	keys := map[string]string{}
	err := o.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Get(ctx, prefix, clientv3.WithPrefix())
		if err != nil {
			return err
		}
		for _, kv := range r.Kvs {
			keys[strings.TrimPrefix(string(kv.Key), prefix)] = string(kv.Value)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read etcd's keys below %s: %w", prefix, err)
	}
	return keys, nil
}

// Forget removes keys, all at once or none. One that is not there is no error, so it is safe to
// repeat. The error matches ErrUnhealthy when no member answers.
func Forget(ctx context.Context, o Options, keys ...string) error {
	var removals []clientv3.Op
	for _, k := range keys {
		removals = append(removals, clientv3.OpDelete(k))
	}
	err := o.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Txn(ctx).Then(removals...).Commit()
		return err
	})
	if err != nil {
		return fmt.Errorf("remove %s from etcd: %w", strings.Join(keys, ", "), err)
	}
	return nil
}

// askAny calls f with one member after the other until f returns nil.
func (o Options) askAny(ctx context.Context, f func(context.Context,
	*clientv3.Client) error) error {
	l := lock{Options: o.withDefaults()}
	return l.askAny(ctx, f)
}

// Keep writes a key. Safe to repeat. The error matches ErrUnhealthy when no member can, and
// ErrNoSpace when etcd takes no writes.
func Keep(ctx context.Context, o Options, key, value string) error {
	err := o.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Put(ctx, key, value)
		return err
	})
	if err != nil {
		return fmt.Errorf("write %s to etcd: %w", key, err)
	}
	return nil
}

// Names returns the names of the keys below a prefix, without it, in order, and none of their
// values. Changes nothing. The error matches ErrUnhealthy when no member answers.
func Names(ctx context.Context, o Options, prefix string) ([]string, error) {
	var names []string
	err := o.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
		if err != nil {
			return err
		}
		names = nil
		for _, kv := range r.Kvs {
			names = append(names, strings.TrimPrefix(string(kv.Key), prefix))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the names of etcd's keys below %s: %w", prefix, err)
	}
	return names, nil
}
