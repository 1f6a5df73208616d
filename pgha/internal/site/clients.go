package site

import (
	"net/netip"
	"slices"

	"github.com/pgha/toolkit/pgha/spec"
)

// Clients are the networks whose clients the balancers serve: those of the specification and the
// cluster's own hosts, for what the toolkit opens from there. Nil where every network is let in.
func Clients(sp *spec.Spec) []string {
	six := false
	var own []string
	for _, h := range sp.Hosts {
		address, err := netip.ParseAddr(h.Address)
		if err != nil {
			continue
		}
		six = six || address.Is6()
		own = append(own, netip.PrefixFrom(address, address.BitLen()).String())
	}
	networks := sp.PostgreSQL.ClientNetworks
	if slices.Contains(networks, "0.0.0.0/0") && (!six || slices.Contains(networks, "::/0")) ||
		len(networks) == 0 {
		return nil
	}
	if sp.VIP != nil {
		for _, text := range []string{sp.VIP.Address, sp.VIP.FormerAddress} {
			if address, err := netip.ParseAddr(text); err == nil {
				own = append(own, netip.PrefixFrom(address, address.BitLen()).String())
			}
		}
	}
	own = append(own, "127.0.0.0/8")
	if six {
		own = append(own, "::1/128")
	}
	return slices.Concat(networks, own)
}
