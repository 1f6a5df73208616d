// Package vip makes one IP address follow a living load balancer: keepalived on every balancer
// agrees over VRRP who holds it, and hands it on when HAProxy or the host fails.
//
// [Config] renders the configuration without any host, [Configure] brings it to the balancers and
// [Holder] looks who holds the address:
//
//	o := vip.Options{
//		Balancers: []vip.Balancer{{Target: lb1}, {Target: lb2}, {Target: lb3}},
//		Address:   netip.MustParseAddr("192.168.0.210"),
//	}
//	if err := vip.Configure(ctx, o); err != nil { ... }
//	holdings, err := vip.Holder(ctx, o)
//
// VRRP version 3 knows no passwords (version 2's were eight characters in clear text and are gone
// from the standard). The balancers speak unicast and drop what comes from any other address; that
// stops mistakes, not an attacker on the same network segment, who could take the address with ARP
// anyway. A firewall should let IP protocol 112 in from the other balancers only.
package vip
