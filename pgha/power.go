package pgha

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/vip"
)

// Bounds of Stop, Start and RollingReboot.
const (
	// unitWait is for one unit to stop or start. Patroni's may take 300 s: a shutdown checkpoint writes all that is dirty.
	unitWait = 6 * time.Minute
	// moveWait is for the address or etcd's leadership to be elsewhere.
	moveWait = 30 * time.Second
	// restoreWait is for units to start again after a failure or an interruption.
	restoreWait = time.Minute
	// startWait is for started members to stream, and for balancers to send sessions to them.
	startWait = 5 * time.Minute
)

// chosen returns the hosts with these names, or with these members, in the spec's order; all of them for no names.
func (c *Cluster) chosen(names []string) ([]spec.Host, error) {
	if len(names) == 0 {
		return slices.Clone(c.Spec.Hosts), nil
	}
	wanted := map[string]bool{}
	for _, name := range names {
		h, err := c.Spec.Host(name)
		if err != nil {
			return nil, remote.WithHint(fmt.Errorf("%w: %w", patroni.ErrInvalid, err), "pgha-cli status lists hosts and members")
		}
		wanted[h.Name] = true
	}
	return slices.DeleteFunc(slices.Clone(c.Spec.Hosts), func(h spec.Host) bool { return !wanted[h.Name] }), nil
}

// only returns those of the hosts that have the role.
func only(role spec.Role, hosts []spec.Host) []spec.Host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h spec.Host) bool { return h.Role != role })
}

// without returns hosts without those of the others.
func without(hosts, others []spec.Host) []spec.Host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h spec.Host) bool { return among(others, h.Name) })
}

// among tells whether a host or member of that name is one of the hosts.
func among(hosts []spec.Host, name string) bool {
	return slices.ContainsFunc(hosts, func(h spec.Host) bool { return h.Name == name || h.Member != "" && h.Member == name })
}

func hostNames(hosts []spec.Host) []string {
	list := make([]string, len(hosts))
	for i, h := range hosts {
		list[i] = h.Name
	}
	return list
}

// unit brings a unit into a state on all the hosts at once. Hosts where it is in that state are left alone.
func (r *job) unit(ctx context.Context, hosts []spec.Host, unit remote.Unit) error {
	if len(hosts) == 0 {
		return nil
	}
	verb := map[remote.Wish]string{remote.Yes: "starting ", remote.No: "stopping "}[unit.Running]
	if !r.planning() {
		r.Progress(verb + strings.TrimSuffix(unit.Name, ".service") + " on " + strings.Join(hostNames(hosts), ", "))
	}
	targets, err := finder(r.Target).all(hosts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, unitWait, fmt.Errorf("%s%s took more than %s", verb, unit.Name, unitWait))
	defer cancel()
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		_, err := t.Ensure(ctx, unit)
		return err
	})
}

func (r *job) stopUnit(ctx context.Context, hosts []spec.Host, name string) error {
	return r.unit(ctx, hosts, remote.Unit{Name: name, Running: remote.No})
}

func (r *job) startUnit(ctx context.Context, hosts []spec.Host, name string) error {
	return r.unit(ctx, hosts, remote.Unit{Name: name, Running: remote.Yes})
}

// until looks again and again until look says "", which is that there is nothing left to wait for; else it says what is.
// Nothing is waited for when planning. The error matches patroni.ErrTimeout.
func (r *job) until(ctx context.Context, bound time.Duration, what, hint string, look func(context.Context) (missing string)) error {
	if r.planning() {
		return nil
	}
	start := time.Now()
	r.Progress("waiting for " + what)
	inner, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	seen := "nothing"
	for {
		missing := look(inner)
		if missing == "" && inner.Err() == nil {
			return nil
		}
		if inner.Err() == nil {
			seen = missing
		}
		select {
		case <-inner.Done():
			if ctx.Err() != nil && context.Cause(ctx) != context.DeadlineExceeded {
				return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
			}
			return &patroni.TimeoutError{What: what, After: time.Since(start), Seen: seen, Look: hint}
		case <-time.After(150 * time.Millisecond):
		}
	}
}

// moveAddress makes a balancer give the virtual IP up, by stopping its keepalived, and waits until one of the others has
// it; if none takes it, keepalived is started again. keep are the balancers that may have it; none means that nobody will.
func (r *job) moveAddress(ctx context.Context, from spec.Host, keep []spec.Host) error {
	if r.Spec.VIP == nil {
		return nil
	}
	if err := r.stopUnit(ctx, []spec.Host{from}, keepalivedUnit); err != nil || len(keep) == 0 {
		return err
	}
	err := r.awaitHolder(ctx, keep)
	if err != nil {
		err = errors.Join(err, r.restore(ctx, from, keepalivedUnit))
	}
	return err
}

// restore starts units that were stopped for something that did not come about, also when ctx has ended.
func (r *job) restore(ctx context.Context, h spec.Host, units ...string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restoreWait)
	defer cancel()
	for _, unit := range units {
		if err := r.startUnit(ctx, []spec.Host{h}, unit); err != nil {
			return err
		}
	}
	return nil
}

// awaitHolder waits until exactly one balancer holds the address, and that one is among keep.
func (r *job) awaitHolder(ctx context.Context, keep []spec.Host) error {
	opts, ok, err := r.vipOptions()
	if err != nil || !ok {
		return err
	}
	what := fmt.Sprintf("%s to be held by one of %s", r.Spec.VIP.Address, strings.Join(hostNames(keep), ", "))
	return r.until(ctx, moveWait, what, "see `journalctl -u keepalived -n 50` on the balancers", func(ctx context.Context) string {
		holdings, err := vip.Holder(ctx, opts)
		if err != nil {
			return err.Error()
		}
		var holders []string
		for _, h := range holdings {
			if h.Holds {
				holders = append(holders, h.Host)
			}
		}
		if len(holders) == 1 && among(keep, holders[0]) {
			return ""
		}
		return fmt.Sprintf("held by %v", holders)
	})
}

// moveEtcdOff hands etcd's leadership to a healthy member on another host than these, if one of these has it; best to one
// whose host does not run the primary.
func (r *job) moveEtcdOff(ctx context.Context, hosts []spec.Host, primary string) error {
	eo, err := r.etcdOptions()
	if err != nil {
		return err
	}
	members, err := etcd.Status(ctx, eo)
	if err != nil {
		return err
	}
	from, to := "", ""
	for _, m := range members {
		switch {
		case m.Leader && among(hosts, m.Name):
			from = m.Name
		case m.Err == "" && len(m.Errors) == 0 && !among(hosts, m.Name) && (to == "" || to == primary):
			to = m.Name
		}
	}
	if from == "" || to == "" {
		return nil
	}
	return r.moveEtcdLeader(ctx, eo, from, to)
}

// giveUpLeadership moves the leadership of the database away from these hosts to a member on another one, if one of these
// has it, and returns the member that leads then. preferred members are tried first.
func (r *job) giveUpLeadership(ctx context.Context, s Status, hosts []spec.Host, preferred []string) (string, error) {
	leader := s.leader()
	if leader == "" || !among(hosts, leader) {
		return leader, nil
	}
	candidate, err := r.heir(ctx, s, hosts, preferred)
	if err != nil {
		return leader, err
	}
	if err := r.prepareSwitchover(ctx, leader, candidate); err != nil {
		r.Warn("", err.Error()) // without it the switchover takes longer, and is no less safe
	}
	po, err := r.patroniOptions()
	if err != nil {
		return leader, err
	}
	done, err := patroni.Switchover(ctx, po, patroni.SwitchoverOptions{Candidate: candidate})
	if err != nil {
		return leader, err
	}
	return done.NewLeader, nil
}

// heir picks the member that may lead in place of one on these hosts, by trying it in a rehearsal: Patroni's rules on lag,
// tags and synchronous standbys are known there.
func (r *job) heir(ctx context.Context, s Status, hosts []spec.Host, preferred []string) (string, error) {
	rehearsal, err := r.rehearsed().patroniOptions()
	if err != nil {
		return "", err
	}
	var reason error
	for _, candidate := range heirs(s, hosts, preferred) {
		_, err := patroni.Switchover(ctx, rehearsal, patroni.SwitchoverOptions{Candidate: candidate})
		if err == nil {
			return candidate, nil
		}
		if reason == nil {
			reason = err
		}
	}
	if reason == nil {
		reason = fmt.Errorf("%w: no healthy replica runs on another host", patroni.ErrNoCandidate)
	}
	return "", remote.WithHint(reason, "see `pgha-cli status`; a replica must stream before the leader's host can go")
}

// heirs are the healthy members outside these hosts: the preferred first, then by lag.
func heirs(s Status, hosts []spec.Host, preferred []string) []string {
	var fit []MemberStatus
	for _, m := range s.Members {
		if m.Healthy && m.LagBytes != nil && !among(hosts, m.Name) {
			fit = append(fit, m)
		}
	}
	slices.SortStableFunc(fit, func(a, b MemberStatus) int {
		if pa, pb := slices.Contains(preferred, a.Name), slices.Contains(preferred, b.Name); pa != pb {
			return map[bool]int{true: -1, false: 1}[pa]
		}
		return int(*a.LagBytes - *b.LagBytes)
	})
	list := make([]string, len(fit))
	for i, m := range fit {
		list[i] = m.Name
	}
	return list
}

// leader is the member that holds the leader lock, or "".
func (s Status) leader() string {
	for _, m := range s.Members {
		if patroni.Role(m.Role).Leads() {
			return m.Name
		}
	}
	return ""
}
