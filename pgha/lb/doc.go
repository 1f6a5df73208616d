// Package lb puts HAProxy in front of the PostgreSQL hosts: one port for writes, which leads to the
// primary, and one for reads, which leads to the replicas. Which is which HAProxy asks Patroni's
// REST API on every database host, over TLS.
//
// [Config] renders the configuration without any host, [Configure] brings it to the balancers and
// [State] asks HAProxy what it thinks of its servers:
//
//	o := lb.Options{
//		Balancers: []*remote.Target{lb1, lb2, lb3},
//		Backends:  []lb.Backend{{Name: "pg1", Address: "192.168.0.203"},
//			{Name: "pg2", Address: "192.168.0.204"}},
//		PatroniCA: ca,
//	}
//	if err := lb.Configure(ctx, o); err != nil { ... }
//	states, err := lb.State(ctx, o)
//
// PostgreSQL's own TLS goes through untouched: HAProxy forwards bytes, and client and server verify
// each other.
//
// The ports are bound on every address, so a balancer answers on the virtual IP from the moment it
// holds it; the sysctl net.ipv4.ip_nonlocal_bind isn't needed and stays as it is.
package lb
