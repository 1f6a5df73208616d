package adopt

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// adoption is how a cluster of databases comes to use an etcd that has lost what it knew of it: the
// member that takes the lock of such an etcd first is the primary, whatever the others have that it
// lacks, so the order is everything.
type adoption struct {
	// why says what has been seen.
	why string
	// first takes the lock before any other Patroni may; its Name is "" where somebody has taken it
	// already.
	first spec.Host
	// rest are restarted after it, one after the other.
	rest []spec.Host
	// hold are those of them who do not refuse this etcd and would take the lock: they are stopped
	// until first has it.
	hold []spec.Host
	// forget are keys of another time, such as the name of a former leader in a restored snapshot.
	forget []string
}

// cluster state in etcd that only the running cluster can know; its settings and its identifier
// stay.
var passing = []string{"leader", "sync", "failover", "failsafe", "status"}

// storeView is what is known of an etcd and of those who should use it.
type storeView struct {
	looks    map[string]hostlook.Look
	refusals map[string]patroni.Refusal // by member
	keys     map[string]string          // below the cluster's prefix
}

// Store brings the members to an etcd that does not know the cluster any more, or knows it as it
// once was; nothing happens where etcd and the members agree, or while etcd has no quorum. On every
// host PostgreSQL continues: Patroni alone is killed and started. Patroni of the running primary
// comes first and has to hold the lock before any other is touched.
//
// The error matches ErrRefused where it cannot be known who has every row; nothing is changed then.
func Store(ctx context.Context, r *job.Job) error {
	v, err := viewStore(ctx, r)
	if err != nil {
		return nil //nolint:nilerr // etcd has no quorum: it is waited for by those who need it
	}
	a, err := planAdoption(r.Spec, v)
	if err != nil || a == nil {
		return err
	}
	r.Warn("", a.why+": Patroni is restarted, on the primary first; PostgreSQL goes on")
	if a.first.Name != "" {
		if err := takeLock(ctx, r, a); err != nil {
			return err
		}
	}
	return Rejoin(ctx, r, a.rest)
}

// viewStore looks at the hosts, then at etcd: a cluster that is just being made has its key in etcd
// before it has data.
func viewStore(ctx context.Context, r *job.Job) (storeView, error) {
	var v storeView
	po, err := r.Site.PatroniOptionsFor(r.Target)
	if err != nil {
		return v, err
	}
	if v.looks, err = hostlook.Hosts(ctx, r, r.Spec.Databases()); err != nil {
		return v, err
	}
	if v.refusals, err = patroni.Refusals(ctx, po); err != nil {
		return v, err
	}
	v.keys, err = StoreKeys(ctx, r)
	return v, err
}

// StoreKeys returns the cluster's keys in etcd, without their prefix.
func StoreKeys(ctx context.Context, r *job.Job) (map[string]string, error) {
	eo, err := r.Site.EtcdOptionsFor(r.Target)
	if err != nil {
		return nil, err
	}
	return etcd.Keys(ctx, eo, StorePrefix(r.Site))
}

// StorePrefix is what the names of the cluster's keys in etcd begin with.
func StorePrefix(c *site.Site) string {
	return site.StorePrefix(c)
}

// planAdoption says what is to be done; nil where etcd and the members agree. The error matches
// ErrRefused.
func planAdoption(sp *spec.Spec, v storeView) (*adoption, error) {
	databases := sp.Databases()
	initialized, known := v.keys["initialize"]
	if len(v.refusals) == 0 && (known || hostlook.MostAdvanced(databases, v.looks) == "" ||
		v.begins(databases)) {
		return nil, nil
	}
	a := &adoption{why: "etcd knows nothing of this cluster, whose data is there: it lost its own"}
	for _, m := range slices.Sorted(maps.Keys(v.refusals)) {
		a.why = "etcd lost its data, or was restored from a snapshot: " + v.refusals[m].String()
		break
	}
	if leads, err := sp.Host(v.keys["leader"]); err == nil &&
		v.looks[leads.Name].Control.Primary() &&
		!v.refuses(leads) {
		a.rest = slices.DeleteFunc(databases, func(h spec.Host) bool { return !v.refuses(h) })
		return a, nil
	}
	first, err := firstToLead(databases, v.looks)
	if err != nil {
		return nil, err
	}
	if now := v.looks[first.Name].Control.Identifier; initialized != "" && initialized != now {
		return nil, remote.WithHint(
			fmt.Errorf("%w: etcd is of another database cluster: its system identifier is %s, "+
				"and %s has %s",
				errs.ErrRefused, initialized, first.Name, now),
			"a snapshot of this cluster's own etcd, or an empty etcd, is what can be used")
	}
	a.first, a.rest = first, site.Without(databases, []spec.Host{first})
	a.rest = slices.DeleteFunc(a.rest, func(h spec.Host) bool {
		return !v.looks[h.Name].Runs(patroni.Unit)
	})
	a.hold = slices.DeleteFunc(slices.Clone(a.rest), v.refuses)
	a.forget = passed(v.keys)
	return a, nil
}

// begins tells whether a cluster is being made that begins with given data: the first host has it
// and no other has any, Patroni was never set up, and etcd has nothing. So there is nothing to
// choose.
func (v storeView) begins(databases []spec.Host) bool {
	for i, h := range databases {
		look := v.looks[h.Name]
		if look.Err != nil || look.Runs(patroni.Unit) || look.Enabled[patroni.Unit] == "enabled" ||
			(i == 0) != (look.Control.Identifier != "") {
			return false
		}
	}
	return len(v.keys) == 0
}

// passed are those of the keys that only a running cluster can know.
func passed(keys map[string]string) []string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if slices.Contains(passing, k) || strings.HasPrefix(k, "members/") {
			list = append(list, k)
		}
	}
	return list
}

// Lead makes first the leader of an etcd that has a quorum and in which nobody leads: what its keys
// say of former leaders and members is removed, so that no rule about lag or synchronous standbys
// of that time holds first back. Patroni of the hosts in hold is stopped before, and stays so; see
// Rejoin. PostgreSQL continues everywhere. Safe to repeat.
func Lead(ctx context.Context, r *job.Job, first spec.Host, hold []spec.Host) error {
	keys, err := StoreKeys(ctx, r)
	if err != nil {
		return err
	}
	return takeLock(ctx, r, &adoption{first: first, hold: hold, forget: passed(keys)})
}

// Rejoin starts Patroni on the hosts, one after the other, and waits until each streams from the
// leader.
func Rejoin(ctx context.Context, r *job.Job, hosts []spec.Host) error {
	for _, h := range hosts {
		if err := bringBack(ctx, r, h); err != nil {
			return err
		}
		if err := AwaitMembers(ctx, r, []spec.Host{h}, job.StartWait); err != nil {
			return err
		}
	}
	return nil
}

func (v storeView) refuses(h spec.Host) bool { _, ok := v.refusals[h.Member]; return ok }

// firstToLead picks the member that has every acknowledged row: the one that runs as the primary,
// whoever started it, or where none does the one whose data is ahead. The error matches ErrRefused
// where that cannot be known.
func firstToLead(databases []spec.Host, looks map[string]hostlook.Look) (spec.Host, error) {
	refuse := func(next errs.Next, format string, args ...any) (spec.Host, error) {
		return spec.Host{}, errs.WithNext(fmt.Errorf("%w: %s", errs.ErrRefused,
			fmt.Sprintf(format, args...)), next)
	}
	const lost = "etcd has lost what it knew, and the first to start leads: "
	var primaries, down []string
	for _, h := range databases {
		l := looks[h.Name]
		switch {
		case l.Err != nil:
			return refuse(errs.Text("bring %s back first, then %s", h.Name, errs.Verb("apply")),
				lost+"%s may have the newest data, and cannot be asked: %v", h.Name, l.Err)
		case l.Server && l.Control.Primary():
			primaries = append(primaries, h.Name)
		case !l.Server && l.Control.Identifier != "":
			down = append(down, h.Name)
		}
	}
	if len(primaries) > 1 {
		return refuse(
			errs.Text("find out which one has the rows that are wanted, run systemctl stop "+
				"patroni on the other, then %s", errs.Verb("apply")), lost+"%s both run as the "+
				"primary", strings.Join(primaries, " and "))
	}
	best := hostlook.MostAdvanced(databases, looks)
	if len(primaries) == 1 {
		best = primaries[0]
	}
	for _, h := range databases {
		if h.Name != best {
			continue
		}
		if len(down) > 0 && !looks[best].Control.Primary() {
			return refuse(
				errs.Text("compare pg_controldata of all hosts, run systemctl restart patroni on "+
					"the one that is ahead, wait until it leads, then %s", errs.Verb("apply")),
				lost+"nobody runs as the primary, and PostgreSQL is down on %s, whose data may "+
					"be the newest",
				strings.Join(down, ", "))
		}
		return h, nil
	}
	return refuse(errs.Text("%s says what is there", errs.Verb("doctor")), lost+"no host has data")
}

// takeLock makes the first member the leader.
func takeLock(ctx context.Context, r *job.Job, a *adoption) error {
	for _, h := range append([]spec.Host{a.first}, a.hold...) {
		if err := quitPatroni(ctx, r, h); err != nil {
			return err
		}
	}
	if len(a.forget) > 0 && !r.Planning() {
		eo, err := r.Site.EtcdOptionsFor(r.Target)
		if err != nil {
			return err
		}
		keys := make([]string, len(a.forget))
		for i, k := range a.forget {
			keys[i] = StorePrefix(r.Site) + k
		}
		if err := etcd.Forget(ctx, eo, keys...); err != nil {
			return err
		}
	}
	if err := bringBack(ctx, r, a.first); err != nil {
		return err
	}
	next := errs.Text("see `journalctl -u patroni -n 50` on %s; start no other member's Patroni "+
		"before it leads",
		a.first.Name)
	return r.Until(ctx, job.StartWait, a.first.Member+" to take the lock", next,
		func(ctx context.Context) string {
			keys, err := StoreKeys(ctx, r)
			if err != nil {
				return err.Error()
			}
			if keys["leader"] != a.first.Member {
				return fmt.Sprintf("the lock is held by %q", keys["leader"])
			}
			// the leader writes it in the round after the one in which it took the lock
			if keys["config"] == "" {
				return "the cluster's settings are not in etcd yet"
			}
			return ""
		})
}

// quit ends Patroni and leaves PostgreSQL alone: told to stop, Patroni would stop it.
const quit = `systemctl kill --signal=KILL --kill-whom=main "$1" 2>/dev/null; systemctl stop "$1"`

func quitPatroni(ctx context.Context, r *job.Job, h spec.Host) error {
	t, err := r.Target(h.Name)
	if err == nil {
		_, err = t.Run(ctx, remote.Cmd{Script: quit, Argv: []string{patroni.Unit}, Mutating: true})
	}
	return err
}

// HoldPatroni ends every Patroni before a new, empty etcd is formed: one that never knew a higher
// Raft term would not refuse it, and the first of them to see it would lead. The primary's goes
// first, for without the others it would step down. Where it cannot be known who is to lead
// afterwards the error matches ErrRefused, and nothing is changed.
func HoldPatroni(ctx context.Context, r *job.Job) error {
	looks, err := hostlook.Hosts(ctx, r, r.Spec.Databases())
	if err != nil {
		return err
	}
	a, err := planAdoption(r.Spec, storeView{looks: looks})
	if err != nil || a == nil {
		return err
	}
	r.Warn("", a.why+": Patroni is stopped everywhere until etcd is there, and "+a.first.Name+
		" starts first; PostgreSQL goes on")
	for _, h := range append([]spec.Host{a.first}, a.rest...) {
		if err := quitPatroni(ctx, r, h); err != nil {
			return err
		}
	}
	return nil
}

// bringBack starts Patroni again beside a PostgreSQL that keeps running.
func bringBack(ctx context.Context, r *job.Job, h spec.Host) error {
	if err := quitPatroni(ctx, r, h); err != nil {
		return err
	}
	t, err := r.Target(h.Name)
	if err == nil {
		_, err = t.Do(ctx, patroni.Unit, "restarted",
			remote.Cmd{Argv: []string{"systemctl", "start", patroni.Unit}})
	}
	return remote.WithHint(err, "see `journalctl -u patroni -n 50` on "+h.Name)
}

// AwaitMembers waits until the members on these hosts lead or stream from the leader.
func AwaitMembers(ctx context.Context, r *job.Job, databases []spec.Host,
	bound time.Duration) error {
	po, err := r.Site.PatroniOptionsFor(r.Target)
	if err != nil {
		return err
	}
	client := patroni.NewClient(po)
	what := "a leader, and " + strings.Join(site.HostNames(databases), ", ") + " to lead or stream"
	next := errs.Text("see `journalctl -u patroni -n 50` on the hosts, and %s", errs.Verb("status"))
	return r.Until(ctx, bound, what, next, func(ctx context.Context) string {
		state, err := client.Cluster(ctx)
		if err != nil {
			return err.Error()
		}
		for _, h := range databases {
			if !state.Healthy(h.Member) {
				return h.Member + " " + state.Fault(h.Member)
			}
		}
		return ""
	})
}

// ForgetMember deletes what etcd has of a member whose Patroni has stopped: the key that would
// expire after ttl. Safe to repeat.
func ForgetMember(ctx context.Context, r *job.Job, member string) error {
	eo, err := r.Site.EtcdOptions()
	if err != nil || r.Planning() {
		return err
	}
	return etcd.Forget(ctx, eo, StorePrefix(r.Site)+"members/"+member)
}
