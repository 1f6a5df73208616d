package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// Remove takes the member of that name out of the cluster, and returns once the others are healthy
// without it. Whether it runs does not matter; one that runs ends by itself, and its data is worth
// nothing any more: it joins again only without it. The others vote on the removal, so a majority
// of all has to be there.
//
// One that is no member any more is left alone, so it is safe to repeat. The error matches
// ErrUnhealthy when no other member can do it, errs.ErrNotFound when the options name no such
// member. On planning targets it is reported and nothing happens.
func Remove(ctx context.Context, o Options, name string) error {
	o = o.withDefaults()
	at := slices.IndexFunc(o.Members, func(m Member) bool { return m.Name == name })
	if at < 0 {
		return errs.WithKind(fmt.Errorf("etcd has no member %q", name), errs.NotFound)
	}
	m := o.Members[at]
	others := o
	others.Members = slices.Delete(slices.Clone(o.Members), at, at+1)
	start, removed := time.Now(), o.planning()
	if !removed {
		var err error
		if removed, err = others.voteOut(ctx, m); err != nil {
			return fmt.Errorf("remove etcd member %s: %w", name, err)
		}
	}
	if removed {
		report := m.Target.OnChange
		if report == nil && len(others.Members) > 0 {
			report = others.Members[0].Target.OnChange
		}
		if report != nil {
			report(remote.Change{Host: m.Target.Name, Kind: memberKind, Name: name,
				Action: "removed", Planned: o.planning(), Duration: time.Since(start)})
		}
	}
	if o.planning() {
		return nil
	}
	// Those that were away before are not waited for.
	return others.await(ctx, "etcd to be healthy without "+name, func(ctx context.Context) error {
		health, err := Health(ctx, others)
		if err != nil {
			return err
		}
		voters, err := voters(ctx, others)
		if err != nil {
			return err
		}
		healthy := 0
		for i, m := range others.Members {
			if health[i].Healthy && slices.Contains(voters, others.peerURL(m)) {
				healthy++
			}
		}
		if 2*healthy <= len(voters) {
			return errors.Join(ErrUnhealthy, fmt.Errorf("%d of %d members are healthy", healthy,
				len(voters)))
		}
		return nil
	})
}

// voters are the peer URLs of the members that etcd counts. The options may name others: hosts that
// have yet to join.
func voters(ctx context.Context, o Options) (urls []string, err error) {
	err = o.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
		list, err := c.MemberList(ctx)
		if err != nil {
			return err
		}
		urls = nil
		for _, m := range list.Members {
			if !m.IsLearner && len(m.PeerURLs) > 0 {
				urls = append(urls, m.PeerURLs[0])
			}
		}
		return nil
	})
	return urls, err
}

// voteOut has the members vote on the removal of another one, and tells whether it was one. etcd
// refuses while those that stay have not been connected for five seconds: then it is asked again.
func (o Options) voteOut(ctx context.Context, m Member) (removed bool, err error) {
	err = o.await(ctx, "etcd to let member "+m.Name+" go", func(ctx context.Context) error {
		early := false
		err := o.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
			list, err := c.MemberList(ctx)
			if err != nil {
				return err
			}
			for _, known := range list.Members {
				if !slices.Contains(known.PeerURLs, o.peerURL(m)) {
					continue
				}
				_, err := c.MemberRemove(ctx, known.ID)
				early = errors.Is(err, rpctypes.ErrUnhealthy)
				removed = removed || err == nil
				return err
			}
			return nil
		})
		if early {
			return err
		}
		return poll.Stop(err)
	})
	return removed, err
}
