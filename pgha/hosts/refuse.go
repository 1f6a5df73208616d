package hosts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/power"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// refuse says why the order must not be carried out now: nil, or an error that matches
// errs.ErrRefused. Nothing has been changed then.
func (w *work) refuse(ctx context.Context) error {
	for _, h := range w.coming() {
		if _, err := w.Site.Target(h.Name); err != nil {
			return fmt.Errorf("%w: %w", errs.ErrRefused, err)
		}
	}
	on := w.on(w.from)
	s, err := status.Look(ctx, on.Site)
	if err != nil {
		return err
	}
	if s.Paused && !w.undoing {
		return errs.WithNext(fmt.Errorf("%w: members come and go only while Patroni is in charge",
			patroni.ErrPaused), errs.Text("%s comes first", errs.Verb("resume")))
	}
	if w.undoing {
		s.Etcd = w.counted(ctx, on, s.Etcd)
	}
	if reasons := w.reasons(on, s); len(reasons) > 0 {
		return errs.WithNext(fmt.Errorf("%w: %s", errs.ErrRefused, strings.Join(reasons, "; ")),
			errs.Text("nothing was changed; %s and %s show how the cluster is", errs.Verb("status"),
				errs.Verb("doctor")))
	}
	databases := site.Only(w.from, spec.RoleDatabase, w.Remove)
	if !w.AddFirst || len(site.Only(w.to, spec.RoleDatabase, w.Add)) == 0 {
		if err := power.CanHandOver(ctx, on, s, databases); err != nil {
			return fmt.Errorf("%w: the leader's host goes, and nobody can lead in its place: %w",
				errs.ErrRefused, err)
		}
	}
	return w.refuseUnfit(ctx)
}

// counted are those members of etcd that vote, by etcd's own list: hosts whose coming is taken back
// may not have joined yet, or may be learners. All, where etcd does not say.
func (w *work) counted(ctx context.Context, on *job.Job,
	members []status.EtcdStatus) []status.EtcdStatus {
	o, err := engine.EtcdOptions(on)
	if err != nil {
		return members
	}
	known, err := etcd.ReadStore(ctx, o, w.ChangeKey())
	if err != nil {
		return members
	}
	return voting(members, known.Members)
}

// voting leaves those of the members that vote.
func voting(members []status.EtcdStatus, known []etcd.StoreMember) []status.EtcdStatus {
	return slices.DeleteFunc(slices.Clone(members), func(m status.EtcdStatus) bool {
		return !slices.ContainsFunc(known, func(k etcd.StoreMember) bool {
			return k.Name == m.Name && !k.Learner
		})
	})
}

// reasons are why these hosts must not go.
func (w *work) reasons(on *job.Job, s status.Status) []string {
	var reasons []string
	if etcds := w.leavingEtcd(); len(etcds) > 0 {
		coming := 0
		if len(w.Remove) == 0 || w.AddFirst {
			coming = len(site.Without(w.to.EtcdHosts(), w.from.EtcdHosts()))
		}
		reasons = append(reasons, quorumReasons(s, etcds, coming)...)
	}
	if members := without(w.Remove, spec.RoleBalancer); len(members) > 0 {
		reasons = append(reasons, w.alive(on, s, members)...)
	}
	if databases := site.Only(w.from, spec.RoleDatabase, w.Remove); len(databases) > 0 {
		coming := 0
		if w.AddFirst {
			coming = len(site.Only(w.to, spec.RoleDatabase, w.Add))
		}
		reasons = append(reasons, memberReasons(w.from, s, databases, coming)...)
	}
	if balancers := site.Only(w.from, spec.RoleBalancer, w.Remove); len(balancers) > 0 {
		left := slices.ContainsFunc(site.Without(w.from.Balancers(), balancers),
			func(h spec.Host) bool { return s.Balances(h.Name) })
		comes := w.AddFirst && len(site.Only(w.to, spec.RoleBalancer, w.Add)) > 0
		if !left && !comes {
			reasons = append(reasons, "no balancer that works would be left, and with the last one "+
				"goes the address")
		}
	}
	return reasons
}

// without are the hosts that have any role but this one alone.
func without(hosts []spec.Host, role spec.Role) []spec.Host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h spec.Host) bool { return h.Role == role })
}

// quorumReasons counts etcd's members: a majority has to vote for each removal, and those that stay
// have to be one of their own, with those that come before the others go.
func quorumReasons(s status.Status, gone []spec.Host, coming int) []string {
	all, healthy, stay, stayHealthy := len(s.Etcd), 0, coming, coming
	for _, m := range s.Etcd {
		stays := !site.Among(gone, m.Name)
		if stays {
			stay++
		}
		if m.Healthy {
			healthy++
		}
		if m.Healthy && stays {
			stayHealthy++
		}
	}
	switch {
	case 2*healthy <= all:
		return []string{fmt.Sprintf("etcd has no quorum: %d of its %d members are healthy, and a "+
			"majority has to vote for a change of its members", healthy, all)}
	case stay == 0:
		return []string{"etcd would have no member left"}
	case 2*stayHealthy <= stay:
		return []string{fmt.Sprintf("etcd would lose its quorum: of the %d members that stay %d "+
			"are healthy", stay, stayHealthy)}
	}
	return nil
}

// memberReasons want somebody who leads, and what synchronous replication promises, with those that
// come before the others go.
func memberReasons(sp *spec.Spec, s status.Status, gone []spec.Host, coming int) []string {
	leader, left, replicas := s.Leader(), coming, coming
	for _, m := range s.Members {
		if !m.Healthy || site.Among(gone, m.Name) {
			continue
		}
		left++
		if m.Name != leader {
			replicas++
		}
	}
	switch {
	case leader == "":
		return []string{"no member leads: who has every transaction is not known"}
	case left == 0:
		return []string{fmt.Sprintf("no healthy member would be left with the data: %d of %d would go",
			len(gone), len(s.Members))}
	}
	if site.Among(gone, leader) {
		replicas-- // one of them leads then
	}
	if sp.Patroni.SynchronousMode == spec.SynchronousStrict && replicas < 1 {
		return []string{"patroni.synchronous_mode: strict lets no transaction commit without a " +
			"replica, and none would be left"}
	}
	return nil
}

// alive refuses hosts that work here cannot reach while the cluster does: what runs there would go
// on.
func (w *work) alive(on *job.Job, s status.Status, gone []spec.Host) []string {
	var reasons []string
	for _, h := range gone {
		_, err := on.Site.Target(h.Name)
		if err == nil || w.Force {
			continue
		}
		healthy := slices.ContainsFunc(s.Etcd,
			func(m status.EtcdStatus) bool { return m.Name == h.Member && m.Healthy })
		streams := slices.ContainsFunc(s.Members,
			func(m status.MemberStatus) bool { return m.Name == h.Member && m.Healthy })
		if healthy || streams {
			reasons = append(reasons, fmt.Sprintf("%s cannot be reached from here, and still works: "+
				"what runs there would go on (%v); bring back the way to it, or its power down", h.Name,
				err))
		}
	}
	return reasons
}

// refuseUnfit asks hosts that come in what preflight asks all: whether anything of others is on
// them, their clock, their ports, and who reaches whom.
func (w *work) refuseUnfit(ctx context.Context) error {
	come := w.coming()
	if len(come) == 0 || w.undoing {
		return nil
	}
	// With those that go still in it nothing speaks against the cluster as it is.
	on := w.on(w.all)
	on.Site = on.LeavingOut(w.unreached())
	report, err := inspect.Preflight(ctx, on.Site, inspect.PreflightOptions{})
	if err != nil {
		return err
	}
	if w.AddFirst || len(w.Remove) == 0 {
		w.looked = &report // it is of what the first step brings about
	}
	var own []string
	for _, f := range report.Findings {
		if !f.Warning && slices.ContainsFunc(come, func(h spec.Host) bool {
			return slices.Contains(strings.Split(f.Host, ", "), h.Name)
		}) {
			own = append(own, f.Host+": "+f.Text())
		}
	}
	for _, h := range w.Renew {
		if report.Facts[h.Name].Premises.Member {
			own = append(own, h.Name+": it is no new machine: it has this cluster's authority, and "+
				"what else the cluster put there")
		}
	}
	if len(own) > 0 {
		return errs.WithNext(fmt.Errorf("%w: %s", errs.ErrRefused, strings.Join(own, "; ")),
			errs.Text("nothing was changed; a host that comes has nothing on it but its system"))
	}
	if w.looked == nil {
		return nil
	}
	if err := report.Err(); err != nil {
		return fmt.Errorf("%w: %w", errs.ErrRefused, err)
	}
	return nil
}

// coming are the hosts whose machines are new.
func (w *work) coming() []spec.Host { return slices.Concat(w.order.Add, w.Renew) }

// unreached are the hosts without a connection.
func (w *work) unreached() []spec.Host {
	return slices.DeleteFunc(slices.Clone(w.all.Hosts), func(h spec.Host) bool {
		_, err := w.Site.Target(h.Name)
		return err == nil
	})
}

// stillValid says what the keys of a host that nobody reached are worth.
func stillValid(h spec.Host) errs.Next {
	return errs.Text("the keys on %s could not be deleted: etcd takes them back, and %s makes the one "+
		"for Patroni's API worthless; wipe its disk before it starts in this network again", h.Name,
		errs.Verb("secrets", "rotate", "rest"))
}

// dropStale empties etcd's data directory on hosts that are to come back, and that etcd has
// removed: a run that was cut off in between has left it, and a member joins without data alone.
func (w *work) dropStale(ctx context.Context) error {
	o, err := engine.EtcdOptions(w.on(w.all))
	if err != nil {
		return err
	}
	known, err := etcd.ReadStore(ctx, o, w.ChangeKey())
	if err != nil {
		return err
	}
	for _, h := range site.Without(w.to.EtcdHosts(), w.from.EtcdHosts()) {
		if slices.ContainsFunc(known.Members, func(m etcd.StoreMember) bool {
			return m.Name == h.Member
		}) {
			continue
		}
		if err := power.StopEtcd(ctx, w.on(w.all), []spec.Host{h}); err != nil {
			return err
		}
	}
	return nil
}
