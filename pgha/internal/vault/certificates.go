package vault

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// Credentials is everything secret or signed that a run needs, loaded from the operator's state directory and completed
// where something is missing or due.
type Credentials struct {
	EtcdCA, PatroniCA, PostgresCA    []byte
	EtcdOperator, PatroniOperator    Leaf
	Hosts                            map[string]HostCertificates
	Superuser, Replication, Rewinder string
	Verifiers                        map[string]string // of these passwords, by roleNames
	// changed are the roles whose password is another one than the cluster was given, as far as is known here.
	Changed []string
}

// HostCertificates are the certificates of one database host: what one of them opens, no other does.
type HostCertificates struct {
	EtcdServer, EtcdPeer, EtcdGateway, EtcdClient Leaf
	RestServer, RestClient                        Leaf
	Postgres                                      Leaf
}

// Day is a day of a lifetime.
const Day = 24 * time.Hour

// LoadCredentials reads or makes the CAs, certificates and passwords of the cluster.
func LoadCredentials(ctx context.Context, s *State, sp *spec.Spec) (*Credentials, error) {
	cas := map[string]*pki.CA{}
	for _, name := range []string{"etcd", "postgres"} {
		ca, err := s.Authority(name, CAName(sp, name), CaOptions(sp)...)
		if err != nil {
			return nil, err
		}
		cas[name] = ca
	}
	c := &Credentials{
		EtcdCA: cas["etcd"].CertPEM(), PostgresCA: cas["postgres"].CertPEM(),
		Hosts: map[string]HostCertificates{}, Verifiers: map[string]string{},
	}
	lifetime := time.Duration(sp.TLS.LeafLifetimeDays) * Day
	var err error
	issue := func(into *Leaf, ca, name string, req pki.Request) {
		if err == nil {
			req.Lifetime = lifetime
			*into, err = s.certificate(cas[ca], name, req)
		}
	}
	issue(&c.EtcdOperator, "etcd", "operator-etcd", pki.Request{CommonName: "pgha-operator", Usage: pki.ClientUsage})
	for _, h := range sp.Databases() {
		names, addresses := ServerNames(h)
		var hc HostCertificates
		issue(&hc.EtcdServer, "etcd", h.Name+"-etcd-server", pki.Request{CommonName: h.Member, DNSNames: names, IPs: addresses, Usage: pki.ServerUsage})
		issue(&hc.EtcdPeer, "etcd", h.Name+"-etcd-peer", pki.Request{CommonName: h.Member, DNSNames: names, IPs: addresses, Usage: pki.PeerUsage})
		issue(&hc.EtcdGateway, "etcd", h.Name+"-etcd-gateway", pki.Request{CommonName: "gateway-" + h.Member, Usage: pki.ClientUsage})
		issue(&hc.EtcdClient, "etcd", h.Name+"-etcd-client", pki.Request{CommonName: "patroni-" + h.Member, Usage: pki.ClientUsage})
		if vip, ok := VipAddress(sp); ok {
			addresses = append(addresses, vip)
		}
		for _, b := range sp.Balancers() {
			// Applications may come by way of one balancer's own address, too.
			bn, ba := ServerNames(b)
			names, addresses = append(names, bn...), append(addresses, ba...)
		}
		issue(&hc.Postgres, "postgres", h.Name+"-postgres", pki.Request{CommonName: h.Member, DNSNames: names, IPs: addresses, Usage: pki.ServerUsage})
		c.Hosts[h.Name] = hc
	}
	if err == nil {
		err = s.Rest(sp, c)
	}
	if err != nil {
		return nil, err
	}
	for _, p := range []struct {
		into       *string
		name, file string
		command    []string
	}{
		{&c.Superuser, RoleSuperuser, sp.Secrets.SuperuserPasswordFile, sp.Secrets.SuperuserPasswordCommand},
		{&c.Replication, RoleReplication, sp.Secrets.ReplicationPasswordFile, sp.Secrets.ReplicationPasswordCommand},
		{&c.Rewinder, RoleRewind, sp.Secrets.RewindPasswordFile, sp.Secrets.RewindPasswordCommand},
	} {
		if *p.into, err = s.Password(ctx, p.name, p.file, p.command); err != nil {
			return nil, err
		}
		same := false
		if c.Verifiers[p.name], same, err = s.verifier(p.name, *p.into); err != nil {
			return nil, err
		}
		if !same {
			c.Changed = append(c.Changed, p.name)
		}
	}
	if err := s.Keep("postgres-ca.crt", c.PostgresCA); err != nil {
		return nil, fmt.Errorf("write the CA for applications: %w", err)
	}
	return c, nil
}

// ServerNames are the names and addresses by which a client may dial a host.
func ServerNames(h spec.Host) ([]string, []netip.Addr) {
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

// VipAddress returns the virtual IP, if the cluster has one.
func VipAddress(sp *spec.Spec) (netip.Addr, bool) {
	if sp.VIP == nil {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(sp.VIP.Address)
	return a, err == nil
}

// Copied returns a copy whose maps can be changed.
func (c *Credentials) Copied() *Credentials {
	cr := *c
	cr.Hosts, cr.Verifiers = maps.Clone(c.Hosts), maps.Clone(c.Verifiers)
	return &cr
}
