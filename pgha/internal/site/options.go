package site

import (
	"context"
	"slices"

	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/contents"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/vip"
)

// Finder looks a connection up; a Run's reports changes, a Cluster's doesn't.
type Finder func(name string) (*remote.Target, error)

// All returns the connections to the given hosts. A host without one is an error.
func (find Finder) All(hosts []spec.Host) ([]*remote.Target, error) {
	targets := make([]*remote.Target, 0, len(hosts))
	for _, h := range hosts {
		t, err := find(h.Name)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// LenientTarget finds connections for looking only: a host without one gets an executor that fails
// with the reason, so that the rest can still be asked.
func (c *Site) LenientTarget(name string) (*remote.Target, error) {
	t, err := c.Target(name)
	if err == nil {
		return t, nil
	}
	h, specErr := c.Spec.Host(name)
	if specErr != nil {
		return nil, specErr
	}
	return &remote.Target{Host: remote.Host{Name: h.Name, Address: h.Address},
		Executor: remote.Broken(h.Name, err)}, nil
}

// Databases returns connections to all database hosts, for looking.
func (c *Site) Databases() ([]*remote.Target, error) {
	return Finder(c.LenientTarget).All(c.Spec.Databases())
}

// MemberHosts returns connections to all hosts that have a member of Patroni's or of etcd's, for
// looking.
func (c *Site) MemberHosts() ([]*remote.Target, error) {
	return Finder(c.LenientTarget).All(c.Spec.MemberHosts())
}

// EtcdOptions returns what package etcd needs to look at this cluster.
func (c *Site) EtcdOptions() (etcd.Options, error) { return c.EtcdOptionsFor(c.LenientTarget) }

// EtcdAnywhere returns what package etcd needs to ask whichever hosts may run it: those of which
// the specification says so, and databases, on which it may be still, or again.
func (c *Site) EtcdAnywhere() (etcd.Options, error) {
	all := *c.Spec
	all.Hosts = slices.Clone(c.Spec.Hosts)
	for i, h := range all.Hosts {
		if h.Has(spec.RoleDatabase) {
			all.Hosts[i] = h.With(spec.RoleEtcd)
		}
	}
	return c.Apart(&all, c.Credentials()).EtcdOptions()
}

// PatroniOptions returns what package patroni needs to look at this cluster.
func (c *Site) PatroniOptions() (patroni.Options, error) {
	return c.PatroniOptionsFor(c.LenientTarget)
}

// BalancerOptions returns what package lb needs to look at this cluster.
func (c *Site) BalancerOptions() (lb.Options, error) {
	return c.BalancerOptionsFor(c.LenientTarget)
}

// AddressOptions returns what package vip needs to look at this cluster; false without a virtual
// IP.
func (c *Site) AddressOptions() (vip.Options, bool, error) {
	return c.AddressOptionsFor(c.LenientTarget)
}

// etcdOptions are those that follow from the specification alone.
func etcdOptions(sp *spec.Spec) etcd.Options {
	o := etcd.Options{
		Token: sp.Cluster, Version: sp.Etcd.Version, Source: etcd.Source(sp.Etcd.Source),
		Archive: sp.Etcd.Archive, SHA256: sp.Etcd.SHA256, URL: sp.Etcd.URL,
		DataDir:           sp.Etcd.DataDir,
		HeartbeatInterval: sp.Etcd.HeartbeatInterval, ElectionTimeout: sp.Etcd.ElectionTimeout,
		AutoCompaction: sp.Etcd.AutoCompaction, ClientPort: sp.Etcd.ClientPort,
		PeerPort: sp.Etcd.PeerPort,
		// No specification has one; what stands between two of them may.
		Even: true,
	}
	if sp.Monitoring.On() {
		o.MetricsPort = sp.Monitoring.EtcdPort
	}
	return o
}

// EtcdOptionsFor translates the spec for package etcd.
func (c *Site) EtcdOptionsFor(find Finder) (etcd.Options, error) {
	sp, cr := c.Spec, c.Credentials()
	o := etcdOptions(sp)
	o.CA, o.Revoked, o.Client = cr.EtcdCA, cr.EtcdRevoked, cr.EtcdOperator
	for _, h := range sp.EtcdHosts() {
		t, err := find(h.Name)
		if err != nil {
			return o, err
		}
		hc := cr.Hosts[h.Name]
		o.Members = append(o.Members, etcd.Member{Target: t, Name: h.Member, Address: h.Address,
			Server: hc[layout.EtcdServer], Peer: hc[layout.EtcdPeer],
			Gateway: hc[layout.EtcdGateway]})
	}
	return o, nil
}

// patroniOptions are those that follow from the specification alone, without its hosts.
func patroniOptions(sp *spec.Spec) patroni.Options {
	pg, pa := sp.PostgreSQL, sp.Patroni
	return patroni.Options{
		Scope: sp.Cluster, Namespace: pa.Namespace,
		Superuser:         patroni.Credentials{Username: pg.Superuser},
		Replication:       patroni.Credentials{Username: pg.ReplicationUser},
		Rewind:            patroni.Credentials{Username: pg.RewindUser},
		ExtensionPackages: contents.Packages(sp),
		PostgreSQLVersion: pg.Version, DataDir: pg.DataDir, ListenPort: pg.Port,
		RESTPort: pa.RESTPort,
		TTL:      pa.TTL, LoopWait: pa.LoopWait, RetryTimeout: pa.RetryTimeout,
		PrimaryStartTimeout:  pa.PrimaryStartTimeout,
		MaximumLagOnFailover: &pa.MaximumLagOnFailover,
		NoFailsafe:           !pa.FailsafeMode, NoRewind: !pa.UsePgRewind, NoSlots: !pa.UseSlots,
		SynchronousMode: patroni.SynchronousMode(pa.SynchronousMode),
		Watchdog:        patroni.WatchdogMode(pa.Watchdog),
		SuspectAfter:    pa.FastFailover.SuspectAfter,
		Slots:           slotsOf(pg.Slots),
		Parameters:      parameters(sp), Extra: pa.Extra, PgHBA: pg.PgHBA,
		ApplicationCIDRs: pg.ClientNetworks, SuperuserCIDRs: pg.SuperuserNetworks,
		Access:   accessRules(sp),
		Encoding: pg.Encoding, Locale: pg.Locale, NoChecksums: !pg.DataChecksums,
	}
}

// accessRules are who may log in to what.
func accessRules(sp *spec.Spec) []patroni.AccessRule {
	var rules []patroni.AccessRule
	for _, a := range sp.Access {
		rules = append(rules, patroni.AccessRule{Role: a.Role, Database: a.Database,
			CIDRs: a.Networks})
	}
	if sp.Pooler != nil {
		// It looks passwords up in one database, through the balancers, and gets in nowhere else.
		rules = append(rules, patroni.AccessRule{Role: spec.PoolerRole, Database: "postgres"})
	}
	return rules
}

// slotsOf are the specification's slots in package patroni's words.
func slotsOf(slots []spec.Slot) []patroni.Slot {
	var all []patroni.Slot
	for _, s := range slots {
		all = append(all, patroni.Slot{Name: s.Name, Database: s.Database, Plugin: s.Plugin})
	}
	return all
}

// PatroniOptionsFor translates the spec for package patroni.
func (c *Site) PatroniOptionsFor(find Finder) (patroni.Options, error) {
	sp, cr := c.Spec, c.Credentials()
	o := patroniOptions(sp)
	o.EtcdCA, o.RESTCA, o.PostgresCA, o.Operator = cr.EtcdClientCA, cr.PatroniCA,
		cr.PostgresCA, cr.PatroniOperator
	o.Superuser.Password, o.Superuser.Verifier = cr.Superuser, cr.Verifiers[vault.RoleSuperuser]
	o.Replication.Password, o.Replication.Verifier = cr.Replication,
		cr.Verifiers[vault.RoleReplication]
	o.Rewind.Password, o.Rewind.Verifier = cr.Rewinder, cr.Verifiers[vault.RoleRewind]
	o.Meaning = c.meaning
	for _, h := range sp.Balancers() {
		o.Balancers = append(o.Balancers, h.Address)
	}
	for _, h := range sp.EtcdHosts() {
		o.EtcdEndpoints = append(o.EtcdEndpoints, connstring.HostPort(h.Address,
			sp.Etcd.ClientPort))
	}
	for _, h := range sp.Databases() {
		t, err := find(h.Name)
		if err != nil {
			return o, err
		}
		hc := cr.Hosts[h.Name]
		c.Mu.Lock()
		watchdog := c.Facts[h.Name].Watchdog
		c.Mu.Unlock()
		o.Members = append(o.Members, patroni.Member{Target: t, Name: h.Member, Address: h.Address,
			Tags:       h.Tags,
			EtcdClient: hc[layout.EtcdClient], REST: hc[layout.RESTServer],
			RESTClient:  hc[layout.RESTClient],
			Postgres:    hc[layout.Postgres],
			HasWatchdog: watchdog})
	}
	return o, nil
}

// balancerOptions are those that follow from the specification alone, without its hosts.
func balancerOptions(sp *spec.Spec) lb.Options {
	return lb.Options{
		WritePort: sp.Balancer.WritePort, ReadPort: sp.Balancer.ReadPort,
		FormerWritePort: sp.Balancer.FormerWritePort, FormerReadPort: sp.Balancer.FormerReadPort,
		PostgresPort: sp.PostgreSQL.Port, RESTPort: sp.Patroni.RESTPort,
		HealthPort:     sp.Balancer.StatsPort,
		StatsPage:      true,
		NoReadFallback: !sp.Balancer.ReadFallbackToPrimary, MaxConn: sp.Balancer.MaxConnections,
		ClientTimeout: sp.Balancer.ClientTimeout, ServerTimeout: sp.Balancer.ClientTimeout,
		ConnectTimeout: sp.Balancer.ConnectTimeout,
		Checks:         lb.Checks{Interval: sp.Balancer.CheckInterval}, Clients: Clients(sp),
		MetricsNetworks: sp.Monitoring.Networks, MetricsPort: sp.Monitoring.HAProxyPort,
	}
}

// BalancerOptionsFor translates the spec for package lb.
func (c *Site) BalancerOptionsFor(find Finder) (lb.Options, error) {
	sp := c.Spec
	o := balancerOptions(sp)
	o.PatroniCA = c.Credentials().PatroniCA
	var err error
	if o.Balancers, err = find.All(sp.Balancers()); err != nil {
		return o, err
	}
	for _, h := range sp.Databases() {
		o.Backends = append(o.Backends, lb.Backend{Name: h.Member, Address: h.Address})
	}
	return o, nil
}

// AddressOptionsFor translates the spec for package vip; false without a virtual IP.
func (c *Site) AddressOptionsFor(find Finder) (vip.Options, bool, error) {
	sp := c.Spec
	address, ok := certs.VIP(sp)
	if !ok {
		return vip.Options{}, false, nil
	}
	o := vip.Options{Address: address, PrefixLen: sp.VIP.PrefixLength, RouterID: sp.VIP.RouterID,
		AdvertInterval: sp.VIP.AdvertInterval,
		Preempt:        sp.VIP.Preempt, CheckPort: sp.Balancer.StatsPort}
	o.Former, _ = certs.FormerVIP(sp)
	o.PoolerPorts = poolerPorts(sp)
	for _, h := range sp.Balancers() {
		t, err := find(h.Name)
		if err != nil {
			return o, true, err
		}
		o.Balancers = append(o.Balancers, vip.Balancer{Target: t, Address: h.Address,
			Priority:  h.Priority,
			Interface: h.Interface})
	}
	return o, true, nil
}

// Holdings asks every balancer whether it holds the address.
func (c *Site) Holdings(ctx context.Context) ([]vip.Holding, error) {
	opts, ok, err := c.AddressOptions()
	if err != nil || !ok {
		return nil, err
	}
	return vip.Holder(ctx, opts)
}
