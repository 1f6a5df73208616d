package preflight

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/pgha/toolkit/pgha/errs"
)

// judgeRoutes reports peers that a host reaches from another address than its own, or not at all.
// Members know each other by address: pg_hba lets only those of the specification in, and etcd
// refuses a peer whose certificate names another.
func (j *judge) judgeRoutes() {
	if j.Routes == nil || len(j.Addresses) == 0 {
		return // ip did not answer
	}
	for _, p := range j.Peers {
		r, ok := j.Routes[p.Address]
		switch {
		case !ok:
			j.stop(fmt.Sprintf("it has no route to %s (%s)", p.Name, p.Address),
				"add one: ip route get "+p.Address+" shows what the kernel says")
		case r.Source != "" && !same(r.Source, j.Address):
			say := j.stop
			if !j.Database && !j.Etcd {
				say = j.warn
			}
			say(fmt.Sprintf(
				"its connections to %s (%s) come from %s (%s), not from its address %s: the "+
					"others do not let that in", p.Name, p.Address, r.Source, r.Interface,
				j.Address),
				fmt.Sprintf(
					"set its address to %s if the others reach it there, or make the route use "+
						"%s (ip route ... src %s)", r.Source, j.Address, j.Address))
		}
	}
}

// judgeFences reports what would keep the host from fencing a leader that is lost. Nothing says so
// before that moment otherwise, and the lease has to end then.
func (j *judge) judgeFences() {
	for _, address := range slices.Sorted(maps.Keys(j.Unfenced)) {
		j.stopAt("patroni.fast_failover", "it cannot fence "+address+": "+j.Unfenced[address],
			"let its kernel take routes (in a container: CAP_NET_ADMIN), remove routes to single "+
				"database hosts and rules before the main table, or leave fast_failover out")
	}
}

func same(a, b string) bool {
	left, err := netip.ParseAddr(a)
	if err != nil {
		return a == b
	}
	right, err := netip.ParseAddr(b)
	return err == nil && left == right
}

// judgeInterface tells whether the virtual IP has an interface to go to.
func (j *judge) judgeInterface() {
	vip, err := netip.ParseAddr(j.VIP)
	own, ownErr := netip.ParseAddr(j.Want.Address)
	if err != nil || ownErr != nil || len(j.Addresses) == 0 {
		return
	}
	i := slices.IndexFunc(j.Addresses, func(a Address) bool {
		return j.Interface == "" && a.Prefix.Addr() == own ||
			j.Interface != "" && a.Interface == j.Interface
	})
	switch {
	case i < 0 && j.Interface == "":
		j.stopAt("hosts[].address", fmt.Sprintf("no interface has its address %s, so vip.address "+
			"has nowhere to go",
			own), "set address to one that the host has (ip -br addr), or interface to where the "+
			"virtual IP goes")
	case i < 0:
		j.stopAt("hosts[].interface", fmt.Sprintf("there is no interface %s with an address",
			j.Interface), "set interface to one of the host's (ip -br addr)")
	case j.Interface == "" && !j.Addresses[i].Prefix.Masked().Contains(vip):
		j.stopAt("vip.address",
			fmt.Sprintf("vip.address %s is not in the network %s of %s: hosts there would not "+
				"ask for it by ARP",
				vip, j.Addresses[i].Prefix.Masked(), j.Addresses[i].Interface),
			"choose an address of that network, or, where a router sends it to the balancers, "+
				"set interface and vip.prefix_length")
	}
}

// JudgeNetwork says who else has the virtual IP, by what all hosts answered: each of the cluster's
// hosts with the address on an interface although keepalived does not run there, and a machine that
// answers for it and is none of the cluster's.
func JudgeNetwork(wants []Want, hosts map[string]Host, vip string) []Finding {
	var found []Finding
	address, err := netip.ParseAddr(vip)
	if err != nil {
		return nil
	}
	own := map[string]bool{}
	for _, w := range wants {
		h := hosts[w.Host]
		for _, mac := range h.MACs {
			own[mac] = true
		}
		i := slices.IndexFunc(h.Addresses, func(a Address) bool {
			return a.Prefix.Addr() == address
		})
		if i < 0 || h.Units["keepalived.service"].Active == "active" {
			continue
		}
		a := h.Addresses[i]
		found = append(found, Finding{Host: w.Host, About: "vip.address",
			Problem: fmt.Sprintf("it has vip.address %s on %s, and keepalived does not run: "+
				"somebody gave it that",
				vip, a.Interface),
			Remedy: errs.Text("take it away, here and in the network's configuration: ip addr "+
				"del %s dev %s",
				a.Prefix, a.Interface)})
	}
	for _, w := range wants {
		if mac := hosts[w.Host].Claimed; mac != "" && !own[mac] {
			own[mac] = true // once is enough
			found = append(found, Finding{Host: w.Host, About: "vip.address",
				Problem: fmt.Sprintf(
					"vip.address %s is in use: a machine with the hardware address %s, which is "+
						"none of the cluster's, answers for it", vip, mac),
				Remedy: errs.Text("set vip.address to a free one, or take it from that machine")})
		}
	}
	return found
}
