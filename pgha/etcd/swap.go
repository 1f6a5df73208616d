package etcd

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Value returns the value of a key and the revision that it was written at; "" and 0 where it is
// not there. Changes nothing. The error matches ErrUnhealthy when no member answers.
func Value(ctx context.Context, o Options, key string) (value string, revision int64, err error) {
	err = o.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Get(ctx, key)
		if err != nil {
			return err
		}
		value, revision = "", 0
		for _, kv := range r.Kvs {
			value, revision = string(kv.Value), kv.ModRevision
		}
		return nil
	})
	if err != nil {
		return "", 0, fmt.Errorf("read %s of etcd: %w", key, err)
	}
	return value, revision, nil
}

// Swap writes Key if it is as it was when it was read.
type Swap struct {
	// Key gets Value, which must be another one each time, if it was written last at Revision; 0
	// stands for a key that is not there.
	Key, Value string
	Revision   int64
	// Also are other keys that are written together with it. All of it has to fit into one request,
	// of which etcd takes 1.5 MiB.
	Also map[string]string
	// Remove are ranges of keys that are removed together with it: from the first, included, to
	// the second. None may be among those that are written.
	Remove [][2]string
}

// Try makes the exchange, whole or not at all, and tells whether it was made: false when somebody
// else has written the key meanwhile. Safe to repeat with the same Value. The error matches
// ErrUnhealthy when no member can, and ErrNoSpace when etcd takes no writes.
func (s Swap) Try(ctx context.Context, o Options) (done bool, err error) {
	then := []clientv3.Op{clientv3.OpPut(s.Key, s.Value)}
	for key, value := range s.Also {
		then = append(then, clientv3.OpPut(key, value))
	}
	for _, r := range s.Remove {
		then = append(then, clientv3.OpDelete(r[0], clientv3.WithRange(r[1])))
	}
	err = o.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(s.Key), "=", s.Revision)).
			Then(then...).
			Else(clientv3.OpGet(s.Key)).
			Commit()
		if err != nil {
			return err
		}
		if done = r.Succeeded; !done {
			// A member before this one may have done it without telling.
			for _, kv := range r.Responses[0].GetResponseRange().Kvs {
				done = string(kv.Value) == s.Value
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("write %s to etcd: %w", s.Key, err)
	}
	return done, nil
}
