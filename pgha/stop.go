package pgha

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// StopOptions say what Stop stops. The zero value stops the whole cluster.
type StopOptions struct {
	Operation
	// Hosts by their own or their members' names; none means all.
	Hosts []string
	// Force stops although etcd loses its quorum, the database its last member or the address its last balancer, although a
	// host cannot be reached and goes on by itself, and although transactions or a base backup are cut short.
	Force bool
}

// StopResult is what Stop did.
type StopResult struct {
	// Hosts on which nothing of the cluster runs any more, in the spec's order.
	Hosts []string `json:"hosts"`
	// LastPrimary is the member that stopped last when the whole cluster was stopped: it has every transaction, and Start
	// starts it first.
	LastPrimary string `json:"last_primary,omitempty"`
	// NewLeader is the member that leads in place of one that was stopped.
	NewLeader string          `json:"new_leader,omitempty"`
	Elapsed   patroni.Elapsed `json:"seconds"`
}

// Stop stops the cluster's services on all hosts or on some. It does not disable them: a reboot starts them again, as
// Start does. What is stopped already is left alone, so Stop is safe to repeat and finishes what was interrupted.
//
// The whole cluster is stopped from the outside in. First the keepaliveds that do not hold the address, so that it does
// not wander; then HAProxy everywhere, so that applications see their connections end, and refused at once, while the
// address is still there; then the address. With nobody writing any more, the replicas stop, then the primary: it writes
// its shutdown checkpoint and nobody is there to be promoted in the meantime. Its control file must say "shut down". etcd
// comes last, for Patroni needs it to stop in order.
//
// Some hosts are stopped only if the rest can go on: etcd keeps its quorum, a healthy member remains, and a balancer does,
// counting what is down already; else the error matches ErrRefused. Leaderships are moved away first: the address, the
// database's by a switchover, then etcd's. A paused cluster is refused (patroni.ErrPaused): Patroni would leave PostgreSQL
// running when it stops.
func (c *Cluster) Stop(ctx context.Context, opts StopOptions) (StopResult, error) {
	var result StopResult
	hosts, err := c.chosen(opts.Hosts)
	if err != nil {
		return result, err
	}
	start := time.Now()
	err = c.operate(ctx, "stop", opts.Operation, lockHosts, func(ctx context.Context, run *job) error {
		status, err := run.Status(ctx)
		if err != nil {
			return err
		}
		looks, err := run.look(ctx, run.Spec.Hosts)
		if err != nil {
			return err
		}
		if err := refuseStop(run.Spec, status, looks, hosts, opts.Force); err != nil {
			return err
		}
		result.Hosts = hostNames(slices.DeleteFunc(slices.Clone(hosts), func(h spec.Host) bool { return looks[h.Name].err != nil }))
		hosts = slices.DeleteFunc(hosts, func(h spec.Host) bool { return looks[h.Name].err != nil })
		if len(without(run.Spec.Hosts, hosts)) == 0 || len(opts.Hosts) == 0 {
			result.LastPrimary, err = run.stopAll(ctx, status, looks, hosts, opts.Force)
			return err
		}
		result.NewLeader, err = run.stopSome(ctx, status, looks, hosts, opts.Force)
		return err
	})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// stopAll stops everything that can be reached.
func (r *job) stopAll(ctx context.Context, s Status, looks map[string]hostLook, hosts []spec.Host, force bool) (lastPrimary string, err error) {
	databases, leader := only(spec.RoleDatabase, hosts), s.leader()
	if leader == "" {
		// Nobody leads, but a primary that lost its lock may still run, or one have stopped last time.
		if h, err := r.Spec.Host(mostAdvanced(databases, looks)); err == nil {
			leader = h.Member
		}
	} else if looks[r.hostNameOf(leader)].server {
		if err := r.refuseObstaclesIfKnown(ctx, force); err != nil {
			return "", err
		}
		if err := r.checkpoint(ctx, leader); err != nil {
			r.Warn("", err.Error()) // without it the stop takes longer, and is no less safe
		}
	}
	if err := r.stopBalancers(ctx, s, only(spec.RoleBalancer, hosts)); err != nil {
		return leader, err
	}
	if err := r.stopInOrder(ctx, databases, leader, looks); err != nil {
		return leader, err
	}
	return leader, r.stopUnit(ctx, databases, etcdUnit)
}

// stopInOrder stops the replicas, then the leader, so that nobody is promoted in between, and makes sure that the leader
// ended well if it ran.
func (r *job) stopInOrder(ctx context.Context, databases []spec.Host, leader string, looks map[string]hostLook) error {
	replicas := slices.DeleteFunc(slices.Clone(databases), func(h spec.Host) bool { return h.Member == leader })
	if err := r.stopMembers(ctx, replicas); err != nil {
		return err
	}
	primary := without(databases, replicas)
	if err := r.stopMembers(ctx, primary); err != nil {
		return err
	}
	return r.checkShutDown(ctx, slices.DeleteFunc(primary, func(h spec.Host) bool { return !looks[h.Name].server }))
}

func (c *Cluster) hostNameOf(member string) string {
	h, err := c.memberHost(member)
	if err != nil {
		return ""
	}
	return h.Name
}

// refuseObstaclesIfKnown is refuseObstacles for a cluster that may be too ill to be asked.
func (r *job) refuseObstaclesIfKnown(ctx context.Context, force bool) error {
	err := r.refuseObstacles(ctx, force)
	if err != nil && !Refused(err) && ctx.Err() == nil {
		r.Warn("", err.Error())
		return nil
	}
	return err
}

// stopBalancers stops all of them: the address's holder keeps it until every HAProxy has stopped.
func (r *job) stopBalancers(ctx context.Context, s Status, balancers []spec.Host) error {
	if r.Spec.VIP == nil {
		return r.stopUnit(ctx, balancers, haproxyUnit)
	}
	holders := slices.DeleteFunc(slices.Clone(balancers), func(h spec.Host) bool { return s.VIP == nil || !slices.Contains(s.VIP.Holders, h.Name) })
	if err := r.stopUnit(ctx, without(balancers, holders), keepalivedUnit); err != nil {
		return err
	}
	if err := r.stopUnit(ctx, balancers, haproxyUnit); err != nil {
		return err
	}
	return r.stopUnit(ctx, holders, keepalivedUnit)
}

// stopMembers stops Patroni, and PostgreSQL with it.
func (r *job) stopMembers(ctx context.Context, databases []spec.Host) error {
	if err := r.stopUnit(ctx, databases, patroniUnit); err != nil || len(databases) == 0 {
		return err
	}
	what := "PostgreSQL to stop on " + strings.Join(hostNames(databases), ", ")
	return r.until(ctx, moveWait, what, "Patroni has stopped without PostgreSQL: see `journalctl -u patroni -n 50` there", func(ctx context.Context) string {
		looks, err := r.look(ctx, databases)
		if err != nil {
			return err.Error()
		}
		for _, h := range databases {
			switch l := looks[h.Name]; {
			case l.err != nil:
				return l.err.Error()
			case l.server:
				return h.Name + " is " + l.control.state
			}
		}
		return ""
	})
}

// checkShutDown makes sure that the primary ended in order: then whatever was committed is in its data directory, and a
// start needs no recovery.
func (r *job) checkShutDown(ctx context.Context, primary []spec.Host) error {
	if r.planning() || len(primary) == 0 {
		return nil
	}
	looks, err := r.look(ctx, primary)
	if err != nil {
		return err
	}
	for _, h := range primary {
		if d := looks[h.Name].control; d.identifier != "" && d.state != "shut down" && d.state != "shut down in recovery" {
			return remote.WithHint(fmt.Errorf("PostgreSQL on %s did not shut down in order: its control file says %q", h.Name, d.state),
				"nothing is lost, it recovers when it starts; see `journalctl -u patroni -n 50` there; etcd still runs")
		}
	}
	return nil
}

// stopSome stops hosts while the others go on.
func (r *job) stopSome(ctx context.Context, s Status, looks map[string]hostLook, hosts []spec.Host, force bool) (newLeader string, err error) {
	balancers, databases := only(spec.RoleBalancer, hosts), only(spec.RoleDatabase, hosts)
	working := slices.DeleteFunc(r.Spec.Balancers(), func(h spec.Host) bool { return !s.balances(h.Name) })
	for _, h := range holderLast(balancers, s) {
		working = without(working, []spec.Host{h})
		if err := r.moveAddress(ctx, h, working); err != nil {
			return "", err
		}
		if err := r.stopUnit(ctx, []spec.Host{h}, haproxyUnit); err != nil {
			return "", err
		}
	}
	if len(databases) == 0 {
		return "", nil
	}
	leader := s.leader()
	if leader != "" && among(databases, leader) {
		if err := r.refuseObstaclesIfKnown(ctx, force); err != nil {
			return "", err
		}
		newLeader, err = r.giveUpLeadership(ctx, s, databases, nil)
		switch {
		case err != nil && (!force || !Refused(err)):
			return "", err
		case err != nil:
			r.Warn("", "nobody takes over: "+err.Error())
			newLeader = ""
		}
	}
	if err := r.moveEtcdOff(ctx, databases, newLeader); err != nil {
		return newLeader, err
	}
	if err := r.stopInOrder(ctx, databases, leader, looks); err != nil {
		return newLeader, err
	}
	return newLeader, r.stopUnit(ctx, databases, etcdUnit)
}

// holderLast puts the balancer that holds the address behind the others.
func holderLast(balancers []spec.Host, s Status) []spec.Host {
	var first, last []spec.Host
	for _, h := range balancers {
		if s.VIP != nil && slices.Contains(s.VIP.Holders, h.Name) {
			last = append(last, h)
		} else {
			first = append(first, h)
		}
	}
	return append(first, last...)
}

// balances tells whether the HAProxy of that host works.
func (s Status) balances(host string) bool {
	return slices.ContainsFunc(s.Balancers, func(b BalancerStatus) bool { return b.Host == host && b.Error == "" })
}
