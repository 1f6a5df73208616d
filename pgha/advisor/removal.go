package advisor

import "fmt"

// Removal says why hosts must not be taken away now, one reason each; nothing when the rest can go
// on. Hosts that are down already, or whose part is, are no reason: taking them away changes
// nothing.
//
// Reasons are: etcd would lose its quorum, no healthy member would be left, or no balancer; and
// that a cluster of three or more which is not whole would lose its last spare: nobody could take
// over from the one that is left.
func Removal(t Topology, hosts ...string) []string {
	left := t.without(hosts...)
	all := len(t.Spec.Databases())
	var reasons []string
	add := func(format string, args ...any) {
		reasons = append(reasons, fmt.Sprintf(format, args...))
	}
	if left.etcdMembers() < t.etcdMembers() && !left.quorum() {
		add("etcd would lose its quorum: %d of its %d members would be left",
			left.etcdMembers(), len(t.Spec.EtcdHosts()))
	}
	switch members := left.members(); {
	case members == t.members():
	case members == 0:
		add("no healthy member of the database would be left")
	case members == 1 && all > 2 && left.quorum():
		add("no second healthy member of the database would be left to take over")
	}
	if balancers := left.balancers(); balancers < t.balancers() && balancers == 0 {
		add("no balancer would be left, and with the last one goes the address")
	}
	return reasons
}

// Handover says why the leadership must not be moved now, one reason each: without etcd's quorum
// nobody can take it, and in a cluster of three or more with two healthy members nobody could take
// over while the former leader restarts.
func Handover(t Topology) []string {
	var reasons []string
	if all := len(t.Spec.Databases()); !t.quorum() {
		reasons = append(reasons,
			fmt.Sprintf("etcd has no quorum: %d of its %d members are healthy",
				t.etcdMembers(), len(t.Spec.EtcdHosts())))
	} else if all > 2 && t.members() == 2 {
		reasons = append(reasons,
			"no other healthy member of the database would be left to take over while the former "+
				"leader restarts")
	}
	return reasons
}
