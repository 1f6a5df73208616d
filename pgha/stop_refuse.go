package pgha

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// refuseStop says why these hosts must not be stopped now: nil, an error that matches ErrRefused, or patroni.ErrPaused.
// All hosts of the spec are the whole cluster, of which nothing has to go on.
func refuseStop(sp *Spec, s Status, looks map[string]hostLook, hosts []spec.Host, force bool) error {
	if s.Paused && len(only(spec.RoleDatabase, hosts)) > 0 {
		return remote.WithHint(fmt.Errorf("%w: Patroni would leave PostgreSQL running", patroni.ErrPaused), "pgha-cli resume comes first")
	}
	if force {
		return nil
	}
	var reasons []string
	if silent := slices.DeleteFunc(slices.Clone(hosts), func(h spec.Host) bool { return looks[h.Name].err == nil }); len(silent) > 0 {
		reasons = append(reasons, fmt.Sprintf("%s cannot be reached, and what runs there goes on", strings.Join(hostNames(silent), ", ")))
	}
	if rest := without(sp.Hosts, hosts); len(rest) > 0 {
		reasons = append(reasons, lostEtcd(sp, s, hosts)...)
		reasons = append(reasons, lostDatabase(s, hosts)...)
		reasons = append(reasons, lostBalancers(sp, s, hosts)...)
	}
	if len(reasons) == 0 {
		return nil
	}
	return remote.WithHint(fmt.Errorf("%w: %s", ErrRefused, strings.Join(reasons, "; ")),
		"bring back first what is down (pgha-cli status); stop without hosts stops the whole cluster in order; --force stops these all the same")
}

// lostEtcd says that etcd would lose its quorum, if the hosts have a part in it now.
func lostEtcd(sp *Spec, s Status, hosts []spec.Host) []string {
	remain, leave := 0, 0
	for _, e := range s.Etcd {
		switch {
		case !e.Healthy:
		case among(hosts, e.Name):
			leave++
		default:
			remain++
		}
	}
	if all := len(sp.Databases()); leave > 0 && remain <= all/2 {
		return []string{fmt.Sprintf("etcd would lose its quorum: %d of its %d members would be left", remain, all)}
	}
	return nil
}

// lostDatabase says that nobody healthy would be left.
func lostDatabase(s Status, hosts []spec.Host) []string {
	remain, leave := 0, 0
	for _, m := range s.Members {
		switch {
		case !m.Healthy:
		case among(hosts, m.Name):
			leave++
		default:
			remain++
		}
	}
	if leave > 0 && remain == 0 {
		return []string{"no healthy member of the database would be left"}
	}
	return nil
}

// lostBalancers says that the last one would go.
func lostBalancers(sp *Spec, s Status, hosts []spec.Host) []string {
	remain, leave := 0, 0
	for _, b := range s.Balancers {
		switch {
		case b.Error != "":
		case among(hosts, b.Host):
			leave++
		default:
			remain++
		}
	}
	if leave > 0 && remain == 0 && len(sp.Balancers()) > 0 {
		return []string{"no balancer would be left, and with the last one goes the address"}
	}
	return nil
}
