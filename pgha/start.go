package pgha

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/health"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// StartOptions say what Start starts. The zero value starts the whole cluster.
type StartOptions struct {
	Operation
	// Hosts by their own or their members' names; none means all.
	Hosts []string
	// Force starts although the host with the newest data is not among them, so that what only it has is lost when it comes
	// back later, and although a host cannot be reached.
	Force bool
	// Wait bounds the wait for started members to stream and to get sessions; 0 means five minutes. A replica that was down
	// for long may need more.
	Wait time.Duration
}

// StartResult is what Start did.
type StartResult struct {
	// Hosts on which everything of the cluster runs now, in the spec's order.
	Hosts []string `json:"hosts"`
	// Leader of the database at the end; "" if none of its members runs.
	Leader  string          `json:"leader,omitempty"`
	Elapsed patroni.Elapsed `json:"seconds"`
}

// Start starts the cluster's services on all hosts or on some, and returns once they do their part: members stream and
// balancers send sessions to them, and an application can write through the virtual IP if a balancer is there for it. What
// runs already is left alone, so Start is safe to repeat and finishes what was interrupted.
//
// etcd starts on all the hosts at the same time, for it waits for its quorum; then Patroni, then HAProxy, then keepalived.
// While nobody leads, the member whose data is the newest starts alone and has to lead before the others start: a replica
// that comes up first could else be promoted without the last transactions. ErrRefused if it is not among the hosts, if
// etcd would have no quorum, or if a host has not been set up. After ErrTimeout what was started goes on.
func (c *Cluster) Start(ctx context.Context, opts StartOptions) (StartResult, error) {
	var result StartResult
	hosts, err := c.chosen(opts.Hosts)
	if err != nil {
		return result, err
	}
	if opts.Wait == 0 {
		opts.Wait = startWait
	}
	start := time.Now()
	err = c.operate(ctx, "start", opts.Operation, lockHosts, func(ctx context.Context, run *job) error {
		looks, err := run.look(ctx, run.Spec.Hosts)
		if err != nil {
			return err
		}
		if err := refuseStart(run.Spec, looks, hosts, opts.Force); err != nil {
			return err
		}
		hosts = slices.DeleteFunc(hosts, func(h spec.Host) bool { return looks[h.Name].err != nil })
		result.Hosts = hostNames(hosts)
		if err := run.startDatabases(ctx, looks, only(spec.RoleDatabase, hosts), opts); err != nil {
			return err
		}
		result.Leader, err = run.startBalancers(ctx, looks, hosts, opts.Wait)
		return err
	})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// refuseStart says why these hosts cannot be started now, or not without harm: nil, or an error that matches ErrRefused.
func refuseStart(sp *Spec, looks map[string]hostLook, hosts []spec.Host, force bool) error {
	refuse := func(hint, format string, args ...any) error {
		return remote.WithHint(fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...)), hint)
	}
	for _, h := range hosts {
		l := looks[h.Name]
		if l.err != nil && !force {
			return refuse("bring it back, name the other hosts, or let --force start those that can be reached", "%v", l.err)
		}
		for unit, known := range l.enabled {
			if known == "" || known == "masked" {
				return refuse("pgha-cli apply sets it up", "%s has no %s, or it is masked", h.Name, unit)
			}
		}
	}
	databases := only(spec.RoleDatabase, hosts)
	if len(databases) == 0 {
		return nil
	}
	etcds := len(slices.DeleteFunc(without(sp.Databases(), databases), func(h spec.Host) bool { return looks[h.Name].active[etcdUnit] != "active" }))
	etcds += len(slices.DeleteFunc(slices.Clone(databases), func(h spec.Host) bool { return looks[h.Name].err != nil }))
	if all := len(sp.Databases()); etcds <= all/2 {
		return refuse("start more hosts with it, or all: pgha-cli start", "etcd would have %d of its %d members, and no quorum", etcds, all)
	}
	newest := mostAdvanced(sp.Databases(), looks)
	if newest == "" || force || among(databases, newest) || someMemberRuns(sp, looks) {
		return nil
	}
	return refuse("start it too; --force starts without it, and what only it has is lost when it comes back",
		"%s has the newest data and would not be started", newest)
}

// someMemberRuns tells whether Patroni runs anywhere.
func someMemberRuns(sp *Spec, looks map[string]hostLook) bool {
	return slices.ContainsFunc(sp.Databases(), func(h spec.Host) bool { return looks[h.Name].runs(patroniUnit) })
}

// idle returns the hosts on which the unit does not run.
func idle(hosts []spec.Host, looks map[string]hostLook, unit string) []spec.Host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h spec.Host) bool { return looks[h.Name].runs(unit) })
}

// startDatabases starts etcd, then Patroni.
func (r *job) startDatabases(ctx context.Context, looks map[string]hostLook, databases []spec.Host, opts StartOptions) error {
	if len(databases) == 0 {
		return nil
	}
	if err := r.startUnit(ctx, idle(databases, looks, etcdUnit), etcdUnit); err != nil {
		return err
	}
	eo, err := r.etcdOptions()
	if err != nil {
		return err
	}
	err = r.until(ctx, opts.Wait, "etcd's quorum", "see `journalctl -u etcd -n 50` on the hosts", func(ctx context.Context) string {
		health, err := etcd.Health(ctx, eo)
		if err != nil {
			return err.Error()
		}
		for _, m := range health {
			if among(databases, m.Name) && !m.Healthy {
				return m.Name + ": " + m.Err
			}
		}
		return ""
	})
	if err != nil {
		return err
	}
	rest := databases
	if newest := mostAdvanced(databases, looks); newest != "" && !someMemberRuns(r.Spec, looks) {
		first := slices.DeleteFunc(slices.Clone(databases), func(h spec.Host) bool { return h.Name != newest })
		if err := r.startUnit(ctx, first, patroniUnit); err != nil {
			return err
		}
		if err := r.awaitMembers(ctx, first, opts.Wait); err != nil {
			return err
		}
		rest = without(databases, first)
	}
	if err := r.startUnit(ctx, idle(rest, looks, patroniUnit), patroniUnit); err != nil {
		return err
	}
	return r.awaitMembers(ctx, databases, opts.Wait)
}

// awaitMembers waits until the members on these hosts lead or stream from the leader.
func (r *job) awaitMembers(ctx context.Context, databases []spec.Host, bound time.Duration) error {
	po, err := r.patroniOptions()
	if err != nil {
		return err
	}
	client := patroni.NewClient(po)
	what := "a leader, and " + strings.Join(hostNames(databases), ", ") + " to lead or stream"
	hint := "see `journalctl -u patroni -n 50` on the hosts, and pgha-cli status"
	return r.until(ctx, bound, what, hint, func(ctx context.Context) string {
		state, err := client.Cluster(ctx)
		if err != nil {
			return err.Error()
		}
		for _, h := range databases {
			if !state.Healthy(h.Member) {
				return h.Member + " " + state.Fault(h.Member)
			}
		}
		return ""
	})
}

// startBalancers starts HAProxy and keepalived, waits until every working balancer has the members that were started for
// backends, and for SQL through the address if there is who could answer. It returns the leader.
func (r *job) startBalancers(ctx context.Context, looks map[string]hostLook, hosts []spec.Host, bound time.Duration) (leader string, err error) {
	balancers := only(spec.RoleBalancer, hosts)
	if err := r.startUnit(ctx, idle(balancers, looks, haproxyUnit), haproxyUnit); err != nil {
		return "", err
	}
	if err := r.awaitHAProxy(ctx, balancers); err != nil {
		return "", err
	}
	if r.Spec.VIP != nil {
		if err := r.startUnit(ctx, idle(balancers, looks, keepalivedUnit), keepalivedUnit); err != nil {
			return "", err
		}
	}
	if len(balancers) > 0 {
		if err := r.awaitHolder(ctx, r.Spec.Balancers()); err != nil {
			return "", err
		}
	}
	if r.planning() {
		return "", nil
	}
	s, err := r.Status(ctx)
	if err != nil || s.leader() == "" {
		return "", err
	}
	if err := r.awaitBackends(ctx, only(spec.RoleDatabase, hosts), bound); err != nil {
		return s.leader(), err
	}
	if s.VIP != nil && len(s.VIP.Holders) == 0 {
		return s.leader(), nil // nobody is there to answer for the address, nor was asked to be
	}
	return s.leader(), readyPhase(ctx, r)
}

// awaitHAProxy waits until the HAProxies answer.
func (r *job) awaitHAProxy(ctx context.Context, balancers []spec.Host) error {
	opts, err := r.lbOptions()
	if err != nil || len(balancers) == 0 {
		return err
	}
	return r.until(ctx, moveWait, "HAProxy to answer", "see `journalctl -u haproxy -n 50` on the balancers", func(ctx context.Context) string {
		states, err := lb.State(ctx, opts)
		if err != nil {
			return err.Error()
		}
		for _, b := range states {
			if among(balancers, b.Host) && b.Err != nil {
				return b.Err.Error()
			}
		}
		return ""
	})
}

// awaitBackends waits until the HAProxies that run send sessions to the members on these hosts.
func (r *job) awaitBackends(ctx context.Context, databases []spec.Host, bound time.Duration) error {
	opts, err := r.lbOptions()
	if err != nil || len(opts.Balancers) == 0 || len(databases) == 0 {
		return err
	}
	what := "the balancers to send sessions to " + strings.Join(hostNames(databases), ", ")
	return r.until(ctx, bound, what, "see `journalctl -u haproxy -n 50` on the balancers", func(ctx context.Context) string {
		states, err := lb.State(ctx, opts)
		if err != nil {
			return err.Error()
		}
		for _, b := range states {
			if b.Err != nil {
				continue
			}
			primary, replicas := serving(b)
			for _, h := range databases {
				if health.PromiseOf(h.Tags).Reads && !slices.Contains(append(primary, replicas...), h.Member) {
					return b.Host + " sends none to " + h.Member
				}
			}
		}
		return ""
	})
}
