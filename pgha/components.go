package pgha

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/vip"
)

// finder looks a connection up; a Run's reports changes, a Cluster's doesn't.
type finder func(name string) (*remote.Target, error)

// all returns the connections to the given hosts. A host without one is an error.
func (find finder) all(hosts []spec.Host) ([]*remote.Target, error) {
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

func (r *job) databases() ([]*remote.Target, error) { return finder(r.Target).all(r.Spec.Databases()) }
func (r *job) balancers() ([]*remote.Target, error) { return finder(r.Target).all(r.Spec.Balancers()) }
func (r *job) planning() bool {
	ts := r.Targets()
	return r.dryRun || len(ts) > 0 && ts[0].Planning()
}

func (r *job) etcdOptions() (etcd.Options, error) {
	o, err := r.Cluster.etcdOptionsFor(r.Target)
	o.Progress, o.Forming = r.Progress, r.holdPatroni
	return o, err
}

func (r *job) patroniOptions() (patroni.Options, error) {
	o, err := r.Cluster.patroniOptionsFor(r.Target)
	o.Progress, o.Adopt = r.Progress, r.adoptStore
	return o, err
}

func (r *job) lbOptions() (lb.Options, error) {
	o, err := r.Cluster.lbOptionsFor(r.Target)
	o.Progress = r.Progress
	o.Last = func(ctx context.Context) string {
		holdings, _ := r.holdings(ctx) // unknown: then the spec's order is as good as any
		for _, h := range holdings {
			if h.Holds {
				return h.Host
			}
		}
		return ""
	}
	return o, err
}

func (r *job) vipOptions() (vip.Options, bool, error) {
	o, ok, err := r.Cluster.vipOptionsFor(r.Target)
	o.Progress = r.Progress
	return o, ok, err
}

// lenientTarget finds connections for looking only: a host without one gets an executor that fails with the reason, so that
// the rest can still be asked.
func (c *Cluster) lenientTarget(name string) (*remote.Target, error) {
	t, err := c.Target(name)
	if err == nil {
		return t, nil
	}
	h, specErr := c.Spec.Host(name)
	if specErr != nil {
		return nil, specErr
	}
	return &remote.Target{Host: remote.Host{Name: h.Name, Address: h.Address}, Executor: remote.Broken(h.Name, err)}, nil
}

func (c *Cluster) databases() ([]*remote.Target, error) {
	return finder(c.lenientTarget).all(c.Spec.Databases())
}
func (c *Cluster) etcdOptions() (etcd.Options, error) { return c.etcdOptionsFor(c.lenientTarget) }
func (c *Cluster) patroniOptions() (patroni.Options, error) {
	return c.patroniOptionsFor(c.lenientTarget)
}
func (c *Cluster) lbOptions() (lb.Options, error)         { return c.lbOptionsFor(c.lenientTarget) }
func (c *Cluster) vipOptions() (vip.Options, bool, error) { return c.vipOptionsFor(c.lenientTarget) }

// etcdOptionsFor translates the spec for package etcd.
func (c *Cluster) etcdOptionsFor(find finder) (etcd.Options, error) {
	sp, cr := c.Spec, c.credentials
	o := etcd.Options{
		CA: cr.etcdCA, Client: etcd.KeyPair{Cert: cr.etcdOperator.cert, Key: cr.etcdOperator.key},
		Token: sp.Cluster, Version: sp.Etcd.Version, Source: etcd.Source(sp.Etcd.Source),
		Archive: sp.Etcd.Archive, SHA256: sp.Etcd.SHA256, URL: sp.Etcd.URL, DataDir: sp.Etcd.DataDir,
		HeartbeatInterval: sp.Etcd.HeartbeatInterval, ElectionTimeout: sp.Etcd.ElectionTimeout,
		AutoCompaction: sp.Etcd.AutoCompaction, ClientPort: sp.Etcd.ClientPort, PeerPort: sp.Etcd.PeerPort,
	}
	for _, h := range sp.Databases() {
		t, err := find(h.Name)
		if err != nil {
			return o, err
		}
		hc := cr.hosts[h.Name]
		o.Members = append(o.Members, etcd.Member{Target: t, Name: h.Member, Address: h.Address,
			Server: etcd.KeyPair{Cert: hc.etcdServer.cert, Key: hc.etcdServer.key}, Peer: etcd.KeyPair{Cert: hc.etcdPeer.cert, Key: hc.etcdPeer.key},
			Gateway: etcd.KeyPair{Cert: hc.etcdGateway.cert, Key: hc.etcdGateway.key}})
	}
	return o, nil
}

// patroniOptionsFor translates the spec for package patroni.
func (c *Cluster) patroniOptionsFor(find finder) (patroni.Options, error) {
	sp, cr, pg, pa := c.Spec, c.credentials, c.Spec.PostgreSQL, c.Spec.Patroni
	o := patroni.Options{
		Scope: sp.Cluster, Namespace: pa.Namespace,
		EtcdCA: cr.etcdCA, RESTCA: cr.patroniCA, PostgresCA: cr.postgresCA,
		Operator:          pair(cr.patroniOperator),
		Superuser:         patroni.Credentials{Username: pg.Superuser, Password: cr.superuser, Verifier: cr.verifiers[roleSuperuser]},
		Replication:       patroni.Credentials{Username: pg.ReplicationUser, Password: cr.replication, Verifier: cr.verifiers[roleReplication]},
		Rewind:            patroni.Credentials{Username: pg.RewindUser, Password: cr.rewinder, Verifier: cr.verifiers[roleRewind]},
		PostgreSQLVersion: pg.Version, DataDir: pg.DataDir, ListenPort: pg.Port, RESTPort: pa.RESTPort,
		TTL: pa.TTL, LoopWait: pa.LoopWait, RetryTimeout: pa.RetryTimeout, PrimaryStartTimeout: pa.PrimaryStartTimeout,
		MaximumLagOnFailover: &pa.MaximumLagOnFailover,
		NoFailsafe:           !pa.FailsafeMode, NoRewind: !pa.UsePgRewind, NoSlots: !pa.UseSlots,
		SynchronousMode: patroni.SynchronousMode(pa.SynchronousMode), Watchdog: patroni.WatchdogMode(pa.Watchdog),
		Parameters: pg.Parameters, Meaning: c.meaning, Extra: pa.Extra, PgHBA: pg.PgHBA, ApplicationCIDRs: pg.ClientNetworks,
		TryLogins: c.tryLogins,
		Encoding:  pg.Encoding, Locale: pg.Locale, NoChecksums: !pg.DataChecksums,
	}
	for _, h := range sp.Balancers() {
		o.Balancers = append(o.Balancers, h.Address)
	}
	for _, h := range sp.Databases() {
		t, err := find(h.Name)
		if err != nil {
			return o, err
		}
		hc := cr.hosts[h.Name]
		c.mu.Lock()
		watchdog := c.facts[h.Name].Watchdog
		c.mu.Unlock()
		o.EtcdEndpoints = append(o.EtcdEndpoints, hostPort(h.Address, sp.Etcd.ClientPort))
		o.Members = append(o.Members, patroni.Member{Target: t, Name: h.Member, Address: h.Address, Tags: h.Tags,
			EtcdClient: pair(hc.etcdClient), REST: pair(hc.restServer), RESTClient: pair(hc.restClient), Postgres: pair(hc.postgres), HasWatchdog: watchdog})
	}
	return o, nil
}

func pair(l leaf) patroni.KeyPair { return patroni.KeyPair{Cert: l.cert, Key: l.key} }

// lbOptionsFor translates the spec for package lb.
func (c *Cluster) lbOptionsFor(find finder) (lb.Options, error) {
	sp := c.Spec
	o := lb.Options{
		PatroniCA: c.credentials.patroniCA, WritePort: sp.Balancer.WritePort, ReadPort: sp.Balancer.ReadPort,
		PostgresPort: sp.PostgreSQL.Port, RESTPort: sp.Patroni.RESTPort, HealthPort: sp.Balancer.StatsPort, StatsPage: true,
		NoReadFallback: !sp.Balancer.ReadFallbackToPrimary, MaxConn: sp.Balancer.MaxConnections,
		ClientTimeout: sp.Balancer.ClientTimeout, ServerTimeout: sp.Balancer.ClientTimeout,
		Checks: lb.Checks{Interval: sp.Balancer.CheckInterval}, Clients: clients(sp),
	}
	var err error
	if o.Balancers, err = find.all(sp.Balancers()); err != nil {
		return o, err
	}
	for _, h := range sp.Databases() {
		o.Backends = append(o.Backends, lb.Backend{Name: h.Member, Address: h.Address})
	}
	return o, nil
}

// vipOptionsFor translates the spec for package vip; false without a virtual IP.
func (c *Cluster) vipOptionsFor(find finder) (vip.Options, bool, error) {
	sp := c.Spec
	address, ok := vipAddress(sp)
	if !ok {
		return vip.Options{}, false, nil
	}
	o := vip.Options{Address: address, PrefixLen: sp.VIP.PrefixLength, RouterID: sp.VIP.RouterID, AdvertInterval: sp.VIP.AdvertInterval,
		NoPreempt: !sp.VIP.Preempt, CheckPort: sp.Balancer.StatsPort}
	for _, h := range sp.Balancers() {
		t, err := find(h.Name)
		if err != nil {
			return o, true, err
		}
		o.Balancers = append(o.Balancers, vip.Balancer{Target: t, Address: h.Address, Priority: h.Priority, Interface: h.Interface})
	}
	return o, true, nil
}

// balancerPackages lists what a balancer needs.
func balancerPackages() []string { return append(lb.PackageNames(), vip.PackageNames()...) }

// baseResources are what every host gets.
func (r *job) baseResources() []remote.Resource {
	if !r.Spec.Unattended.NeedrestartExclude {
		return []remote.Resource{remote.Absent{Path: patroni.NeedrestartFile}}
	}
	return patroni.NeedrestartResources()
}

// setTimeZone sets the host's time zone if the spec names one and the host has another.
func (r *job) setTimeZone(ctx context.Context, t *remote.Target) error {
	want := r.Spec.Timezone
	if want == "" {
		return nil
	}
	have, err := t.Output(ctx, "timedatectl", "show", "--property=Timezone", "--value")
	if err != nil || strings.TrimSpace(have) == want {
		return err
	}
	_, err = t.Do(ctx, "time zone", "set to "+want, remote.Cmd{Argv: []string{"timedatectl", "set-timezone", want}})
	return err
}

// repository returns the resources that make PostgreSQL's packages available: none for the distribution's own.
func (r *job) repository(ctx context.Context, t *remote.Target) ([]remote.Resource, error) {
	pg := r.Spec.PostgreSQL
	if pg.Source == spec.SourceDistribution {
		return nil, nil
	}
	release, err := t.Output(ctx, "sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME")
	if err != nil {
		return nil, err
	}
	repo := repository{URL: pg.Repository.URL, Suite: pg.Repository.Suite, Components: pg.Repository.Components, Codename: strings.TrimSpace(release)}
	if pg.Repository.KeyFile != "" {
		if repo.Key, err = os.ReadFile(pg.Repository.KeyFile); err != nil {
			return nil, err
		}
	}
	return repo.resources(), nil
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
