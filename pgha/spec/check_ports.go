package spec

import "fmt"

// listener is a port that something on a host listens on, and the field it comes from.
type listener struct {
	field string
	port  int
}

// ports checks that all ports are in range and that no two services of a host want the same one.
func (c *checker) ports() {
	databases := []listener{
		{"postgresql.port", c.PostgreSQL.Port}, {"etcd.client_port", c.Etcd.ClientPort},
		{"etcd.peer_port", c.Etcd.PeerPort}, {"patroni.rest_port", c.Patroni.RESTPort},
	}
	balancers := []listener{
		{"balancer.write_port", c.Balancer.WritePort}, {"balancer.read_port", c.Balancer.ReadPort}, {"balancer.stats_port", c.Balancer.StatsPort},
	}
	for _, group := range [][]listener{databases, balancers} {
		for i, l := range group {
			within(c, l.field, l.port, 1, 65535)
			for _, other := range group[:i] {
				if l.port == other.port {
					field, against := l.field, other.field
					if c.blame(field, against) == against {
						field, against = against, field
					}
					c.bad(field, fmt.Sprintf("%d is %s, too, and both listen on the same hosts", l.port, against), "give each its own port")
				}
			}
		}
	}
	c.sshPorts(map[Role][]listener{RoleDatabase: databases, RoleBalancer: balancers})
}

// sshPorts checks that nothing takes sshd's port, where that is the host's own and not one in front of it.
func (c *checker) sshPorts(listening map[Role][]listener) {
	reported := map[string]bool{}
	for i, h := range c.Hosts {
		if h.SSH.Address != "" || h.SSH.Jump != "" && h.SSH.Jump != NoJump {
			continue
		}
		for _, l := range listening[h.Role] {
			field := "ssh.port"
			if h.SSH.Port != 0 {
				field = element("hosts", i) + ".ssh.port"
			}
			if l.port == c.SSHOf(h).Port && !reported[l.field+field] {
				reported[l.field+field] = true
				c.bad(c.blame(l.field, field), fmt.Sprintf("%d is %s and sshd's port (%s) on host %s", l.port, l.field, field, h.Name), "change one of the two")
			}
		}
	}
}
