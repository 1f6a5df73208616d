package status

import (
	"context"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// Leaders is who leads at one moment.
type Leaders struct {
	// At is when it was heard, by the clock of this machine.
	At time.Time
	// Member holds Patroni's leader key in etcd; "" while nobody does.
	Member string
	// Etcd is the member that leads etcd; "" while none does, or none answers.
	Etcd string
}

// WatchLeaders calls changed with every change of Patroni's leader key and of etcd's leader, first
// with what is found. It returns when ctx ends, with ctx's error. The key is watched on every
// member at the same time, so that a change is heard at once and the loss of a host loses nothing;
// etcd's leader is asked for four times a second. changed is called by one goroutine at a time and
// must not block. Changes nothing.
func WatchLeaders(ctx context.Context, c *site.Site, changed func(Leaders)) error {
	o, err := c.EtcdOptions()
	if err != nil {
		return err
	}
	key := strings.TrimRight(c.Spec.Patroni.Namespace, "/") + "/" + c.Spec.Cluster + "/leader"
	return etcd.Observe(ctx, o, key, func(s etcd.Observation) {
		changed(Leaders{At: s.At, Member: s.Value, Etcd: s.Leader})
	})
}

// MoveEtcdLeader hands etcd's leadership to the member of that name, or of that host, and returns
// once it leads. Applications notice nothing. See etcd.MoveLeader for its errors.
func MoveEtcdLeader(ctx context.Context, c *site.Site, member string) error {
	if err := c.Writable(); err != nil {
		return err
	}
	name, err := c.Member(member)
	if err != nil {
		return err
	}
	o, err := c.EtcdOptions()
	if err != nil {
		return err
	}
	return etcd.MoveLeader(ctx, o, name)
}
