package pgha

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// RollingRebootOptions say which hosts are rebooted. The zero value reboots all.
type RollingRebootOptions struct {
	Operation
	// Hosts by their own or their members' names; none means all.
	Hosts []string
	// OnlyIfRequired leaves out hosts whose distribution does not ask for a reboot (/run/reboot-required).
	OnlyIfRequired bool
	// Force goes on although the switchover cuts transactions or a base backup short, and although etcd has no quorum, or
	// nobody serves, while one of the hosts is away.
	Force bool
	// Wait bounds the wait for one host to come back and for the cluster to be healthy again; 0 means 15 minutes, for
	// servers can take long to get from the reset to the kernel.
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
	// Back is from the reboot to the first SSH connection after it, Healthy until the whole cluster was healthy again.
	Back    patroni.Elapsed `json:"seconds_until_back"`
	Healthy patroni.Elapsed `json:"seconds_until_healthy"`
}

// RollingReboot reboots hosts one at a time: the balancers, the one with the address last; the replicas; then the leader's
// host, after a switchover to a member whose host was rebooted already. So each host is rebooted once and writes stop once,
// for the switchover.
//
// Before each reboot the cluster must be healthy (Status.Healthy), and what the host has is moved away: the address, the
// leaderships of the database and of etcd; Patroni is stopped in order. After it the host must have another boot, all its
// units must run, and the cluster be healthy again before the next one's turn. At the first that fails it stops and leaves
// the rest alone; run it again with the hosts that NotDone names.
//
// ErrRefused, before anything is changed, if the cluster is not healthy or a unit would not come back by itself. After
// ErrTimeout the host may still be on its way up.
func (c *Cluster) RollingReboot(ctx context.Context, opts RollingRebootOptions) (RollingRebootResult, error) {
	result := RollingRebootResult{Rebooted: []RebootedHost{}}
	hosts, err := c.chosen(opts.Hosts)
	if err != nil {
		return result, err
	}
	if opts.Wait == 0 {
		opts.Wait = rebootWait
	}
	start := time.Now()
	err = c.operate(ctx, "rolling-reboot", opts.Operation, lockEtcd, func(ctx context.Context, run *job) error {
		status, err := run.Status(ctx)
		if err != nil {
			return err
		}
		looks, err := run.look(ctx, hosts)
		if err != nil {
			return err
		}
		if err := refuseReboot(status, looks, hosts); err != nil {
			return err
		}
		if opts.OnlyIfRequired {
			hosts = slices.DeleteFunc(hosts, func(h spec.Host) bool {
				if !looks[h.Name].rebootRequired {
					result.NotRequired = append(result.NotRequired, h.Name)
				}
				return !looks[h.Name].rebootRequired
			})
		}
		if err := refuseAbsence(run.Spec, status, hosts, opts.Force); err != nil {
			return err
		}
		return run.rebootInTurn(ctx, status, hosts, opts, &result)
	})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// refuseReboot says why these hosts must not be rebooted now: nil, or an error that matches ErrRefused.
func refuseReboot(s Status, looks map[string]hostLook, hosts []spec.Host) error {
	var reasons []string
	hint := "make it healthy first: pgha-cli status, pgha-cli verify"
	if s.Paused {
		reasons = append(reasons, "the cluster is paused")
		hint = "pgha-cli resume comes first"
	}
	reasons = append(reasons, s.Problems()...)
	for _, h := range hosts {
		for unit, enabled := range looks[h.Name].enabled {
			if enabled != "enabled" {
				reasons = append(reasons, fmt.Sprintf("%s on %s is not enabled and would not come back", unit, h.Name))
				hint = "pgha-cli apply enables it"
			}
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return remote.WithHint(fmt.Errorf("%w: %s", ErrRefused, strings.Join(reasons, "; ")), hint)
}

// refuseAbsence says why the cluster cannot do without one of these hosts at a time: nil, or an error that matches
// ErrRefused.
func refuseAbsence(sp *Spec, s Status, hosts []spec.Host, force bool) error {
	for _, h := range hosts {
		if reasons := removal(sp, s, []spec.Host{h}); len(reasons) > 0 && !force {
			return remote.WithHint(fmt.Errorf("%w: while %s reboots: %s", ErrRefused, h.Name, strings.Join(reasons, "; ")),
				"pgha-cli advise tells what cannot be lost; --force reboots it all the same")
		}
	}
	return nil
}

// nextToReboot picks from the hosts that are left: balancers before databases, whoever has the address or the leadership
// after the others.
func nextToReboot(left []spec.Host, s Status) spec.Host {
	rank := func(h spec.Host) int {
		switch {
		case h.Role == spec.RoleBalancer && (s.VIP == nil || !slices.Contains(s.VIP.Holders, h.Name)):
			return 0
		case h.Role == spec.RoleBalancer:
			return 1
		case h.Member != s.leader():
			return 2
		}
		return 3
	}
	return slices.MinFunc(left, func(a, b spec.Host) int { return rank(a) - rank(b) })
}

// rebootInTurn reboots the hosts one by one and fills in the result.
func (r *job) rebootInTurn(ctx context.Context, s Status, left []spec.Host, opts RollingRebootOptions, result *RollingRebootResult) error {
	var done []string // members whose hosts were rebooted
	for len(left) > 0 {
		h := nextToReboot(left, s)
		newLeader, err := r.vacate(ctx, s, h, done, opts.Force)
		if newLeader != s.leader() {
			result.NewLeader = newLeader
		}
		rebooted, asked := RebootedHost{}, false
		if err == nil {
			rebooted, asked, err = r.reboot(ctx, h, opts.Wait)
		}
		if err != nil && !asked && !r.planning() {
			err = errors.Join(err, r.restore(ctx, h, r.unitsOf(h)...))
		}
		if err == nil && !r.planning() {
			result.Rebooted = append(result.Rebooted, rebooted)
		}
		if err != nil {
			result.NotDone = hostNames(left)
			return stoppedAt(h, err, result)
		}
		left = without(left, []spec.Host{h})
		done = append(done, h.Member)
		if !r.planning() {
			if s, err = r.Status(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// stoppedAt names what was not done. Once a host was rebooted the whole is no refusal any more, whatever its end was.
func stoppedAt(h spec.Host, err error, result *RollingRebootResult) error {
	rest := strings.Join(result.NotDone, ", ")
	if len(result.Rebooted) > 0 && Refused(err) {
		return remote.WithHint(fmt.Errorf("reboot %s: %s; not rebooted: %s", h.Name, err.Error(), rest), remote.Hint(err))
	}
	return fmt.Errorf("reboot %s: %w; not rebooted: %s", h.Name, err, rest)
}

// vacate moves off a host what others wait for, and stops its part in order. It returns the database's leader.
func (r *job) vacate(ctx context.Context, s Status, h spec.Host, rebooted []string, force bool) (leader string, err error) {
	hosts := []spec.Host{h}
	if h.Role == spec.RoleBalancer {
		return s.leader(), r.moveAddress(ctx, h, without(r.Spec.Balancers(), hosts))
	}
	if s.leader() == h.Member {
		if err := r.refuseObstacles(ctx, force); err != nil {
			return s.leader(), err
		}
	}
	leader, err = r.giveUpLeadership(ctx, s, hosts, rebooted)
	if err != nil {
		return leader, err
	}
	if err := r.moveEtcdOff(ctx, hosts, leader); err != nil {
		return leader, err
	}
	return leader, r.stopMembers(ctx, hosts)
}

// reboot reboots one host and waits until it and the whole cluster are well again. asked tells whether the host was asked
// to, so that it is on its way.
func (r *job) reboot(ctx context.Context, h spec.Host, bound time.Duration) (done RebootedHost, asked bool, err error) {
	done.Host = h.Name
	t, err := r.Target(h.Name)
	if err != nil {
		return done, false, err
	}
	before := r.lookAt(ctx, t, h)
	if before.err != nil || before.boot == "" {
		return done, false, errors.Join(before.err, errors.New("the host does not tell its boot"))
	}
	start := time.Now()
	_, err = t.Run(ctx, remote.Cmd{Argv: []string{"systemctl", "reboot"}, Mutating: true})
	if err != nil && !remote.Retryable(err) { // a connection that ends is what a reboot looks like
		return done, false, err
	}
	if err := r.awaitBoot(ctx, t, h, before.boot, bound); err != nil {
		return done, true, err
	}
	done.Back = patroni.Elapsed(time.Since(start))
	r.out.emit(Event{Kind: Changed, Phase: r.phase, Host: h.Name, Duration: time.Since(start), Change: &remote.Change{
		Host: h.Name, Kind: "host", Name: h.Name, Action: "rebooted", Planned: r.planning(), Duration: time.Since(start)}})
	if r.planning() {
		return done, true, nil
	}
	err = r.until(ctx, bound, "the units of "+h.Name, "see `systemctl --failed` there", func(ctx context.Context) string {
		l := r.lookAnew(ctx, t, h)
		if l.err != nil {
			return l.err.Error()
		}
		for _, unit := range r.unitsOf(h) {
			if l.active[unit] != "active" {
				return unit + " is " + l.active[unit]
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
	if _, err := r.AwaitHealthy(healthy); err != nil {
		return done, true, err
	}
	done.Healthy = patroni.Elapsed(time.Since(start))
	return done, true, nil
}

// redialTimeout bounds one try to reach a host that is rebooting: a connection that is made while it goes down may hang.
const redialTimeout = 4 * time.Second

// awaitBoot waits until the host can be reached and has booted anew.
func (r *job) awaitBoot(ctx context.Context, t *remote.Target, h spec.Host, before string, bound time.Duration) error {
	hint := "see the host's console"
	return r.until(ctx, bound, h.Name+" to come back", hint, func(ctx context.Context) string {
		switch l := r.lookAnew(ctx, t, h); {
		case l.err != nil:
			return l.err.Error()
		case l.boot == "":
			return "systemd does not answer"
		case l.boot == before:
			return "it has not gone down yet"
		}
		return ""
	})
}

// lookAnew looks at a host that may have lost its connection without a word, and makes it again.
func (r *job) lookAnew(ctx context.Context, t *remote.Target, h spec.Host) hostLook {
	quick, cancel := context.WithTimeout(ctx, redialTimeout/2)
	defer cancel()
	l := r.lookAt(quick, t, h)
	if l.err == nil {
		return l
	}
	again, cancel := context.WithTimeout(ctx, redialTimeout)
	defer cancel()
	if err := redial(again, t); err != nil {
		return hostLook{err: err}
	}
	return r.lookAt(again, t, h)
}
