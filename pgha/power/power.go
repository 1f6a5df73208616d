package power

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/operate"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
	"github.com/pgha/toolkit/pgha/vip"
)

// unit brings a unit into a state on all the hosts at once. Hosts where it is in that state are
// left alone.
func unit(ctx context.Context, r *job.Job, hosts []spec.Host, unit remote.Unit) error {
	if len(hosts) == 0 {
		return nil
	}
	verb := map[remote.Wish]string{remote.Yes: "starting ", remote.No: "stopping "}[unit.Running]
	if !r.Planning() {
		r.Progress(verb + strings.TrimSuffix(unit.Name, ".service") + " on " +
			strings.Join(site.HostNames(hosts), ", "))
	}
	targets, err := site.Finder(r.Target).All(hosts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, job.UnitWait,
		fmt.Errorf("%s%s took more than %s", verb, unit.Name, job.UnitWait))
	defer cancel()
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		_, err := t.Ensure(ctx, unit)
		return err
	})
}

// eachHost calls f for hosts, all at once.
func eachHost(ctx context.Context, r *job.Job, hosts []spec.Host,
	f func(context.Context, *remote.Target, spec.Host) error) error {
	targets, err := site.Finder(r.Target).All(hosts)
	if err != nil {
		return err
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		h, err := r.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		return f(ctx, t, h)
	})
}

func stopUnit(ctx context.Context, r *job.Job, hosts []spec.Host, name string) error {
	return unit(ctx, r, hosts, remote.Unit{Name: name, Running: remote.No})
}

func startUnit(ctx context.Context, r *job.Job, hosts []spec.Host, name string) error {
	return unit(ctx, r, hosts, remote.Unit{Name: name, Running: remote.Yes})
}

// moveAddress makes a balancer give the virtual IP up, by stopping its keepalived, and waits until
// one of the others has it; if none takes it, keepalived is started again. keep are the balancers
// that may have it; none means that nobody will.
func moveAddress(ctx context.Context, r *job.Job, from spec.Host, keep []spec.Host) error {
	if r.Spec.VIP == nil {
		return nil
	}
	if err := stopUnit(ctx, r, []spec.Host{from}, vip.Unit); err != nil || len(keep) == 0 {
		return err
	}
	err := awaitHolder(ctx, r, keep)
	if err != nil {
		err = errors.Join(err, restore(ctx, r, from, vip.Unit))
	}
	return err
}

// restore starts units that were stopped for something that failed, also when ctx has
// ended.
func restore(ctx context.Context, r *job.Job, h spec.Host, units ...string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), job.RestoreWait)
	defer cancel()
	for _, unit := range units {
		if err := startUnit(ctx, r, []spec.Host{h}, unit); err != nil {
			return err
		}
	}
	return nil
}

// awaitHolder waits until exactly one balancer holds the address, and that one is among keep.
func awaitHolder(ctx context.Context, r *job.Job, keep []spec.Host) error {
	opts, ok, err := engine.AddressOptions(r)
	if err != nil || !ok {
		return err
	}
	what := fmt.Sprintf("%s to be held by one of %s", r.Spec.VIP.Address,
		strings.Join(site.HostNames(keep), ", "))
	return r.Until(ctx, job.MoveWait, what, errs.Text("see `journalctl -u keepalived -n 50` on "+
		"the balancers"),
		func(ctx context.Context) string {
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
			if len(holders) == 1 && site.Among(keep, holders[0]) {
				return ""
			}
			return fmt.Sprintf("held by %v", holders)
		})
}

// moveEtcdOff hands etcd's leadership to a healthy member on another host than these, if one of
// these has it; best to one whose host does not run the primary.
func moveEtcdOff(ctx context.Context, r *job.Job, hosts []spec.Host, primary string) error {
	eo, err := engine.EtcdOptions(r)
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
		case m.Leader && site.Among(hosts, m.Name):
			from = m.Name
		case m.Err == "" && len(m.Errors) == 0 && !site.Among(hosts, m.Name) &&
			(to == "" || to == primary):
			to = m.Name
		}
	}
	if from == "" || to == "" {
		return nil
	}
	return operate.MoveEtcdLeader(ctx, r, eo, from, to)
}

// giveUpLeadership moves the leadership of the database away from these hosts to a member on
// another one, if one of these has it, and returns the member that leads then. preferred members
// are tried first.
func giveUpLeadership(ctx context.Context, r *job.Job, s status.Status, hosts []spec.Host,
	preferred []string) (string, error) {
	leader := s.Leader()
	if leader == "" || !site.Among(hosts, leader) {
		return leader, nil
	}
	candidate, err := successor(ctx, r, s, hosts, preferred)
	if err != nil {
		return leader, err
	}
	if err := operate.PrepareSwitchover(ctx, r, leader, candidate); err != nil {
		r.Warn("", err.Error()) // without it the switchover takes longer, and is no less safe
	}
	po, err := engine.PatroniOptions(r)
	if err != nil {
		return leader, err
	}
	hold, err := operate.PrepareHold(ctx, r, false)
	if err != nil {
		return leader, err
	}
	done, err := patroni.Switchover(ctx, po, patroni.SwitchoverOptions{Candidate: candidate,
		Before: hold.Begin})
	hold.End()
	if err != nil {
		return leader, err
	}
	return done.NewLeader, nil
}

// successor picks the member that may lead in place of one on these hosts, by trying it in a
// rehearsal: Patroni's rules on lag, tags and synchronous standbys are known there.
func successor(ctx context.Context, r *job.Job, s status.Status, hosts []spec.Host,
	preferred []string) (string, error) {
	rehearsal, err := engine.PatroniOptions(r.Rehearsed())
	if err != nil {
		return "", err
	}
	var reason error
	for _, candidate := range successors(s, hosts, preferred) {
		_, err := patroni.Switchover(ctx, rehearsal,
			patroni.SwitchoverOptions{Candidate: candidate})
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
	return "", errs.WithNext(reason,
		errs.Text("see %s; a replica must stream before the leader's host can go",
			errs.Verb("status")))
}

// successors are the healthy members outside these hosts: the preferred first, then by lag.
func successors(s status.Status, hosts []spec.Host, preferred []string) []string {
	var fit []status.MemberStatus
	for _, m := range s.Members {
		if m.Healthy && m.LagBytes != nil && !site.Among(hosts, m.Name) {
			fit = append(fit, m)
		}
	}
	slices.SortStableFunc(fit, func(a, b status.MemberStatus) int {
		if pa, pb := slices.Contains(preferred, a.Name),
			slices.Contains(preferred, b.Name); pa != pb {
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
