package drill

import (
	"context"
	_ "embed"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
)

// forgetEtcd kills a host's etcd and removes what it knew.
//
//go:embed faults/forget_etcd.sh
var forgetEtcd string

// loseEtcd takes the data of all etcd members away. No host's timer can give that back: an apply
// does, also after a drill that was killed.
func loseEtcd(ctx context.Context, s *experiment) error {
	hosts := s.voters()
	s.begin(hosts, "etcd of %s killed, and its data removed", and(hosts))
	s.faults = append(s.faults, func(ctx context.Context) error {
		_, err := s.cluster.Apply(ctx, pgha.ApplyOptions{Observer: func(e pgha.Event) {
			if e.Kind == pgha.Warning {
				s.say(e.Message)
			}
		}})
		return err
	})
	var targets []*remote.Target
	for _, name := range hosts {
		t, err := s.cluster.Target(name)
		if err != nil {
			return err
		}
		targets = append(targets, t)
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		return onHost(ctx, t, forgetEtcd, s.cluster.Spec.Etcd.DataDir)
	})
}
