package measure

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// AdviseTimeout bounds what Advise measures; a healthy cluster takes less than two seconds.
const AdviseTimeout = 10 * time.Second

// AdviseOptions say how Advise works. The zero value measures everything.
type AdviseOptions struct {
	// Timeout bounds the questions to the hosts; 0 means 10 s. What has not answered by then is in
	// Advice.Errors.
	Timeout time.Duration
}

// Advice is what a cluster would survive, and what does not go together. Its JSON form is stable:
// fields are added, never renamed.
type Advice struct {
	Cluster string    `json:"cluster"`
	Time    time.Time `json:"time"`
	// Live is false when only the specification was looked at: then the losses are those of a
	// healthy cluster.
	Live bool `json:"live"`
	// Problems say what is not as it should be now, so that the losses begin from there.
	Problems []string         `json:"problems"`
	Losses   []advisor.Loss   `json:"losses"`
	Remarks  []advisor.Remark `json:"remarks"`
	Facts    advisor.Facts    `json:"facts"`
	// Errors holds what could not be measured, with the reason.
	Errors map[string]string `json:"errors,omitempty"`
}

// Warnings returns the remarks that are more than a note.
func (a Advice) Warnings() []advisor.Remark {
	return slices.DeleteFunc(slices.Clone(a.Remarks),
		func(r advisor.Remark) bool { return r.Severity == advisor.Note })
}

// AdviseSpec looks at a specification alone and contacts no host: what a healthy cluster of it
// would survive, and what in it does not go together. Pure computation.
func AdviseSpec(sp *spec.Spec) Advice {
	return Advice{Cluster: sp.Cluster, Time: time.Now(), Problems: []string{},
		Losses:  orEmpty(advisor.Losses(advisor.Expected(sp), advisor.Facts{})),
		Remarks: orEmpty(advisor.Remarks(sp, advisor.Facts{})), Facts: noFacts()}
}

// Advise measures the hosts and says what the loss of each of them, of a balancer and of etcd's
// quorum would do to the cluster as it is at this moment, and which settings contradict each other
// or what was measured.
//
// It measures, all at the same time, in between one and two seconds: etcd's own histogram of its
// disk's syncs, or a hundred small writes beside its data where that does not exist or has counted
// less; the time of connections between hosts; memory, disks and watchdogs; the leader's settings,
// slots, replicas and rate of writing; other virtual routers on the balancers' network. Nothing is
// changed but for a temporary file for these writes. What cannot be measured is in Errors, and
// rules that need it say nothing; a ctx that ends is an error.
func Advise(ctx context.Context, c *site.Site, opts AdviseOptions) (Advice, error) {
	a := Advice{Cluster: c.Spec.Cluster, Time: time.Now(), Live: true}
	bounded, cancel := context.WithTimeout(ctx, cmp.Or(opts.Timeout, AdviseTimeout))
	defer cancel()
	var now status.Status
	var statusErr error
	var wg sync.WaitGroup
	wg.Go(func() { now, statusErr = status.Look(bounded, c) })
	a.Facts, a.Errors = Measure(bounded, c, true)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return a, fmt.Errorf("advise: %w", err)
	}
	if statusErr != nil {
		a.Errors["status"] = statusErr.Error()
	}
	a.Problems = orEmpty(now.Problems())
	a.Losses = orEmpty(advisor.Losses(TopologyOf(c.Spec, now), a.Facts))
	a.Remarks = orEmpty(advisor.Remarks(c.Spec, a.Facts))
	return a, nil
}

// noFacts are facts of nothing, with lists as JSON wants them.
func noFacts() advisor.Facts {
	return advisor.Facts{Hosts: map[string]advisor.HostFacts{}, RoundTrips: []advisor.RoundTrip{},
		Strangers: []advisor.Stranger{}}
}

// orEmpty is the list as JSON wants it: [] and not null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// TopologyOf is who works, by a status.
func TopologyOf(sp *spec.Spec, s status.Status) advisor.Topology {
	t := advisor.Topology{Spec: sp}
	for _, h := range sp.Hosts {
		host := advisor.Host{Name: h.Name, Barred: advisor.Barred(h)}
		if h.Has(spec.RoleBalancer) {
			host.Balancer = s.Balances(h.Name)
			host.Holds = s.VIP != nil && slices.Contains(s.VIP.Holders, h.Name)
		}
		for _, m := range s.Members {
			if m.Name == h.Member {
				host.Member, host.Leads = m.Healthy, m.Role == string(patroni.RoleLeader)
				host.Synchronous = m.Role == string(patroni.RoleSyncStandby) ||
					m.Role == string(patroni.RoleQuorumStandby)
			}
		}
		for _, e := range s.Etcd {
			if e.Name == h.Member {
				host.Etcd, host.LeadsEtcd = e.Healthy, e.Healthy && e.Leader
			}
		}
		t.Hosts = append(t.Hosts, host)
	}
	return t
}

// Removal says why hosts must not be taken away now, by the advisor.
func Removal(sp *spec.Spec, s status.Status, hosts []spec.Host) []string {
	return advisor.Removal(TopologyOf(sp, s), site.HostNames(hosts)...)
}
