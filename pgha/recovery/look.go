package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/adopt"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// view is all that is decided on.
type view struct {
	from  spec.Host
	voter spec.Host                    // whose etcd continues
	looks map[string]hostlook.Look     // by host
	nodes map[string]patroni.NodeState // by member, of those whose Patroni answers
	// writes are the members to which balancers send writes, by balancer.
	writes map[string][]string
	// store is what etcd says with a quorum; nil without one.
	store *etcd.Store
	// keys are the cluster's: those of store, or what etcd on from alone remembers.
	keys map[string]string
}

// look asks the hosts, Patroni, etcd and the balancers, all at the same time.
func look(ctx context.Context, r *job.Job, name string) (view, error) {
	v := view{nodes: map[string]patroni.NodeState{}, writes: map[string][]string{}}
	var err error
	if v.from, err = r.Spec.Host(name); err != nil {
		return v, err
	}
	if !v.from.Has(spec.RoleDatabase) {
		return v, fmt.Errorf("%w: %s has no database: it is a %s", errs.ErrRefused, v.from.Name,
			v.from.RoleNames())
	}
	eo, err := r.Site.EtcdOptionsFor(r.Target)
	if err != nil {
		return v, err
	}
	po, err := r.Site.PatroniOptionsFor(r.Target)
	if err != nil {
		return v, err
	}
	var wg sync.WaitGroup
	var looksErr error
	wg.Go(func() {
		v.looks, looksErr = hostlook.Hosts(ctx, r, r.Spec.MemberHosts())
		v.voter = voter(r.Spec, v.from, v.looks)
		v.askStore(ctx, eo, adopt.StorePrefix(r.Site))
	})
	wg.Go(func() { v.askBalancers(ctx, r) })
	client := patroni.NewClient(po)
	var mu sync.Mutex
	for _, h := range r.Spec.Databases() {
		wg.Go(func() {
			if node, err := client.Patroni(ctx, h.Member); err == nil {
				mu.Lock()
				defer mu.Unlock()
				v.nodes[h.Member] = node
			}
		})
	}
	wg.Wait()
	return v, errs.Join(looksErr, ctx.Err())
}

// voter is the host whose etcd goes on: that of the member, or where none runs there the first host
// of etcd that answers; none where no host does.
func voter(sp *spec.Spec, from spec.Host, looks map[string]hostlook.Look) spec.Host {
	if sp.Runs(from, spec.RoleEtcd) {
		return from
	}
	for _, h := range sp.EtcdHosts() {
		if looks[h.Name].Err == nil {
			return h
		}
	}
	return spec.Host{}
}

func (v *view) askStore(ctx context.Context, eo etcd.Options, prefix string) {
	if s, err := etcd.ReadStore(ctx, eo, prefix); err == nil {
		v.store, v.keys = &s, s.Values
		return
	}
	// Without an answer nothing is known of the former leader's position, and that is said.
	v.keys, _ = etcd.LastKnown(ctx, eo, v.voter.Member, prefix)
}

// askBalancers leaves out those that do not answer: what cannot be asked sends nobody anywhere that
// is known.
func (v *view) askBalancers(ctx context.Context, r *job.Job) {
	bo, err := r.Site.BalancerOptionsFor(r.Target)
	if err != nil || len(bo.Balancers) == 0 {
		return
	}
	states, _ := lb.State(ctx, bo)
	for _, b := range states {
		if primary, _ := status.Serving(b); len(primary) > 0 {
			v.writes[b.Host] = primary
		}
	}
}

// leader is the member that holds the lock and runs, or "".
func (v view) leader() string {
	if name := v.keys["leader"]; v.store != nil && v.nodes[name].Role == patroni.RoleLeader {
		return name
	}
	return ""
}

// refuse says why the cluster must not go on from this member: nil, or an error that matches
// ErrRefused.
func (v view) refuse(sp *spec.Spec) error {
	from := v.looks[v.from.Name]
	known := v.keys["initialize"]
	switch {
	case from.Err != nil:
		return fmt.Errorf("%w: %w", errs.ErrRefused, from.Err)
	case from.Control.Identifier == "":
		return fmt.Errorf("%w: %s has no database in %s", errs.ErrRefused, v.from.Name,
			sp.PostgreSQL.DataDir)
	case v.voter.Name == "":
		return errs.WithNext(fmt.Errorf("%w: no host of etcd answers", errs.ErrRefused),
			errs.Text("bring one back, or put empty hosts in their places: %s then forms etcd "+
				"anew beside the databases", errs.Verb("apply")))
	case known != "" && known != from.Control.Identifier:
		return fmt.Errorf("%w: %s has a database of another cluster: its system identifier is "+
			"%s, and etcd knows %s",
			errs.ErrRefused, v.from.Name, from.Control.Identifier, known)
	}
	if v.store != nil && !v.alone(sp) {
		return errs.WithNext(fmt.Errorf("%w: its members are %s", etcd.ErrHasQuorum,
			memberNames(*v.store)),
			errs.Text("%s shows what is wrong; a leader that is gone is replaced by %s",
				errs.Verb("doctor"),
				errs.Verb("failover")))
	}
	for balancer, members := range v.writes {
		if !slices.Contains(members, v.from.Member) {
			return errs.WithNext(fmt.Errorf("%w: %s sends writes to %s, which therefore runs as "+
				"the primary",
				errs.ErrRefused, balancer, strings.Join(members, ", ")),
				errs.Text("bring back the way to its host: this machine may be the one that is "+
					"cut off"))
		}
	}
	return v.refuseBehind(sp)
}

func memberNames(s etcd.Store) string {
	var names []string
	for _, m := range s.Members {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

// alone tells whether etcd is the cluster of one that an earlier run for this member has made.
func (v view) alone(sp *spec.Spec) bool {
	if v.store == nil || len(v.store.Members) != 1 || v.store.Members[0].Name != v.voter.Member {
		return false
	}
	if v.voter.Name == v.from.Name {
		return true
	}
	leader := v.leader()
	return len(sp.EtcdHosts()) > 1 && (leader == "" || leader == v.from.Member)
}

// refuseBehind wants the member that is ahead of all others that answer.
func (v view) refuseBehind(sp *spec.Spec) error {
	line, own := v.position(v.from)
	for _, h := range sp.Databases() {
		l := v.looks[h.Name]
		if h.Name == v.from.Name || l.Err != nil ||
			l.Control.Identifier != v.looks[v.from.Name].Control.Identifier {
			continue
		}
		otherLine, other := v.position(h)
		next := errs.Text("run %s", errs.Verb("recover", "--from", h.Member))
		switch {
		case otherLine > line:
			return errs.WithNext(fmt.Errorf("%w: %s is on timeline %d, %s on %d: a leader came "+
				"after what %s knows",
				errs.ErrRefused, h.Member, otherLine, v.from.Member, line, v.from.Member), next)
		case otherLine == line && own.Behind(other) > 0:
			return errs.WithNext(fmt.Errorf("%w: %s has %d bytes more than %s", errs.ErrRefused,
				h.Member,
				own.Behind(other), v.from.Member), next)
		}
	}
	return nil
}

// position is how far a member's data goes: as its Patroni says, or its control file, which knows
// the latest checkpoint.
func (v view) position(h spec.Host) (timeline int64, at patroni.LSN) {
	control := v.looks[h.Name].Control
	node := v.nodes[h.Member]
	return max(node.Timeline, control.Timeline), max(node.Location, patroni.LSN(control.Checkpoint))
}

// givenUp are the other members that do not answer or have no data.
func (v view) givenUp(sp *spec.Spec) []string {
	list := []string{}
	for _, h := range sp.MemberHosts() {
		if l := v.looks[h.Name]; h.Name != v.from.Name &&
			(l.Err != nil || h.Has(spec.RoleDatabase) && l.Control.Identifier == "") {
			list = append(list, h.Member)
		}
	}
	return list
}

// loss compares the member with what etcd had heard of the leader: at most every loop_wait.
func (v view) loss() (bytes *int64, text string) {
	none := int64(0)
	// As Patroni 4 writes them; the position is a number there.
	var last struct {
		Optime uint64 `json:"optime"`
	}
	var sync struct {
		Leader  string `json:"leader"`
		Standby string `json:"sync_standby"`
		Quorum  *int   `json:"quorum"`
	}
	_ = json.Unmarshal([]byte(v.keys["sync"]), &sync) // nothing is known then
	standbys := strings.Split(sync.Standby, ",")
	member := v.from.Member
	switch {
	case v.looks[v.from.Name].Control.Primary() &&
		(v.keys["leader"] == member || sync.Leader == member):
		return &none, member + " was the leader: no transaction that it acknowledged is lost"
	case slices.Contains(standbys, member) && (sync.Quorum == nil || *sync.Quorum == len(standbys)):
		return &none, member + " was a synchronous standby: no transaction that was acknowledged " +
			"is lost"
	}
	if err := json.Unmarshal([]byte(v.keys["status"]), &last); err != nil || last.Optime == 0 {
		return nil, "how much is lost is not known: etcd on " + v.voter.Name +
			" does not say how far the leader was"
	}
	_, own := v.position(v.from)
	heard := patroni.LSN(last.Optime)
	behind := max(0, own.Behind(heard))
	return &behind, fmt.Sprintf("%s is at %s, %d bytes behind the last position of the leader "+
		"that etcd heard of, %s; what was written in the seconds after that is lost too", member,
		own, behind, heard)
}
