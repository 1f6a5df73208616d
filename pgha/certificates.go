package pgha

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// credentials is everything secret or signed that a run needs, loaded from the operator's state directory and completed
// where something is missing or due.
type credentials struct {
	etcdCA, patroniCA, postgresCA    []byte
	etcdOperator, patroniOperator    leaf
	hosts                            map[string]hostCertificates
	superuser, replication, rewinder string
	verifiers                        map[string]string // of these passwords, by roleNames
	// changed are the roles whose password is another one than the cluster was given, as far as is known here.
	changed []string
}

// hostCertificates are the certificates of one database host: what one of them opens, no other does.
type hostCertificates struct {
	etcdServer, etcdPeer, etcdGateway, etcdClient leaf
	restServer, restClient                        leaf
	postgres                                      leaf
}

const day = 24 * time.Hour

// loadCredentials reads or makes the CAs, certificates and passwords of the cluster.
func loadCredentials(ctx context.Context, s *state, sp *Spec) (*credentials, error) {
	cas := map[string]*pki.CA{}
	for _, name := range []string{"etcd", "postgres"} {
		ca, err := s.authority(name, caName(sp, name), caOptions(sp)...)
		if err != nil {
			return nil, err
		}
		cas[name] = ca
	}
	c := &credentials{
		etcdCA: cas["etcd"].CertPEM(), postgresCA: cas["postgres"].CertPEM(),
		hosts: map[string]hostCertificates{}, verifiers: map[string]string{},
	}
	lifetime := time.Duration(sp.TLS.LeafLifetimeDays) * day
	var err error
	issue := func(into *leaf, ca, name string, req pki.Request) {
		if err == nil {
			req.Lifetime = lifetime
			*into, err = s.certificate(cas[ca], name, req)
		}
	}
	issue(&c.etcdOperator, "etcd", "operator-etcd", pki.Request{CommonName: "pgha-operator", Usage: pki.ClientUsage})
	for _, h := range sp.Databases() {
		names, addresses := serverNames(h)
		var hc hostCertificates
		issue(&hc.etcdServer, "etcd", h.Name+"-etcd-server", pki.Request{CommonName: h.Member, DNSNames: names, IPs: addresses, Usage: pki.ServerUsage})
		issue(&hc.etcdPeer, "etcd", h.Name+"-etcd-peer", pki.Request{CommonName: h.Member, DNSNames: names, IPs: addresses, Usage: pki.PeerUsage})
		issue(&hc.etcdGateway, "etcd", h.Name+"-etcd-gateway", pki.Request{CommonName: "gateway-" + h.Member, Usage: pki.ClientUsage})
		issue(&hc.etcdClient, "etcd", h.Name+"-etcd-client", pki.Request{CommonName: "patroni-" + h.Member, Usage: pki.ClientUsage})
		if vip, ok := vipAddress(sp); ok {
			addresses = append(addresses, vip)
		}
		for _, b := range sp.Balancers() {
			// Applications may come by way of one balancer's own address, too.
			bn, ba := serverNames(b)
			names, addresses = append(names, bn...), append(addresses, ba...)
		}
		issue(&hc.postgres, "postgres", h.Name+"-postgres", pki.Request{CommonName: h.Member, DNSNames: names, IPs: addresses, Usage: pki.ServerUsage})
		c.hosts[h.Name] = hc
	}
	if err == nil {
		err = s.rest(sp, c)
	}
	if err != nil {
		return nil, err
	}
	for _, p := range []struct {
		into       *string
		name, file string
		command    []string
	}{
		{&c.superuser, roleSuperuser, sp.Secrets.SuperuserPasswordFile, sp.Secrets.SuperuserPasswordCommand},
		{&c.replication, roleReplication, sp.Secrets.ReplicationPasswordFile, sp.Secrets.ReplicationPasswordCommand},
		{&c.rewinder, roleRewind, sp.Secrets.RewindPasswordFile, sp.Secrets.RewindPasswordCommand},
	} {
		if *p.into, err = s.password(ctx, p.name, p.file, p.command); err != nil {
			return nil, err
		}
		same := false
		if c.verifiers[p.name], same, err = s.verifier(p.name, *p.into); err != nil {
			return nil, err
		}
		if !same {
			c.changed = append(c.changed, p.name)
		}
	}
	if err := s.keep("postgres-ca.crt", c.postgresCA); err != nil {
		return nil, fmt.Errorf("write the CA for applications: %w", err)
	}
	return c, nil
}

// serverNames are the names and addresses by which a client may dial a host.
func serverNames(h spec.Host) ([]string, []netip.Addr) {
	names := append([]string{h.Name, "localhost"}, h.DNSNames...)
	if h.Member != "" {
		names = append(names, h.Member)
	}
	addresses := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}
	if a, err := netip.ParseAddr(h.Address); err == nil {
		addresses = append(addresses, a)
	}
	return names, addresses
}

// vipAddress returns the virtual IP, if the cluster has one.
func vipAddress(sp *Spec) (netip.Addr, bool) {
	if sp.VIP == nil {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(sp.VIP.Address)
	return a, err == nil
}
