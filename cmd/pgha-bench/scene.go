package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/patroni"
)

// healthyWithin is how long a cluster may take to heal.
const healthyWithin = 3 * time.Minute

// scene is who does what in a healthy cluster: names of hosts.
type scene struct{ leader, etcdLeader, balancer string }

// awaitHealthy waits until everything is as it should be. Each look has connections of its own:
// hosts have come and gone.
func (b *bench) awaitHealthy(ctx context.Context) (scene, error) {
	ctx, cancel := context.WithTimeout(ctx, healthyWithin)
	defer cancel()
	var status pgha.Status
	err := connected(ctx, b.lab, b.spec, pgha.ConnectOptions{ReadOnly: true},
		func(c *pgha.Cluster) (err error) {
			status, err = c.AwaitHealthy(ctx)
			return err
		})
	if err != nil {
		return scene{}, err
	}
	var s scene
	for _, m := range status.Members {
		if m.Role == string(patroni.RoleLeader) {
			s.leader = m.Host
		}
	}
	for _, e := range status.Etcd {
		if h, err := b.spec.Host(e.Name); err == nil && e.Leader {
			s.etcdLeader = h.Name
		}
	}
	if status.VIP != nil && len(status.VIP.Holders) == 1 {
		s.balancer = status.VIP.Holders[0]
	}
	if s.leader == "" || s.etcdLeader == "" || s.balancer == "" {
		return s, fmt.Errorf("the healthy cluster lacks a leader, etcd's leader or a holder of "+
			"the address: %+v", s)
	}
	return s, nil
}

// calmScene waits until nobody has changed places for a while: after a host came back, the address
// and etcd's leadership may still move. The while ends at a random moment of Patroni's loop.
func (b *bench) calmScene(ctx context.Context) (scene, error) {
	ctx, cancel := context.WithTimeout(ctx, healthyWithin)
	defer cancel()
	s, err := b.awaitHealthy(ctx)
	for err == nil {
		if err := poll.Pause(ctx, 2*time.Second+rand.N(b.spec.Patroni.LoopWait)); err != nil {
			return s, fmt.Errorf("wait until nobody changes places: %w", err)
		}
		before := s
		if s, err = b.awaitHealthy(ctx); s == before {
			break
		}
	}
	return s, err
}

// moveEtcd moves etcd's leadership to the host of the cluster's leader.
func (b *bench) moveEtcd(ctx context.Context, s *scene) error {
	if s.etcdLeader == s.leader {
		return nil
	}
	to, err := b.spec.Host(s.leader)
	if err != nil {
		return err
	}
	from, err := b.spec.Host(s.etcdLeader)
	if err != nil {
		return err
	}
	const script = `ctl() { etcdctl --cacert /etc/patroni/certs/etcd-ca.crt --cert /etc/patroni/certs/etcd-client.crt \
		--key /etc/patroni/certs/etcd-client.key --endpoints "https://$1:$2" "${@:3}"; }
		set -o pipefail
		id=$(ctl "$2" "$4" member list | awk -F ', ' -v name="$1" '$3 == name { print $1 }') && ctl "$3" "$4" move-leader "$id"`
	err = b.inHost(ctx, s.leader, script, to.Member, to.Address, from.Address,
		fmt.Sprint(b.spec.Etcd.ClientPort))
	if err != nil {
		return fmt.Errorf("move etcd's leadership: %w", err)
	}
	s.etcdLeader = s.leader
	return nil
}

// inHost runs a script of bash in a host; its arguments are $1 and so on.
func (b *bench) inHost(ctx context.Context, host, script string, args ...string) error {
	var out strings.Builder
	argv := slices.Concat([]string{"bash", "-c", script, "bash"}, args)
	code, err := b.lab.Exec(ctx, host, argv, lab.Stdio{Out: &out, Err: &out})
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d: %s", code, strings.TrimSpace(out.String()))
	}
	if err != nil {
		return fmt.Errorf("%s on %s: %w", strings.Fields(script)[0], host, err)
	}
	return nil
}
