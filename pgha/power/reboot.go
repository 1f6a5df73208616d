package power

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/advisor/measure"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/operate"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// RollingRebootOptions say which hosts are rebooted. The zero value reboots all.
type RollingRebootOptions struct {
	engine.Operation
	// Hosts by their own or their members' names; none means all.
	Hosts []string
	// OnlyIfRequired leaves out hosts whose distribution does not ask for a reboot
	// (/run/reboot-required). Not together with Upgrade: only an upgrade tells whether it needs a
	// reboot.
	OnlyIfRequired bool
	// Upgrade upgrades all packages of a host before its reboot, when nobody depends on it any
	// more: as apt-get upgrade does, which removes none and leaves changed configuration files.
	// Packages of the cluster are among them, within the major version of PostgreSQL.
	Upgrade bool
	// Force goes on although the switchover cuts transactions or a base backup short, and although
	// etcd has no quorum, or nobody serves, while one of the hosts is away.
	Force bool
	// Wait bounds the wait for one host to come back and for the cluster to be healthy again; 0
	// means 15 minutes, for servers can take long to get from the reset to the kernel.
	Wait time.Duration
}

// rebootWait is what Wait is without being set.
const rebootWait = 15 * time.Minute

// RollingRebootResult is what RollingReboot did.
type RollingRebootResult struct {
	// Rebooted hosts in the order in which they were.
	Rebooted []RebootedHost `json:"rebooted"`
	// NotRequired are hosts that OnlyIfRequired left out, NotDone those that an error left out.
	NotRequired []string `json:"not_required,omitempty"`
	NotDone     []string `json:"not_done,omitempty"`
	// NewLeader is the member that leads since the switchover; "" if there was none.
	NewLeader string          `json:"new_leader,omitempty"`
	Elapsed   patroni.Elapsed `json:"seconds"`
}

// RebootedHost is one host that came back.
type RebootedHost struct {
	Host string `json:"host"`
	// Upgraded is how many packages were upgraded or added before the reboot.
	Upgraded int `json:"upgraded_packages"`
	// Back is from the reboot to the first SSH connection after it, Healthy until the whole cluster
	// was healthy again.
	Back    patroni.Elapsed `json:"seconds_until_back"`
	Healthy patroni.Elapsed `json:"seconds_until_healthy"`
}

// RollingReboot reboots hosts one at a time: the balancers, the one with the address last; the
// replicas; then the leader's host, after a switchover to a member whose host was rebooted already.
// So each host is rebooted once and writes stop once, for the switchover.
//
// Before each reboot the cluster must be healthy (Status.Healthy), and what the host has is moved
// away: the address, the leaderships of the database and of etcd; Patroni is stopped in order.
// After it the host must have another boot, all its units must run, and the cluster be healthy
// again before the next one's turn. At the first that fails it stops and leaves the rest alone; run
// it again with the hosts that NotDone names.
//
// ErrRefused, before anything is changed, if the cluster is not healthy or a unit would not come
// back by itself. After ErrTimeout the host may still be on its way up.
func RollingReboot(ctx context.Context, c *site.Site,
	opts RollingRebootOptions) (RollingRebootResult, error) {
	result := RollingRebootResult{Rebooted: []RebootedHost{}}
	hosts, err := c.Chosen(opts.Hosts)
	if err != nil {
		return result, err
	}
	if opts.Upgrade && opts.OnlyIfRequired {
		return result, remote.WithHint(fmt.Errorf("%w: whether an upgrade needs a reboot is known "+
			"after it", patroni.ErrInvalid), "upgrade and reboot all hosts, or name those that "+
			"are to be")
	}
	if opts.Wait == 0 {
		opts.Wait = rebootWait
	}
	start := time.Now()
	err = engine.Operate(ctx, c, "rolling-reboot", opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			status, err := status.Settled(ctx, run.Site)
			if err != nil {
				return err
			}
			looks, err := hostlook.Hosts(ctx, run, hosts)
			if err != nil {
				return err
			}
			if err := refuseReboot(status, looks, hosts); err != nil {
				return err
			}
			if opts.OnlyIfRequired {
				hosts = slices.DeleteFunc(hosts, func(h spec.Host) bool {
					if !looks[h.Name].RebootRequired {
						result.NotRequired = append(result.NotRequired, h.Name)
					}
					return !looks[h.Name].RebootRequired
				})
			}
			if err := refuseAbsence(run.Spec, status, hosts, opts.Force); err != nil {
				return err
			}
			return rebootInTurn(ctx, run, status, hosts, opts, &result)
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// refuseReboot says why these hosts must not be rebooted now: nil, or an error that matches
// ErrRefused.
func refuseReboot(s status.Status, looks map[string]hostlook.Look, hosts []spec.Host) error {
	var reasons []string
	next := errs.Text("make it healthy first: %s, %s", errs.Verb("status"), errs.Verb("verify"))
	if s.Paused {
		next = errs.Text("%s comes first", errs.Verb("resume"))
	}
	reasons = append(reasons, s.Problems()...)
	for _, h := range hosts {
		for unit, enabled := range looks[h.Name].Enabled {
			if enabled != "enabled" {
				reasons = append(reasons, fmt.Sprintf("%s on %s is not enabled and would not "+
					"come back", unit, h.Name))
				next = errs.Text("%s enables it", errs.Verb("apply"))
			}
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return errs.WithNext(fmt.Errorf("%w: %s", errs.ErrRefused, strings.Join(reasons, "; ")), next)
}

// refuseAbsence says why the cluster cannot do without one of these hosts at a time: nil, or an
// error that matches ErrRefused.
func refuseAbsence(sp *spec.Spec, s status.Status, hosts []spec.Host, force bool) error {
	for _, h := range hosts {
		if reasons := measure.Removal(sp, s, []spec.Host{h}); len(reasons) > 0 && !force {
			return errs.WithNext(fmt.Errorf("%w: while %s reboots: %s", errs.ErrRefused, h.Name,
				strings.Join(reasons, "; ")),
				errs.Text("%s tells what cannot be lost; --force reboots it all the same",
					errs.Verb("advise")))
		}
	}
	return nil
}

// nextToReboot picks from the hosts that are left: balancers before databases and hosts of etcd,
// and the one that has the address or the leadership after the others.
func nextToReboot(left []spec.Host, s status.Status) spec.Host {
	holds := func(h spec.Host) bool {
		return s.VIP != nil && slices.Contains(s.VIP.Holders, h.Name)
	}
	rank := func(h spec.Host) int {
		switch {
		case h.Member != "" && h.Member == s.Leader():
			return 4
		case h.Member != "" && holds(h):
			return 3
		case h.Member != "":
			return 2
		case holds(h):
			return 1
		}
		return 0
	}
	return slices.MinFunc(left, func(a, b spec.Host) int { return rank(a) - rank(b) })
}

// rebootInTurn reboots the hosts one by one and fills in the result.
func rebootInTurn(ctx context.Context, r *job.Job, s status.Status, left []spec.Host,
	opts RollingRebootOptions, result *RollingRebootResult) error {
	var done []string // members whose hosts were rebooted
	for len(left) > 0 {
		h := nextToReboot(left, s)
		newLeader, err := drain(ctx, r, s, h, done, opts.Force)
		if newLeader != s.Leader() {
			result.NewLeader = newLeader
		}
		rebooted, asked, upgraded := RebootedHost{}, false, 0
		if err == nil && opts.Upgrade {
			upgraded, err = upgrade(ctx, r, h)
		}
		if err == nil {
			rebooted, asked, err = reboot(ctx, r, h, opts.Wait)
			rebooted.Upgraded = upgraded
		}
		if err != nil && !asked && !r.Planning() {
			err = errors.Join(err, restore(ctx, r, h, r.UnitsOf(h)...))
		}
		if err == nil && !r.Planning() {
			result.Rebooted = append(result.Rebooted, rebooted)
		}
		if err != nil {
			result.NotDone = site.HostNames(left)
			return stoppedAt(h, err, result)
		}
		left = site.Without(left, []spec.Host{h})
		done = append(done, h.Member)
		if !r.Planning() {
			if s, err = status.Look(ctx, r.Site); err != nil {
				return err
			}
		}
	}
	return nil
}

// stoppedAt names what was not done. Once a host was rebooted the whole is no refusal any more,
// whatever its end was.
func stoppedAt(h spec.Host, err error, result *RollingRebootResult) error {
	rest := strings.Join(result.NotDone, ", ")
	if len(result.Rebooted) > 0 && errs.KindOf(err) == errs.Refused {
		return errs.WithNext(fmt.Errorf("reboot %s: %s; not rebooted: %s", h.Name, err.Error(),
			rest), errs.NextOf(err))
	}
	return fmt.Errorf("reboot %s: %w; not rebooted: %s", h.Name, err, rest)
}

// drain moves off a host what others wait for, and stops its part in order. It returns the
// database's leader.
func drain(ctx context.Context, r *job.Job, s status.Status, h spec.Host, rebooted []string,
	force bool) (leader string, err error) {
	hosts := []spec.Host{h}
	if h.Has(spec.RoleBalancer) {
		err := moveAddress(ctx, r, h, site.Without(r.Spec.Balancers(), hosts))
		if err != nil || h.Member == "" {
			return s.Leader(), err
		}
	}
	if s.Leader() == h.Member {
		if err := operate.RefuseObstacles(ctx, r, force); err != nil {
			return s.Leader(), err
		}
	}
	leader, err = giveUpLeadership(ctx, r, s, hosts, rebooted)
	if err != nil {
		return leader, err
	}
	if err := moveEtcdOff(ctx, r, hosts, leader); err != nil {
		return leader, err
	}
	return leader, stopReplicas(ctx, r, site.Only(r.Spec, spec.RoleDatabase, hosts))
}

// upgrade upgrades the packages of a host that was drained. Units of the cluster are not restarted
// by it: the reboot does that.
func upgrade(ctx context.Context, r *job.Job, h spec.Host) (packages int, err error) {
	t, err := r.Target(h.Name)
	if err != nil {
		return 0, err
	}
	if !r.Planning() {
		r.Progress("upgrading the packages of " + h.Name)
	}
	changes, err := t.Upgrade(ctx, r.LayoutOf(h).Packages().Quiet)
	return len(changes), err
}

// reboot reboots one host and waits until it and the whole cluster are well again. asked tells
// whether the host was asked to, so that it is on its way.
func reboot(ctx context.Context, r *job.Job, h spec.Host, bound time.Duration) (done RebootedHost,
	asked bool, err error) {
	done.Host = h.Name
	t, err := r.Target(h.Name)
	if err != nil {
		return done, false, err
	}
	before := hostlook.LookAt(ctx, r.Site, t, h)
	if before.Err != nil || before.Boot == "" {
		return done, false, cmp.Or(before.Err, errors.New("the host does not tell its boot"))
	}
	start := time.Now()
	_, err = t.Run(ctx, remote.Cmd{Argv: []string{"systemctl", "reboot"}, Mutating: true})
	if err != nil && !remote.Retryable(err) { // a connection that ends is what a reboot looks like
		return done, false, err
	}
	if err := awaitBoot(ctx, r, t, h, before.Boot, bound); err != nil {
		return done, true, err
	}
	done.Back = patroni.Elapsed(time.Since(start))
	r.Out.Emit(event.Event{Kind: event.Changed, Phase: r.Phase, Host: h.Name,
		Duration: time.Since(start),
		Change: &remote.Change{
			Host: h.Name, Kind: "host", Name: h.Name, Action: "rebooted", Planned: r.Planning(),
			Duration: time.Since(start)}})
	if r.Planning() {
		return done, true, nil
	}
	err = r.Until(ctx, bound, "the units of "+h.Name, errs.Text("see `systemctl --failed` there"),
		func(ctx context.Context) string {
			l := lookAgain(ctx, r, t, h)
			if l.Err != nil {
				return l.Err.Error()
			}
			for _, unit := range r.UnitsOf(h) {
				if l.Active[unit] != "active" {
					return unit + " is " + l.Active[unit]
				}
			}
			return ""
		})
	if err != nil {
		return done, true, err
	}
	r.Progress("waiting for the cluster to be healthy")
	healthy, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	if _, err := status.AwaitHealthy(healthy, r.Site); err != nil {
		return done, true, err
	}
	done.Healthy = patroni.Elapsed(time.Since(start))
	return done, true, nil
}

// redialTimeout bounds one try to reach a host that is rebooting: a connection that is made while
// it goes down may hang.
const redialTimeout = 4 * time.Second

// awaitBoot waits until the host can be reached and has booted again.
func awaitBoot(ctx context.Context, r *job.Job, t *remote.Target, h spec.Host, before string,
	bound time.Duration) error {
	next := errs.Text("see the host's console")
	return r.Until(ctx, bound, h.Name+" to come back", next, func(ctx context.Context) string {
		switch l := lookAgain(ctx, r, t, h); {
		case l.Err != nil:
			return l.Err.Error()
		case l.Boot == "":
			return "systemd does not answer"
		case l.Boot == before:
			return "it has not gone down yet"
		}
		return ""
	})
}

// lookAgain looks at a host, and dials it again where its connection is lost.
func lookAgain(ctx context.Context, r *job.Job, t *remote.Target, h spec.Host) hostlook.Look {
	quick, cancel := context.WithTimeout(ctx, redialTimeout/2)
	defer cancel()
	l := hostlook.LookAt(quick, r.Site, t, h)
	if l.Err == nil {
		return l
	}
	again, cancel := context.WithTimeout(ctx, redialTimeout)
	defer cancel()
	if err := site.Redial(again, t); err != nil {
		return hostlook.Look{Err: err}
	}
	return hostlook.LookAt(again, r.Site, t, h)
}
