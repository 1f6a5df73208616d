package advisor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/spec"
)

// Loss is what the loss of something would do now.
type Loss struct {
	// What is lost: a host, with what it is at this moment, or etcd's quorum.
	What string
	// Hosts that are lost; none where only services are.
	Hosts []string
	// Blocked says why nobody could write until somebody mends it; "" when the cluster continues by
	// itself.
	Blocked string
	// Typical and Worst are the time without writes until the cluster has gone on by itself; where
	// it is Blocked, the time until writes stop.
	Typical, Worst time.Duration
	// Risk are acknowledged writes that would be lost.
	Risk Risk
	// Left is what there is afterwards.
	Left string
	// Fatal are hosts of which none could be lost next, with why; empty when any single one could.
	Fatal []Fatal
	// Note says what else there is to know.
	Note string
}

// Fatal are hosts of which the loss of one more would stop writes, for one reason.
type Fatal struct {
	Hosts []string `json:"hosts"`
	Why   string   `json:"why"`
}

// SurvivesNext tells whether the cluster would go on by itself and survive the loss of any other
// host after that.
func (l Loss) SurvivesNext() bool { return l.Blocked == "" && len(l.Fatal) == 0 }

// Losses says what the loss of each host and of etcd's quorum would do: databases, hosts of etcd,
// balancers, each in the order of the specification, then etcd. A host that is down already is left
// out. Pure computation; facts only make the bytes and rows at risk known.
func Losses(t Topology, facts Facts) []Loss {
	var losses []Loss
	for _, role := range []spec.Role{spec.RoleDatabase, spec.RoleEtcd, spec.RoleBalancer} {
		for _, h := range t.Hosts {
			if t.firstRole(h) == role && h.works() {
				losses = append(losses, t.lose(h, facts))
			}
		}
	}
	if t.quorum() && len(t.Spec.EtcdHosts()) > 1 {
		losses = append(losses, t.loseQuorum())
	}
	return losses
}

// firstRole is the role by which a host is listed: of several a database comes first.
func (t Topology) firstRole(h Host) spec.Role {
	on, _ := t.Spec.Host(h.Name) // a host that the specification has not has no role
	for _, role := range []spec.Role{spec.RoleDatabase, spec.RoleEtcd, spec.RoleBalancer} {
		if t.Spec.Runs(on, role) {
			return role
		}
	}
	return ""
}

// lose is the loss of one host.
func (t Topology) lose(h Host, facts Facts) Loss {
	left := t.without(h.Name)
	l := Loss{What: t.describeHost(h), Hosts: []string{h.Name}, Blocked: left.blocked(),
		Left:  left.describe(),
		Fatal: left.fatal()}
	c := clockOf(t.Spec)
	took := timing("", "")
	switch {
	case l.Blocked != "" && t.firstRole(h) != spec.RoleBalancer && !h.Leads:
		took = c.cutOffOld()
		if left.quorum() { // strict: the next commit waits
			took = timing("", "")
		}
	case l.Blocked != "":
	case t.quorum() && !left.quorum():
		l.Note = "etcd has no quorum then; failsafe_mode: the primary stays while every member " +
			"answers it"
	case h.Leads && h.LeadsEtcd:
		took = c.hostLostWithEtcd()
		l.Note = "it leads etcd, too, which has to elect first and then renews the lock"
	case h.Leads:
		took = c.hostLost()
	case h.Synchronous && slices.Contains([]spec.SynchronousMode{spec.SynchronousOn,
		spec.SynchronousStrict},
		t.Spec.Patroni.SynchronousMode):
		took = timing("", "", c.replaced()...)
		l.Note = "commits wait until another replica is the synchronous one"
	case h.Holds:
		took = c.balancerLost()
	}
	l.Typical, l.Worst = took.Typical, took.Worst
	if h.Leads {
		l.Risk = t.risk(facts)
	}
	return l
}

// loseQuorum is the loss of etcd alone, while every PostgreSQL continues.
func (t Topology) loseQuorum() Loss {
	all := len(t.Spec.EtcdHosts())
	l := Loss{What: fmt.Sprintf("etcd's quorum (%d of its %d members; the databases run on)",
		t.etcdMembers()-all/2, all), Left: "PostgreSQL on every host, nobody is promoted"}
	if databases := len(t.Spec.Databases()); t.Spec.Patroni.FailsafeMode &&
		t.members() == databases {
		l.Note = fmt.Sprintf("failsafe_mode: the primary stays while every one of the %d members "+
			"answers it", databases) + t.shared(all/2+1)
		l.Fatal = []Fatal{{Hosts: t.names(func(h Host) bool { return h.Member }),
			Why: "a member that does not answer ends failsafe_mode"}}
		return l
	}
	stop := clockOf(t.Spec).cutOffOld()
	l.Blocked, l.Typical, l.Worst = "nobody can hold the leader lock", stop.Typical, stop.Worst
	if t.Spec.Patroni.FailsafeMode {
		l.Note = "failsafe_mode does not help: not every member is healthy"
	}
	return l
}

// shared says what failsafe_mode does not help against where etcd runs on the databases' hosts: the
// loss of as many hosts as make its quorum.
func (t Topology) shared(quorum int) string {
	apart := 0
	for _, h := range t.Spec.EtcdHosts() {
		if !h.Has(spec.RoleDatabase) {
			apart++
		}
	}
	switch {
	case apart == 0:
		return fmt.Sprintf("; etcd runs on the same hosts, so the loss of %d hosts takes members "+
			"away, too, and stops writes", quorum)
	case apart < quorum:
		return fmt.Sprintf("; etcd runs on hosts of databases, too, so the loss of %d hosts takes "+
			"a member away, too, and stops writes", quorum)
	}
	return ""
}

// fatal groups the hosts whose loss would be one too many by what it would do.
func (t Topology) fatal() []Fatal {
	var list []Fatal
	if t.blocked() != "" {
		return nil
	}
	for _, h := range t.Hosts {
		if !h.works() {
			continue
		}
		why := t.without(h.Name).blocked()
		i := slices.IndexFunc(list, func(f Fatal) bool { return f.Why == why })
		switch {
		case why == "":
		case i >= 0:
			list[i].Hosts = append(list[i].Hosts, h.Name)
		default:
			list = append(list, Fatal{Hosts: []string{h.Name}, Why: why})
		}
	}
	return list
}

func (t Topology) names(is func(Host) bool) []string {
	var names []string
	for _, h := range t.Hosts {
		if is(h) {
			names = append(names, h.Name)
		}
	}
	return names
}

// describeHost names a host with what it is.
func (t Topology) describeHost(h Host) string {
	on, _ := t.Spec.Host(h.Name) // a host that the specification has not has no role
	var is []string
	switch {
	case !on.Has(spec.RoleDatabase):
	case h.Leads:
		is = append(is, "leader")
	case h.Member:
		is = append(is, "replica")
	default:
		is = append(is, "no healthy member")
	}
	switch {
	case !on.Has(spec.RoleBalancer):
	case h.Holds:
		is = append(is, "holds the address")
	default:
		is = append(is, "balancer")
	}
	if len(is) == 0 {
		is = append(is, "etcd alone")
	}
	if h.LeadsEtcd {
		is = append(is, "leads etcd")
	}
	return h.Name + " (" + strings.Join(is, ", ") + ")"
}

// describe counts what there is.
func (t Topology) describe() string {
	text := fmt.Sprintf("%d of %d databases, %d of %d etcd members", t.members(),
		len(t.Spec.Databases()),
		t.etcdMembers(), len(t.Spec.EtcdHosts()))
	if n := len(t.Spec.Balancers()); n > 0 {
		text += fmt.Sprintf(", %d of %d balancers", t.balancers(), n)
	}
	return text
}

// MarshalJSON writes durations as seconds.
func (l Loss) MarshalJSON() ([]byte, error) {
	hosts, fatal := l.Hosts, l.Fatal
	if hosts == nil {
		hosts = []string{}
	}
	if fatal == nil {
		fatal = []Fatal{}
	}
	return json.Marshal(struct {
		What     string   `json:"what"`
		Hosts    []string `json:"hosts"`
		Blocked  string   `json:"blocked,omitempty"`
		Typical  float64  `json:"typical_seconds"`
		Worst    float64  `json:"worst_seconds"`
		Risk     Risk     `json:"risk"`
		Left     string   `json:"left"`
		Survives bool     `json:"survives_next"`
		Fatal    []Fatal  `json:"fatal"`
		Note     string   `json:"note,omitempty"`
	}{l.What, hosts, l.Blocked, inSeconds(l.Typical), inSeconds(l.Worst), l.Risk, l.Left,
		l.SurvivesNext(),
		fatal, l.Note})
}
