// Package certs says which certificates a cluster needs, what each one must be, and whether the one
// in place can stay. It is pure computation and needs no private key: apply, verify and doctor ask
// it the same question, so they give the same answer.
package certs

import (
	"net/netip"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// Certificate is one certificate that the operator's state directory holds.
type Certificate struct {
	layout.Certificate // of the operator's own only Name, Authority and Client

	// Stored is its name in the state directory: "pg1-etcd-server", "operator-etcd".
	Stored string
	// Request is what it must be.
	Request pki.Request
}

// OfHost returns the certificates of what runs on a host, in the order of the layout; none for a
// balancer without backups and without a pooler.
func OfHost(sp *spec.Spec, h spec.Host) []Certificate {
	var list []Certificate
	for _, at := range layout.Certificates() {
		has := at.Component == "backup" && sp.BacksUp(h) ||
			at.Component == "pooler" && sp.Pools(h)
		if role, known := users[at.Component]; known {
			has = sp.Runs(h, role)
		}
		if has {
			list = append(list, ofHost(sp, h, at))
		}
	}
	return list
}

// users are the roles whose hosts have a component's certificates.
var users = map[string]spec.Role{"etcd": spec.RoleEtcd, "patroni": spec.RoleDatabase}

// Named returns the certificate of a host by its name in the layout.
func Named(sp *spec.Spec, h spec.Host, name string) Certificate {
	return ofHost(sp, h, layout.CertificateOf(name))
}

func ofHost(sp *spec.Spec, h spec.Host, at layout.Certificate) Certificate {
	return Certificate{Certificate: at, Stored: h.Name + "-" + at.Name, Request: request(sp, h, at)}
}

// OfOperator returns the certificates that the operator shows to etcd and to Patroni.
func OfOperator(sp *spec.Spec) []Certificate {
	var list []Certificate
	for _, authority := range []string{layout.EtcdAuthority, layout.PatroniAuthority} {
		name := "operator-" + authority
		list = append(list, Certificate{Stored: name,
			Certificate: layout.Certificate{Name: name, Authority: authority, Client: true},
			Request: pki.Request{CommonName: "pgha-operator", Usage: pki.ClientUsage,
				Lifetime: sp.TLS.Leaf()}})
	}
	return list
}

// request is what a host's certificate must be. A server's carries the names of its host, and
// PostgreSQL's the virtual IP and the balancers' as well: clients may connect by way of each. A
// pooler's has those of all balancers and the virtual IP.
func request(sp *spec.Spec, h spec.Host, at layout.Certificate) pki.Request {
	if at.Name == layout.Backup {
		return backupRequest(sp, h)
	}
	req := pki.Request{CommonName: h.Member, Lifetime: sp.TLS.Leaf()}
	if at.Client {
		req.Usage |= pki.ClientUsage
	}
	if !at.Server {
		user := "patroni-"
		if at.Name == layout.EtcdGateway {
			user = "gateway-"
		}
		req.CommonName = user + h.Member
		return req
	}
	req.Usage |= pki.ServerUsage
	req.DNSNames, req.IPs = names(h)
	switch at.Name {
	case layout.Pooler:
		// What clients dial leads to whichever balancer has the address.
		req.CommonName, req.DNSNames, req.IPs = h.Name, nil, nil
	case layout.Postgres:
	default:
		return req
	}
	if vip, ok := VIP(sp); ok {
		req.IPs = append(req.IPs, vip)
	}
	if former, ok := FormerVIP(sp); ok {
		req.IPs = append(req.IPs, former)
	}
	for _, b := range sp.Balancers() {
		dns, ips := names(b)
		req.DNSNames, req.IPs = append(req.DNSNames, dns...), append(req.IPs, ips...)
	}
	return req
}

// backupRequest is what a host shows to the other hosts' pgBackRest, which looks for what it has
// dialled in the common name, and among names of DNS if there are any (2.60).
func backupRequest(sp *spec.Spec, h spec.Host) pki.Request {
	req := pki.Request{CommonName: h.Address, Usage: pki.PeerUsage, Lifetime: sp.TLS.Leaf()}
	_, req.IPs = names(h)
	return req
}

// names are the names and addresses by which a client may dial a host.
func names(h spec.Host) ([]string, []netip.Addr) {
	dns := append([]string{h.Name, "localhost"}, h.DNSNames...)
	if h.Member != "" {
		dns = append(dns, h.Member)
	}
	ips := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}
	if a, err := netip.ParseAddr(h.Address); err == nil {
		ips = append(ips, a)
	}
	return dns, ips
}

// VIP returns the virtual IP, if the cluster has one.
func VIP(sp *spec.Spec) (netip.Addr, bool) {
	if sp.VIP == nil {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(sp.VIP.Address)
	return a, err == nil
}

// FormerVIP returns the virtual IP of before, if the cluster has one that is served still.
func FormerVIP(sp *spec.Spec) (netip.Addr, bool) {
	if sp.VIP == nil {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(sp.VIP.FormerAddress)
	return a, err == nil
}
