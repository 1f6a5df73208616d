package etcd

import (
	"context"
	"errors"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Store is what one member says of the whole: who belongs to it, and what is in it.
type Store struct {
	// Version of the member that was asked.
	Version string
	Members []StoreMember
	// Alarms are those that are raised.
	Alarms []Alarm
	// Values are those below the prefix, by the rest of their keys.
	Values map[string]string
}

// StoreMember is a member as the cluster knows it.
type StoreMember struct {
	// Name is "" until the member has started for the first time.
	Name     string
	PeerURLs []string
	// Learner is a member that does not vote yet.
	Learner bool
}

// ReadStore asks one member after the other, each for at most 4 s, until one tells its members and,
// with a quorum, the values of all keys that begin with prefix. Changes nothing. The error, of the
// member that was asked last, says why none did; before there is an etcd that is a refused
// connection.
func ReadStore(ctx context.Context, o Options, prefix string) (Store, error) {
	o = o.withDefaults()
	err := errors.New("etcd has no members")
	for _, m := range o.Members {
		var s Store
		if err = o.ask(ctx, m, func(ctx context.Context, c *clientv3.Client) (err error) {
			s, err = o.readStore(ctx, c, m, prefix)
			return err
		}); err == nil || ctx.Err() != nil {
			return s, err
		}
	}
	return Store{}, err
}

func (o Options) readStore(ctx context.Context, c *clientv3.Client, m Member,
	prefix string) (Store, error) {
	status, err := c.Status(ctx, o.clientURL(m))
	if err != nil {
		return Store{}, err
	}
	s := Store{Version: status.Version, Values: map[string]string{}}
	list, err := c.MemberList(ctx)
	if err != nil {
		return Store{}, err
	}
	for _, known := range list.Members {
		s.Members = append(s.Members, StoreMember{Name: known.Name, PeerURLs: known.PeerURLs,
			Learner: known.IsLearner})
	}
	s.Alarms = alarms(status.Errors, list.Members)
	found, err := c.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return Store{}, err
	}
	for _, kv := range found.Kvs {
		s.Values[strings.TrimPrefix(string(kv.Key), prefix)] = string(kv.Value)
	}
	return s, nil
}
