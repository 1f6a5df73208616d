package etcd

import (
	"context"
	"fmt"
	"strconv"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Identity returns the identifier of the cluster that the members form, in hexadecimal as etcdctl
// shows it, and the value of a key, "" where that is not there: what a quorum agrees on, or without
// quorum what one member knows by itself, which may be late and needs no other. etcd makes the
// identifier of the members and the token that a cluster begins with, and keeps it while members
// come and go; one that is formed again, also from a snapshot, with the same members and token has
// the same. Changes nothing. The error matches ErrUnhealthy when no member answers, each within 4
// s.
func Identity(ctx context.Context, o Options, key string, quorum bool) (cluster, value string,
	err error) {
	var how []clientv3.OpOption
	if !quorum {
		how = append(how, clientv3.WithSerializable())
	}
	err = o.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Get(ctx, key, how...)
		if err != nil {
			return err
		}
		cluster, value = strconv.FormatUint(r.Header.ClusterId, 16), ""
		for _, kv := range r.Kvs {
			value = string(kv.Value)
		}
		return nil
	})
	if err != nil {
		return "", "", fmt.Errorf("ask etcd who it is: %w", err)
	}
	return cluster, value, nil
}
