package inspect

import (
	"fmt"
	"strings"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/spec"
)

// seen is what the hosts and etcd say.
type seen struct {
	facts map[string]preflight.Facts
	store *change.Store
	// directory is what the state directory says of itself.
	directory lineage.State
}

// bareHost is a host without anything of the cluster.
func bareHost(c *site.Site, h spec.Host) preflight.Facts {
	f := preflight.Facts{Distribution: "debian", Release: "13", Architecture: "amd64", Root: true,
		Init: true, ClockSynced: true, FreeBytes: 100 << 30,
		Listeners: map[int]string{22: "sshd"}, Candidates: map[string]string{}}
	for _, p := range c.LayoutOf(h).Packages().Names {
		f.Candidates[p] = "4.1.5-1"
	}
	f.Running.MACs = []string{macOf(h)}
	return f
}

func macOf(h spec.Host) string {
	return "02:00:00:00:00:" + h.Address[strings.LastIndexByte(h.Address, '.')+1:]
}

// seenAs is what a healthy cluster of a specification says of itself.
func seenAs(sp *spec.Spec) seen {
	const identifier = "7713175239863042040"
	c, pg, yes := &site.Site{Spec: sp}, sp.PostgreSQL, sp.PostgreSQL.DataChecksums
	s := seen{facts: map[string]preflight.Facts{}, store: &change.Store{Version: sp.Etcd.Version}}
	scope, peers := change.Scope{
		Namespace: sp.Patroni.Namespace, Name: sp.Cluster, SystemIdentifier: identifier,
	}, map[string]string{}
	for _, h := range sp.Databases() {
		url := "https://" + connstring.HostPort(h.Address, sp.Etcd.PeerPort)
		peers[h.Member] = url
		s.store.Members = append(s.store.Members, change.StoreMember{Name: h.Member,
			PeerURLs: []string{url}})
		scope.Members = append(scope.Members, change.ScopeMember{
			Name: h.Member, PostgreSQL: connstring.HostPort(h.Address, pg.Port),
			REST: connstring.HostPort(h.Address, sp.Patroni.RESTPort),
		})
	}
	s.store.Scopes = []change.Scope{scope}
	for _, h := range sp.Hosts {
		f := bareHost(c, h)
		if h.Role == spec.RoleDatabase {
			f.EtcdCA = ourCA
			f.Listeners = map[int]string{
				22: "sshd", pg.Port: "postgres", sp.Patroni.RESTPort: "patroni",
				sp.Etcd.ClientPort: "etcd",
				sp.Etcd.PeerPort:   "etcd",
			}
			f.Running.Etcd = &change.Etcd{
				Name: h.Member, DataDir: sp.Etcd.DataDir, ClientPort: sp.Etcd.ClientPort,
				PeerPort: sp.Etcd.PeerPort, Peers: peers,
			}
			f.Running.Server = &change.Server{DataDir: pg.DataDir, Port: pg.Port, Scope: sp.Cluster}
			f.Running.Patroni = &change.Patroni{Scope: sp.Cluster, Namespace: sp.Patroni.Namespace,
				Name: h.Member, DataDir: pg.DataDir, RESTPort: sp.Patroni.RESTPort, Port: pg.Port,
				Superuser: pg.Superuser, Replication: pg.ReplicationUser, Rewind: pg.RewindUser,
				Written: writtenBy(sp)}
			f.Running.Data = map[string]change.Data{
				pg.DataDir: {Version: pg.Version, SystemIdentifier: identifier, Checksums: &yes},
			}
		} else if sp.VIP != nil {
			f.Listeners = map[int]string{22: "sshd", sp.Balancer.WritePort: "haproxy",
				sp.Balancer.ReadPort: "haproxy"}
			f.Running.Keepalived = &change.Keepalived{
				Address: sp.VIP.Address, RouterID: sp.VIP.RouterID, Source: h.Address,
			}
			for _, b := range sp.Balancers() {
				if b.Name != h.Name {
					f.Running.Keepalived.Peers = append(f.Running.Keepalived.Peers, b.Address)
				}
			}
		}
		s.facts[h.Name] = f
	}
	first := s.facts[sp.Databases()[0].Name]
	first.Running.Databases = &change.Databases{
		Encoding: pg.Encoding, Locale: pg.Locale, Roles: []string{pg.Superuser, pg.ReplicationUser,
			pg.RewindUser},
	}
	s.facts[sp.Databases()[0].Name] = first
	return s
}

// writtenBy are the parameters that an apply of the specification has written.
func writtenBy(sp *spec.Spec) map[string]string {
	written := map[string]string{}
	for name, value := range sp.PostgreSQL.Parameters {
		written[name] = fmt.Sprint(value)
	}
	return written
}

// change changes what one host says.
func (s *seen) change(host string, f func(*preflight.Facts)) {
	facts := s.facts[host]
	f(&facts)
	s.facts[host] = facts
}
