package drill

import (
	"context"
	"fmt"
	"strings"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/layout"
)

func switchover(ctx context.Context, s *experiment) error {
	s.begin([]string{s.leader}, "switchover from %s begun", s.leader)
	_, err := s.cluster.Switchover(ctx, pgha.SwitchoverOptions{})
	return err
}

func killPostgres(ctx context.Context, s *experiment) error {
	s.begin([]string{s.leader}, "postmaster of %s killed", s.leader)
	return s.run(ctx, s.leader, `kill -KILL "$(head -n 1 "$1/postmaster.pid")"`,
		s.cluster.Spec.PostgreSQL.DataDir)
}

func killPatroni(ctx context.Context, s *experiment) error {
	s.begin([]string{s.leader}, "Patroni of %s killed", s.leader)
	return s.run(ctx, s.leader, "systemctl kill --signal=KILL --kill-whom=main patroni")
}

func freezePatroni(ctx context.Context, s *experiment) error {
	s.begin([]string{s.leader}, "Patroni of %s frozen", s.leader)
	return s.breakOn(ctx, freeze("patroni"), s.leader)
}

func stopPatroni(ctx context.Context, s *experiment) error {
	s.begin([]string{s.leader}, "Patroni of %s stopped", s.leader)
	return s.breakOn(ctx, endUnit("patroni"), s.leader)
}

func leaderPower(ctx context.Context, s *experiment) error {
	also := ""
	if s.etcdLeader == s.leader {
		also = ", which leads etcd, too,"
	}
	s.begin([]string{s.leader}, "power of %s%s cut", s.leader, also)
	return s.powerOff(ctx, s.leader)
}

// etcdToLeader makes the leader's host lead etcd as well.
func etcdToLeader(ctx context.Context, s *experiment) error {
	if err := s.cluster.MoveEtcdLeader(ctx, s.leader); err != nil {
		return err
	}
	s.etcdLeader = s.leader
	return nil
}

func partition(ctx context.Context, s *experiment) error {
	s.begin([]string{s.leader}, "%s cut from the other databases", s.leader)
	return s.breakOn(ctx, cutFrom(s.others(s.leader)), s.leader)
}

func loseReplica(ctx context.Context, s *experiment) error {
	if len(s.replicas) == 0 {
		return fmt.Errorf("%w: there is no replica to lose", pgha.ErrRefused)
	}
	replica := s.replicas[0]
	for _, r := range s.replicas { // one that leads etcd would make it a scenario of its own
		if r != s.etcdLeader {
			replica = r
		}
	}
	if s.lab != nil {
		s.begin([]string{replica}, "power of replica %s cut", replica)
		return s.powerOff(ctx, replica)
	}
	s.begin([]string{replica}, "Patroni and PostgreSQL of replica %s killed", replica)
	return s.breakOn(ctx, stopUnit("patroni"), replica)
}

func loseReplicas(ctx context.Context, s *experiment) error {
	s.begin(s.replicas, "Patroni and PostgreSQL of %s killed", and(s.replicas))
	return s.breakOn(ctx, stopUnit("patroni"), s.replicas...)
}

func loseEtcdLeader(ctx context.Context, s *experiment) error {
	s.begin([]string{s.etcdLeader}, "etcd of %s, which led etcd, killed", s.etcdLeader)
	return s.breakOn(ctx, stopUnit("etcd"), s.etcdLeader)
}

func loseQuorum(ctx context.Context, s *experiment) error {
	var lost []string
	for _, h := range s.voters() {
		if h != s.leader && len(lost) < len(s.voters())-1 {
			lost = append(lost, h)
		}
	}
	s.begin(lost, "etcd of %s killed", and(lost))
	return s.breakOn(ctx, stopUnit("etcd"), lost...)
}

func balancerPower(ctx context.Context, s *experiment) error {
	s.begin([]string{s.holder}, "power of %s, which carried the address, cut", s.holder)
	return s.powerOff(ctx, s.holder)
}

func killHAProxy(ctx context.Context, s *experiment) error {
	s.begin([]string{s.holder}, "HAProxy of %s killed", s.holder)
	return s.run(ctx, s.holder, "systemctl kill --signal=KILL haproxy")
}

func killPooler(ctx context.Context, s *experiment) error {
	s.begin([]string{s.holder}, "poolers of %s killed", s.holder)
	return s.run(ctx, s.holder, "systemctl kill --signal=KILL "+layout.PoolerWriteUnit+" "+
		layout.PoolerReadUnit)
}

func freezePooler(ctx context.Context, s *experiment) error {
	s.begin([]string{s.holder}, "pooler for writes of %s frozen", s.holder)
	return s.breakOn(ctx, freeze(strings.TrimSuffix(layout.PoolerWriteUnit, ".service")), s.holder)
}

func stopKeepalived(ctx context.Context, s *experiment) error {
	s.begin([]string{s.holder}, "keepalived of %s stopped", s.holder)
	return s.breakOn(ctx, endUnit("keepalived"), s.holder)
}

func blockVRRP(ctx context.Context, s *experiment) error {
	s.begin([]string{s.holder}, "VRRP of %s blocked", s.holder)
	return s.breakOn(ctx, noVRRP(), s.holder)
}

func slowNetwork(ctx context.Context, s *experiment) error {
	hosts := s.members()
	delayed := ""
	// Not every kernel has netem; the packet filter is everywhere.
	if s.run(ctx, s.leader,
		"tc qdisc add dev lo root netem delay 0ms && tc qdisc del dev lo root") == nil {
		delayed = " and the others delayed by 50 ms"
	}
	s.begin(hosts, "5 %% of the packets between %s lost%s", and(hosts), delayed)
	for _, h := range hosts {
		if err := s.breakOn(ctx, slowTo(s.others(h)), h); err != nil {
			return err
		}
	}
	return nil
}
