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
	"github.com/pgha/toolkit/pgha/health"
	"github.com/pgha/toolkit/pgha/internal/adopt"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
	"github.com/pgha/toolkit/pgha/vip"
)

// StartOptions say what Start starts. The zero value starts the whole cluster.
type StartOptions struct {
	engine.Operation
	// Hosts by their own or their members' names; none means all.
	Hosts []string
	// Force starts although the host with the newest data is not among them, so that what only it
	// has is lost when it comes back later, and although a host cannot be reached.
	Force bool
	// Wait bounds the wait for started members to stream and to get sessions; 0 means five minutes.
	// A replica that was down for long may need more.
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

// Start starts the cluster's services on all hosts or on some, and returns once they do their part:
// members stream and balancers send sessions to them, and an application can write through the
// virtual IP if a balancer is there for it. What runs already is left alone, so Start is safe to
// repeat and finishes what was interrupted.
//
// etcd starts on all the hosts at the same time, for it waits for its quorum; then Patroni, then
// HAProxy, then keepalived. While nobody leads, the member whose data is the newest starts alone
// and has to lead before the others start: a replica that comes up first could else be promoted
// without the last transactions. ErrRefused if it is not among the hosts, if etcd would have no
// quorum, or if a host has not been set up. After ErrTimeout what was started continues.
func Start(ctx context.Context, c *site.Site, opts StartOptions) (StartResult, error) {
	var result StartResult
	hosts, err := c.Chosen(opts.Hosts)
	if err != nil {
		return result, err
	}
	if opts.Wait == 0 {
		opts.Wait = job.StartWait
	}
	start := time.Now()
	err = engine.Operate(ctx, c, "start", opts.Operation, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			looks, err := hostlook.Hosts(ctx, run, run.Spec.Hosts)
			if err != nil {
				return err
			}
			if err := refuseStart(run.Spec, looks, hosts, opts.Force); err != nil {
				return err
			}
			hosts = slices.DeleteFunc(hosts, func(h spec.Host) bool {
				return looks[h.Name].Err != nil
			})
			result.Hosts = site.HostNames(hosts)
			if err := startMembers(ctx, run, looks, hosts, opts); err != nil {
				return err
			}
			result.Leader, err = startBalancers(ctx, run, looks, hosts, opts.Wait)
			return err
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// refuseStart says why these hosts cannot be started now, or not without harm: nil, or an error
// that matches ErrRefused.
func refuseStart(sp *spec.Spec, looks map[string]hostlook.Look, hosts []spec.Host,
	force bool) error {
	refuse := func(next errs.Next, format string, args ...any) error {
		return errs.WithNext(fmt.Errorf("%w: %s", errs.ErrRefused,
			fmt.Sprintf(format, args...)), next)
	}
	for _, h := range hosts {
		l := looks[h.Name]
		if l.Err != nil && !force {
			return refuse(
				errs.Text("bring it back, name the other hosts, or let --force start those that "+
					"can be reached"),
				"%v", l.Err)
		}
		for unit, known := range l.Enabled {
			if known == "" || known == "masked" {
				return refuse(errs.Text("%s sets it up", errs.Verb("apply")),
					"%s has no %s, or it is masked",
					h.Name, unit)
			}
		}
	}
	databases, starting := site.Only(sp, spec.RoleDatabase, hosts), site.Only(sp, spec.RoleEtcd,
		hosts)
	if len(databases)+len(starting) == 0 {
		return nil
	}
	etcds := len(slices.DeleteFunc(site.Without(sp.EtcdHosts(), starting),
		func(h spec.Host) bool { return looks[h.Name].Active[etcd.Unit] != "active" }))
	etcds += len(slices.DeleteFunc(starting,
		func(h spec.Host) bool { return looks[h.Name].Err != nil }))
	if all := len(sp.EtcdHosts()); etcds <= all/2 {
		return refuse(errs.Text("start more hosts with it, or all: %s", errs.Verb("start")),
			"etcd would have %d of its %d members, and no quorum", etcds, all)
	}
	newest := hostlook.MostAdvanced(sp.Databases(), looks)
	if len(databases) == 0 || newest == "" || force || site.Among(databases, newest) || someMemberRuns(sp, looks) {
		return nil
	}
	return refuse(errs.Text("start it too; --force starts without it, and what only it has is "+
		"lost when it comes back"),
		"%s has the newest data and would not be started", newest)
}

// someMemberRuns tells whether Patroni runs anywhere.
func someMemberRuns(sp *spec.Spec, looks map[string]hostlook.Look) bool {
	return slices.ContainsFunc(sp.Databases(), func(h spec.Host) bool {
		return looks[h.Name].Runs(patroni.Unit)
	})
}

// idle returns the hosts on which the unit does not run.
func idle(hosts []spec.Host, looks map[string]hostlook.Look, unit string) []spec.Host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h spec.Host) bool {
		return looks[h.Name].Runs(unit)
	})
}

// startMembers starts etcd on those of the hosts that run it, then Patroni.
func startMembers(ctx context.Context, r *job.Job, looks map[string]hostlook.Look,
	hosts []spec.Host, opts StartOptions) error {
	databases, etcds := site.Only(r.Spec, spec.RoleDatabase, hosts),
		site.Only(r.Spec, spec.RoleEtcd, hosts)
	if len(databases)+len(etcds) == 0 {
		return nil
	}
	if err := startUnit(ctx, r, idle(etcds, looks, etcd.Unit), etcd.Unit); err != nil {
		return err
	}
	eo, err := engine.EtcdOptions(r)
	if err != nil {
		return err
	}
	err = r.Until(ctx, opts.Wait, "etcd's quorum",
		errs.Text("see `journalctl -u etcd -n 50` on the hosts"),
		func(ctx context.Context) string {
			health, err := etcd.Health(ctx, eo)
			if err != nil {
				return err.Error()
			}
			for _, m := range health {
				if site.Among(etcds, m.Name) && !m.Healthy {
					return m.Name + ": " + m.Err
				}
			}
			return ""
		})
	if err != nil || len(databases) == 0 {
		return err
	}
	rest := databases
	if newest := hostlook.MostAdvanced(databases, looks); newest != "" &&
		!someMemberRuns(r.Spec, looks) {
		first := slices.DeleteFunc(slices.Clone(databases),
			func(h spec.Host) bool { return h.Name != newest })
		if err := startUnit(ctx, r, first, patroni.Unit); err != nil {
			return err
		}
		if err := adopt.AwaitMembers(ctx, r, first, opts.Wait); err != nil {
			return err
		}
		rest = site.Without(databases, first)
	}
	if err := startUnit(ctx, r, idle(rest, looks, patroni.Unit), patroni.Unit); err != nil {
		return err
	}
	return adopt.AwaitMembers(ctx, r, databases, opts.Wait)
}

// startBalancers starts HAProxy and keepalived, waits until every working balancer has the members
// that were started for backends, and for SQL through the address if there is who could answer. It
// returns the leader.
func startBalancers(ctx context.Context, r *job.Job, looks map[string]hostlook.Look,
	hosts []spec.Host,
	bound time.Duration) (leader string, err error) {
	balancers := site.Only(r.Spec, spec.RoleBalancer, hosts)
	if err := startUnit(ctx, r, idle(balancers, looks, lb.Unit), lb.Unit); err != nil {
		return "", err
	}
	if err := awaitHAProxy(ctx, r, balancers); err != nil {
		return "", err
	}
	if r.Spec.VIP != nil {
		if err := startUnit(ctx, r, idle(balancers, looks, vip.Unit), vip.Unit); err != nil {
			return "", err
		}
	}
	if len(balancers) > 0 {
		if err := awaitHolder(ctx, r, r.Spec.Balancers()); err != nil {
			return "", err
		}
	}
	if r.Planning() {
		return "", nil
	}
	s, err := status.Look(ctx, r.Site)
	if err != nil || s.Leader() == "" {
		return "", err
	}
	if err := awaitBackends(ctx, r, site.Only(r.Spec, spec.RoleDatabase, hosts),
		bound); err != nil {
		return s.Leader(), err
	}
	if s.VIP != nil && len(s.VIP.Holders) == 0 {
		return s.Leader(), nil // nobody is there to answer for the address, nor was asked to be
	}
	return s.Leader(), provision.ReadyPhase(ctx, r)
}

// awaitHAProxy waits until the HAProxies answer.
func awaitHAProxy(ctx context.Context, r *job.Job, balancers []spec.Host) error {
	opts, err := engine.BalancerOptions(r)
	if err != nil || len(balancers) == 0 {
		return err
	}
	return r.Until(ctx, job.MoveWait, "HAProxy to answer",
		errs.Text("see `journalctl -u haproxy -n 50` on the balancers"),
		func(ctx context.Context) string {
			states, err := lb.State(ctx, opts)
			if err != nil {
				return err.Error()
			}
			for _, b := range states {
				if site.Among(balancers, b.Host) && b.Err != nil {
					return b.Err.Error()
				}
			}
			return ""
		})
}

// awaitBackends waits until the HAProxies that run send sessions to the members on these hosts.
func awaitBackends(ctx context.Context, r *job.Job, databases []spec.Host,
	bound time.Duration) error {
	opts, err := engine.BalancerOptions(r)
	if err != nil || len(opts.Balancers) == 0 || len(databases) == 0 {
		return err
	}
	what := "the balancers to send sessions to " + strings.Join(site.HostNames(databases), ", ")
	return r.Until(ctx, bound, what,
		errs.Text("see `journalctl -u haproxy -n 50` on the balancers"),
		func(ctx context.Context) string {
			states, err := lb.State(ctx, opts)
			if err != nil {
				return err.Error()
			}
			for _, b := range states {
				if b.Err != nil {
					continue
				}
				primary, replicas := status.Serving(b)
				for _, h := range databases {
					if health.PromiseOf(h.Tags).Reads &&
						!slices.Contains(append(primary, replicas...), h.Member) {
						return b.Host + " sends none to " + h.Member
					}
				}
			}
			return ""
		})
}
