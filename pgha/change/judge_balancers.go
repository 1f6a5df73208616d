package change

import (
	"fmt"
	"slices"
	"strings"
)

// balancers compares who can hold the virtual IP with who the specification says should.
func (j *judge) balancers() {
	files := map[string]*Keepalived{}
	for _, h := range j.Balancers() {
		if k := j.seen[h.Name].Keepalived; k != nil {
			files[h.Name] = k
		}
	}
	for _, h := range j.Balancers() {
		k := files[h.Name]
		switch {
		case k == nil:
		case j.VIP == nil:
			j.differ("vip",
				fmt.Sprintf("there is no vip, but keepalived on %s has the address %s", h.Name,
					k.Address), k.Address, h.Name)
			return
		case k.Source != "" && k.Source != h.Address:
			j.differ("hosts[].address", fmt.Sprintf("%s has the address %s, but its keepalived "+
				"speaks from %s",
				h.Name, h.Address, k.Source), fmt.Sprintf("address: %s (%s)", k.Source,
				h.Name), h.Name)
		}
	}
	if j.VIP == nil || j.differs("hosts[].address") {
		return
	}
	j.formerBalancers(files)
	j.strangers()
}

// formerBalancers looks for addresses that every balancer's keepalived counts as a peer and that
// the specification has not. A peer that somebody added to one file by hand is drift, which apply
// puts right.
func (j *judge) formerBalancers(files map[string]*Keepalived) {
	counts := map[string]int{}
	for _, k := range files {
		for _, p := range k.Peers {
			counts[p]++
		}
	}
	var gone []string
	for address, n := range counts {
		if n == len(files) && !j.balances(address) {
			gone = append(gone, address)
		}
	}
	if len(gone) == 0 {
		return
	}
	slices.Sort(gone)
	j.differ("hosts", "the balancers share the virtual IP with "+strings.Join(gone, ", ")+
		", which is not in the specification", strings.Join(gone, ", ")+" is a balancer")
}

func (j *judge) balances(address string) bool {
	for _, h := range j.Balancers() {
		if h.Address == address {
			return true
		}
	}
	return false
}

// strangers looks for machines that answer for the virtual IP and are no host of the specification.
func (j *judge) strangers() {
	own, heard := map[string]bool{}, map[string]bool{}
	for _, h := range j.seen {
		for _, mac := range h.MACs {
			own[mac] = true
		}
	}
	for _, h := range j.seen {
		for _, mac := range h.Heard {
			if !own[mac] {
				heard[mac] = true
			}
		}
	}
	for _, mac := range sorted(heard) {
		j.add(Refusal{Field: "vip.address",
			Problem: fmt.Sprintf(
				"a machine that is not in the specification answers for the virtual IP %s, with "+
					"the network address %s: clients would come to either", j.VIP.Address, mac),
			Way: "stop keepalived there if it was a balancer of this cluster, or choose a free " +
				"address"})
	}
}

func sorted(set map[string]bool) []string {
	var list []string
	for s := range set {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}
