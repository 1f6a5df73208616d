package power

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/operate"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
	"github.com/pgha/toolkit/pgha/vip"
)

// StopOptions say what Stop stops. The zero value stops the whole cluster.
type StopOptions struct {
	engine.Operation
	// Hosts by their own or their members' names; none means all.
	Hosts []string
	// Force stops although etcd loses its quorum, the database its last member or the address its
	// last balancer, although a host cannot be reached and continues by itself, and although
	// transactions or a base backup are cut short.
	Force bool
}

// StopResult is what Stop did.
type StopResult struct {
	// Hosts on which nothing of the cluster runs any more, in the spec's order.
	Hosts []string `json:"hosts"`
	// LastPrimary is the member that stopped last when the whole cluster was stopped: it has every
	// transaction, and Start starts it first.
	LastPrimary string `json:"last_primary,omitempty"`
	// NewLeader is the member that leads in place of one that was stopped.
	NewLeader string          `json:"new_leader,omitempty"`
	Elapsed   patroni.Elapsed `json:"seconds"`
}

// Stop stops the cluster's services on all hosts or on some. It does not disable them: a reboot
// starts them again, as Start does. What is stopped already is left alone, so Stop is safe to
// repeat and finishes what was interrupted.
//
// The whole cluster is stopped from the outside in. First the keepaliveds that do not hold the
// address, so that it does not wander; then HAProxy everywhere, so that applications see their
// connections end, and refused at once, while the address is still there; then the address. With
// nobody writing any more, the replicas stop, then the primary: it writes its shutdown checkpoint
// and nobody is there to be promoted in the meantime. Its control file must say "shut down". etcd
// comes last, for Patroni needs it to stop in order.
//
// Some hosts are stopped only if the rest can go on: etcd keeps its quorum, a healthy member
// remains, and a balancer does, counting what is down already; else the error matches ErrRefused.
// Leaderships are moved away first: the address, the database's by a switchover, then etcd's. A
// paused cluster is refused (patroni.ErrPaused): Patroni would leave PostgreSQL running when it
// stops.
func Stop(ctx context.Context, c *site.Site, opts StopOptions) (StopResult, error) {
	var result StopResult
	hosts, err := c.Chosen(opts.Hosts)
	if err != nil {
		return result, err
	}
	start := time.Now()
	err = engine.Operate(ctx, c, "stop", opts.Operation, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			status, err := status.Look(ctx, run.Site)
			if err != nil {
				return err
			}
			looks, err := hostlook.Hosts(ctx, run, run.Spec.Hosts)
			if err != nil {
				return err
			}
			if err := refuseStop(run.Spec, status, looks, hosts, opts.Force); err != nil {
				return err
			}
			result.Hosts = site.HostNames(slices.DeleteFunc(slices.Clone(hosts),
				func(h spec.Host) bool { return looks[h.Name].Err != nil }))
			hosts = slices.DeleteFunc(hosts, func(h spec.Host) bool {
				return looks[h.Name].Err != nil
			})
			if len(site.Without(run.Spec.Hosts, hosts)) == 0 || len(opts.Hosts) == 0 {
				result.LastPrimary, err = stopAll(ctx, run, status, looks, hosts, opts.Force)
				return err
			}
			result.NewLeader, err = stopSome(ctx, run, status, looks, hosts, opts.Force)
			return err
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// stopAll stops everything that can be reached.
func stopAll(ctx context.Context, r *job.Job, s status.Status, looks map[string]hostlook.Look,
	hosts []spec.Host, force bool) (lastPrimary string, err error) {
	databases, leader := site.Only(r.Spec, spec.RoleDatabase, hosts), s.Leader()
	if leader == "" {
		// Nobody leads, but a primary that lost its lock may still run, or one have stopped last
		// time.
		if h, err := r.Spec.Host(hostlook.MostAdvanced(databases, looks)); err == nil {
			leader = h.Member
		}
	} else if looks[r.HostNameOf(leader)].Server {
		if err := refuseObstaclesIfKnown(ctx, r, force); err != nil {
			return "", err
		}
		if err := operate.Checkpoint(ctx, r, leader); err != nil {
			r.Warn("", err.Error()) // without it the stop takes longer, and is no less safe
		}
	}
	if err := stopBalancers(ctx, r, s, site.Only(r.Spec, spec.RoleBalancer, hosts)); err != nil {
		return leader, err
	}
	if err := stopInOrder(ctx, r, databases, leader, looks, stopMembers); err != nil {
		return leader, err
	}
	return leader, stopUnit(ctx, r, site.Only(r.Spec, spec.RoleEtcd, hosts), etcd.Unit)
}

// stopInOrder stops the replicas, then the leader, so that nobody is promoted in between, and makes
// sure that the leader ended well if it ran.
func stopInOrder(ctx context.Context, r *job.Job, databases []spec.Host, leader string,
	looks map[string]hostlook.Look,
	stop func(context.Context, *job.Job, []spec.Host) error) error {
	replicas := slices.DeleteFunc(slices.Clone(databases),
		func(h spec.Host) bool { return h.Member == leader })
	if err := stop(ctx, r, replicas); err != nil {
		return err
	}
	primary := site.Without(databases, replicas)
	if err := stop(ctx, r, primary); err != nil {
		return err
	}
	return checkShutDown(ctx, r, slices.DeleteFunc(primary,
		func(h spec.Host) bool { return !looks[h.Name].Server }))
}

// refuseObstaclesIfKnown is refuseObstacles for a cluster that may be too ill to be asked.
func refuseObstaclesIfKnown(ctx context.Context, r *job.Job, force bool) error {
	err := operate.RefuseObstacles(ctx, r, force)
	if err != nil && errs.KindOf(err) != errs.Refused && ctx.Err() == nil {
		r.Warn("", err.Error())
		return nil
	}
	return err
}

// stopBalancers stops all of them: the address's holder keeps it until every HAProxy has stopped.
func stopBalancers(ctx context.Context, r *job.Job, s status.Status, balancers []spec.Host) error {
	if r.Spec.VIP == nil {
		return stopUnit(ctx, r, balancers, lb.Unit)
	}
	holders := slices.DeleteFunc(slices.Clone(balancers),
		func(h spec.Host) bool { return s.VIP == nil || !slices.Contains(s.VIP.Holders, h.Name) })
	if err := stopUnit(ctx, r, site.Without(balancers, holders), vip.Unit); err != nil {
		return err
	}
	if err := stopUnit(ctx, r, balancers, lb.Unit); err != nil {
		return err
	}
	return stopUnit(ctx, r, holders, vip.Unit)
}

// stopReplicas is stopMembers for replicas that others serve in place of: the readers of the
// poolers are held until no balancer sends anybody there.
func stopReplicas(ctx context.Context, r *job.Job, databases []spec.Host) error {
	var members []string
	for _, h := range databases {
		members = append(members, h.Member)
	}
	back, err := operate.HoldReaders(ctx, r, members)
	if err != nil {
		return err
	}
	defer back()
	return stopMembers(ctx, r, databases)
}

// stopMembers stops Patroni, and PostgreSQL with it.
func stopMembers(ctx context.Context, r *job.Job, databases []spec.Host) error {
	if err := stopUnit(ctx, r, databases, patroni.Unit); err != nil || len(databases) == 0 {
		return err
	}
	what := "PostgreSQL to stop on " + strings.Join(site.HostNames(databases), ", ")
	return r.Until(ctx, job.MoveWait, what,
		errs.Text(
			"Patroni has stopped without PostgreSQL: see `journalctl -u patroni -n 50` there"),
		func(ctx context.Context) string {
			looks, err := hostlook.Hosts(ctx, r, databases)
			if err != nil {
				return err.Error()
			}
			for _, h := range databases {
				switch l := looks[h.Name]; {
				case l.Err != nil:
					return l.Err.Error()
				case l.Server:
					return h.Name + " is " + l.Control.State
				}
			}
			return ""
		})
}

// checkShutDown makes sure that the primary ended in order: then whatever was committed is in its
// data directory, and a start needs no recovery.
func checkShutDown(ctx context.Context, r *job.Job, primary []spec.Host) error {
	if r.Planning() || len(primary) == 0 {
		return nil
	}
	looks, err := hostlook.Hosts(ctx, r, primary)
	if err != nil {
		return err
	}
	for _, h := range primary {
		if d := looks[h.Name].Control; d.Identifier != "" && d.State != "shut down" &&
			d.State != "shut down in recovery" {
			return remote.WithHint(fmt.Errorf("PostgreSQL on %s did not shut down in order: its "+
				"control file says %q",
				h.Name, d.State),
				"nothing is lost, it recovers when it starts; see `journalctl -u patroni -n 50` "+
					"there; etcd still runs")
		}
	}
	return nil
}

// stopSome stops hosts while the others go on.
func stopSome(ctx context.Context, r *job.Job, s status.Status, looks map[string]hostlook.Look,
	hosts []spec.Host, force bool) (newLeader string, err error) {
	balancers, databases, etcds := site.Only(r.Spec, spec.RoleBalancer, hosts),
		site.Only(r.Spec, spec.RoleDatabase, hosts), site.Only(r.Spec, spec.RoleEtcd, hosts)
	working := slices.DeleteFunc(r.Spec.Balancers(),
		func(h spec.Host) bool { return !s.Balances(h.Name) })
	for _, h := range holderLast(balancers, s) {
		working = site.Without(working, []spec.Host{h})
		if err := moveAddress(ctx, r, h, working); err != nil {
			return "", err
		}
		if err := stopUnit(ctx, r, []spec.Host{h}, lb.Unit); err != nil {
			return "", err
		}
	}
	if len(databases)+len(etcds) == 0 {
		return "", nil
	}
	leader := s.Leader()
	if leader != "" && site.Among(databases, leader) {
		if err := refuseObstaclesIfKnown(ctx, r, force); err != nil {
			return "", err
		}
		newLeader, err = giveUpLeadership(ctx, r, s, databases, nil)
		switch {
		case err != nil && (!force || errs.KindOf(err) != errs.Refused):
			return "", err
		case err != nil:
			r.Warn("", "nobody takes over: "+err.Error())
			newLeader = ""
		}
	}
	if err := moveEtcdOff(ctx, r, etcds, newLeader); err != nil {
		return newLeader, err
	}
	if err := stopInOrder(ctx, r, databases, leader, looks, stopReplicas); err != nil {
		return newLeader, err
	}
	return newLeader, stopUnit(ctx, r, etcds, etcd.Unit)
}

// holderLast puts the balancer that holds the address behind the others.
func holderLast(balancers []spec.Host, s status.Status) []spec.Host {
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
