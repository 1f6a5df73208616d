package power

import (
	"context"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/operate"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
	"github.com/pgha/toolkit/pgha/vip"
)

// HandOver moves the leadership of the database away from these hosts to another one that is
// healthy, if one of these has it. It returns the member that leads the database then, and whether
// it does since now. Work that a switchover would cut short is refused (errs.ErrRefused) without
// force.
func HandOver(ctx context.Context, r *job.Job, hosts []spec.Host,
	force bool) (leader string, moved bool, err error) {
	leader, err = leaderOf(ctx, r)
	if err != nil || leader == "" || !site.Among(hosts, leader) {
		return leader, false, err
	}
	s, err := status.Look(ctx, r.Site)
	if err == nil {
		err = operate.RefuseObstacles(ctx, r, force)
	}
	if err != nil {
		return leader, false, err
	}
	leader, err = giveUpLeadership(ctx, r, s, hosts, nil)
	return leader, err == nil, err
}

// CanHandOver is nil where HandOver would find a member to lead in place of one on these hosts, by
// a status of this moment; it changes nothing. Else it is HandOver's error, with what keeps the
// best of them from leading: its tags, how many bytes it is behind, or that it is not synchronous.
func CanHandOver(ctx context.Context, r *job.Job, s status.Status, hosts []spec.Host) error {
	if leader := s.Leader(); leader == "" || !site.Among(hosts, leader) {
		return nil
	}
	_, err := successor(ctx, r, s, hosts, nil)
	return err
}

// leaderOf asks Patroni alone, which is quicker than a look at the whole cluster; "" where nobody
// leads.
func leaderOf(ctx context.Context, r *job.Job) (string, error) {
	po, err := engine.PatroniOptions(r)
	if err != nil {
		return "", err
	}
	state, err := patroni.NewClient(po).Cluster(ctx)
	leader, _ := state.Leader()
	return leader.Name, err
}

// StopDatabase stops Patroni on these hosts, and PostgreSQL with it, while the readers of the
// poolers are held. Whether the others can go on is the caller's business.
func StopDatabase(ctx context.Context, r *job.Job, hosts []spec.Host) error {
	return stopReplicas(ctx, r, hosts)
}

// StopEtcd stops etcd on these hosts and empties its data directory, of which a member that was
// removed can make no use. A directory that holds anything else is refused (errs.ErrRefused).
func StopEtcd(ctx context.Context, r *job.Job, hosts []spec.Host) error {
	if err := stopUnit(ctx, r, hosts, etcd.Unit); err != nil {
		return err
	}
	return empty(ctx, r, hosts, etcdData)
}

// EmptyDatabase deletes the data of PostgreSQL on these hosts. Patroni must have stopped there, and
// what is deleted must be this cluster's: else it is refused (errs.ErrRefused).
func EmptyDatabase(ctx context.Context, r *job.Job, hosts []spec.Host) error {
	return empty(ctx, r, hosts, postgresqlData)
}

// empty deletes the data of one kind.
func empty(ctx context.Context, r *job.Job, hosts []spec.Host, kind dataKind) error {
	path := r.Spec.Etcd.DataDir
	if kind == postgresqlData {
		path = r.Spec.PostgreSQL.DataDir
	}
	dirs := make([]dataDir, len(hosts))
	for i, h := range hosts {
		dirs[i] = dataDir{host: h, kind: kind, path: path}
	}
	err := parallel.Each(dirs, func(i int, _ dataDir) error { return describe(ctx, r, &dirs[i]) })
	if err == nil {
		err = refuseReset(dirs)
	}
	if err == nil {
		_, err = wipe(ctx, r, full(dirs))
	}
	return err
}

// StopBalancer takes a balancer out of service: the address goes to one of keep if it has it, then
// HAProxy stops.
func StopBalancer(ctx context.Context, r *job.Job, h spec.Host, keep []spec.Host) error {
	if r.Spec.VIP != nil {
		holdings, err := r.Holdings(ctx)
		if err != nil {
			return err
		}
		for _, held := range holdings {
			if held.Host != h.Name || !held.Holds {
				continue
			}
			if err := moveAddress(ctx, r, h, keep); err != nil {
				return err
			}
		}
		if err := stopUnit(ctx, r, []spec.Host{h}, vip.Unit); err != nil {
			return err
		}
	}
	return stopUnit(ctx, r, []spec.Host{h}, lb.Unit)
}

// TakeAway takes from hosts what apply has put there and they have no more after a change: all but
// its data where one goes, as Destroy does. Units are disabled, configuration, certificates, keys
// and passwords deleted. What is taken away must not run there any more.
func TakeAway(ctx context.Context, r, after *job.Job, hosts []spec.Host) error {
	kept, err := takeAway(ctx, r, hosts, func(h spec.Host) []string {
		list := belongings(r.Site, h)
		now, err := after.Spec.Host(h.Name)
		if err != nil {
			return list
		}
		kept := belongings(after.Site, now)
		return slices.DeleteFunc(list, func(line string) bool { return slices.Contains(kept, line) })
	})
	if err != nil {
		return err
	}
	var paths []string
	for _, k := range kept {
		paths = append(paths, k.Host+":"+k.Path)
	}
	if len(paths) > 0 {
		r.Warn("", "kept, as others had written it before: "+strings.Join(paths, ", "))
	}
	return nil
}

// MoveEtcdOff hands etcd's leadership to a healthy member on another host than these, if one of
// these has it; best to one whose host does not run the primary.
func MoveEtcdOff(ctx context.Context, r *job.Job, hosts []spec.Host) error {
	leader, _ := leaderOf(ctx, r) // unknown: then one is as good as another
	return moveEtcdOff(ctx, r, hosts, leader)
}
