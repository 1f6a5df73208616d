package spec

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// addresses checks that every host has an IP address of its own, all of one family. A name is
// judged when it has been resolved.
func (c *checker) addresses() {
	seen := map[netip.Addr]int{}
	var first netip.Addr
	for i, h := range c.Hosts {
		field := element("hosts", i) + ".address"
		if _, err := netip.ParseAddr(h.Address); err != nil && isHostName(h.Address) {
			continue
		}
		a, ok := c.address(field, h.Address, "such as 192.168.0.203")
		if !ok {
			continue
		}
		if other, again := seen[a]; again {
			c.bad(field, a.String()+" is the address of "+c.where(other)+", too",
				"give each host its own")
			continue
		}
		seen[a] = i
		if !first.IsValid() {
			first = a
		}
		if a.Is4() != first.Is4() {
			c.bad(field, a.String()+" is "+family(a)+" where "+first.String()+" is "+family(first),
				"use addresses of one family for all hosts")
		}
	}
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

func (c *checker) vip() {
	if c.VIP == nil {
		return
	}
	within(c, "vip.router_id", c.VIP.RouterID, 1, 255)
	c.between("vip.advert_interval", c.VIP.AdvertInterval, 10*time.Millisecond,
		40950*time.Millisecond,
		10*time.Millisecond)
	a, ok := c.address("vip.address", c.VIP.Address, "of the balancers' subnet")
	if !ok {
		return
	}
	bits, how := c.VIP.PrefixLength, ""
	if bits != 0 && (bits < 1 || bits > a.BitLen()) {
		c.bad("vip.prefix_length", fmt.Sprintf("%d is out of range", bits),
			fmt.Sprintf("write a number from 1 to %d", a.BitLen()))
		return
	}
	if bits == 0 || bits == a.BitLen() {
		bits, how = 24, ", taking the subnet for a /24"
		if a.Is6() {
			bits, how = 64, ", taking the subnet for a /64"
		}
	}
	c.vipSubnet("vip.address", a, bits, how)
	if c.VIP.FormerAddress == "" {
		return
	}
	const field = "vip.former_address"
	former, ok := c.address(field, c.VIP.FormerAddress, "that was the virtual IP before")
	switch {
	case !ok:
	case former == a:
		c.bad(field, former.String()+" is vip.address, too", "write the address of before, or "+
			"delete the line")
	default:
		c.vipSubnet(field, former, bits, how)
	}
}

// vipSubnet checks a virtual IP against the hosts' addresses.
func (c *checker) vipSubnet(field string, vip netip.Addr, bits int, how string) {
	free := func(of string) string {
		if field != "vip.address" {
			return "write the virtual IP of before, or delete the line"
		}
		return "write a free address of " + of
	}
	subnet := netip.PrefixFrom(vip, bits).Masked()
	if vip.Is4() && bits < 31 && (vip == subnet.Addr() || !subnet.Contains(vip.Next())) {
		c.bad(field, fmt.Sprintf("%s is the first or last address of %s and belongs to "+
			"no host%s",
			vip, subnet, how), free("the subnet"))
		return
	}
	for i, h := range c.Hosts {
		a, err := netip.ParseAddr(h.Address)
		switch {
		case err != nil || a.Is4In6():
		case a.Is4() && bits < 31 && subnet.Contains(a) &&
			(a == subnet.Addr() || !subnet.Contains(a.Next())):
			remedy := "write the address by which the other hosts reach it"
			if how != "" {
				remedy += ", or vip.prefix_length if the subnet is larger"
			}
			c.bad(element("hosts", i)+".address",
				fmt.Sprintf("%s is the first or last address of %s and belongs to no host%s", a,
					subnet, how), remedy)
		case a == vip:
			c.bad(field, vip.String()+" is the address of "+c.where(i),
				free("the same subnet"))
		case !h.Has(RoleBalancer):
		case a.Is4() != vip.Is4():
			c.bad(field, fmt.Sprintf("%s is %s but balancer %s has the %s address %s", vip,
				family(vip), h.Name, family(a), a), "use addresses of one family")
			return
		case !subnet.Contains(a):
			remedy := free("the balancers' subnet")
			if how != "" {
				remedy += ", or prefix_length if the subnet is larger"
			}
			c.bad(field, fmt.Sprintf("%s is outside the subnet of balancer %s, %s%s", vip,
				h.Name, netip.PrefixFrom(a, bits).Masked(), how), remedy)
			return
		}
	}
}

// listener is a port that something listens on, the field it comes from, and the hosts.
type listener struct {
	field string
	port  int
	on    func(Host) bool
}

// listeners are all of them.
func (c *checker) listeners() []listener {
	role := func(r Role) func(Host) bool { return func(h Host) bool { return c.Runs(h, r) } }
	database, etcd, balancer := role(RoleDatabase), role(RoleEtcd), role(RoleBalancer)
	list := []listener{
		{"postgresql.port", c.PostgreSQL.Port, database},
		{"etcd.client_port", c.Etcd.ClientPort, etcd},
		{"etcd.peer_port", c.Etcd.PeerPort, etcd},
		{"patroni.rest_port", c.Patroni.RESTPort, database},
	}
	if c.Monitoring.On() {
		list = append(list, listener{"monitoring.etcd_port", c.Monitoring.EtcdPort, etcd})
	}
	list = append(list, listener{"balancer.write_port", c.Balancer.WritePort, balancer},
		listener{"balancer.read_port", c.Balancer.ReadPort, balancer},
		listener{"balancer.stats_port", c.Balancer.StatsPort, balancer})
	if c.Balancer.FormerWritePort != 0 {
		list = append(list, listener{"balancer.former_write_port", c.Balancer.FormerWritePort,
			balancer})
	}
	if c.Balancer.FormerReadPort != 0 {
		list = append(list, listener{"balancer.former_read_port", c.Balancer.FormerReadPort,
			balancer})
	}
	if c.Monitoring.On() {
		list = append(list, listener{"monitoring.haproxy_port", c.Monitoring.HAProxyPort,
			balancer})
	}
	if c.Pooler != nil {
		list = append(list, listener{"pooler.write_port", c.Pooler.WritePort, balancer},
			listener{"pooler.read_port", c.Pooler.ReadPort, balancer})
	}
	if c.Backup != nil {
		list = append(list, listener{"backup.port", c.Backup.Port, c.BacksUp})
	}
	return list
}

// meet tells whether two listen on the same host, or would where the specification lists no host.
func (c *checker) meet(a, b listener) bool {
	section := func(l listener) string { name, _, _ := strings.Cut(l.field, "."); return name }
	return section(a) == section(b) || slices.ContainsFunc(c.Hosts, func(h Host) bool { return a.on(h) && b.on(h) })
}

// ports checks that all ports are in range and that no two services of a host want the same one.
func (c *checker) ports() {
	list := c.listeners()
	for i, l := range list {
		within(c, l.field, l.port, 1, 65535)
		for _, other := range list[:i] {
			if l.port != other.port || !c.meet(l, other) {
				continue
			}
			field, against := l.field, other.field
			if c.blame(field, against) == against {
				field, against = against, field
			}
			c.bad(field, fmt.Sprintf("%d is %s, too, and both listen on the same hosts", l.port,
				against), "give each its own port")
		}
	}
	c.sshPorts(list)
}

// sshPorts checks that nothing takes sshd's port, where that is the host's own and not one in front
// of it.
func (c *checker) sshPorts(listening []listener) {
	reported := map[string]bool{}
	for i, h := range c.Hosts {
		if h.SSH.Address != "" || h.SSH.Jump != "" && h.SSH.Jump != NoJump {
			continue
		}
		for _, l := range listening {
			field := "ssh.port"
			if h.SSH.Port != 0 {
				field = element("hosts", i) + ".ssh.port"
			}
			if l.on(h) && l.port == c.SSHOf(h).Port && !reported[l.field+field] {
				reported[l.field+field] = true
				c.bad(c.blame(l.field, field), fmt.Sprintf("%d is %s and sshd's port (%s) on "+
					"host %s",
					l.port, l.field, field, h.Name), "change one of the two")
			}
		}
	}
}

// monitoring checks who may read metrics; the ports are checked among the others where they are
// used.
func (c *checker) monitoring() {
	for i, network := range c.Monitoring.Networks {
		if problem, remedy := networkFault(network); problem != "" {
			c.bad(element("monitoring.networks", i), quoted(network)+" "+problem, remedy)
		}
	}
	if !c.Monitoring.On() {
		within(c, "monitoring.haproxy_port", c.Monitoring.HAProxyPort, 1, 65535)
		within(c, "monitoring.etcd_port", c.Monitoring.EtcdPort, 1, 65535)
	}
}
