package site

import (
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pooler"
	"github.com/pgha/toolkit/pgha/spec"
)

// poolerOptions are those that follow from the specification alone, without its hosts.
func poolerOptions(sp *spec.Spec) pooler.Options {
	p, sizes := sp.Pooler, sp.PoolSizes()
	o := pooler.Options{WritePort: p.WritePort, ReadPort: p.ReadPort,
		ServerWritePort: sp.Balancer.WritePort, ServerReadPort: sp.Balancer.ReadPort,
		Mode: pooler.Mode(p.Mode), MaxClients: p.MaxClients,
		Sizes:              pooler.Sizes{Write: sizes.Write, Read: sizes.Read},
		PreparedStatements: p.PreparedStatements, QueryWait: p.QueryWaitTimeout,
		LookupRole: spec.PoolerRole, StatsRoles: p.StatsRoles,
		StatsNetworks: sp.Monitoring.Networks, Clients: Clients(sp),
		Refused: []string{sp.PostgreSQL.ReplicationUser, sp.PostgreSQL.RewindUser}}
	for _, d := range sizes.Databases {
		o.Databases = append(o.Databases, pooler.Database{Name: d.Name, Mode: pooler.Mode(d.Mode),
			Sizes: pooler.Sizes{Write: d.Write, Read: d.Read}})
	}
	for _, r := range sp.PGRoles {
		if r.PoolConnections > 0 && r.Present() {
			o.Roles = append(o.Roles, pooler.Role{Name: r.Name, Connections: r.PoolConnections})
		}
	}
	return o
}

// poolerPorts are those where poolers listen; nil without any.
func poolerPorts(sp *spec.Spec) []int {
	if sp.Pooler == nil {
		return nil
	}
	return []int{sp.Pooler.WritePort, sp.Pooler.ReadPort}
}

// PoolerOptions returns what package pooler needs to look at this cluster; false without a pooler.
func PoolerOptions(c *Site) (pooler.Options, bool, error) {
	return PoolerOptionsFor(c, c.LenientTarget)
}

// PoolerOptionsFor translates the spec for package pooler; false without a pooler.
func PoolerOptionsFor(c *Site, find Finder) (pooler.Options, bool, error) {
	sp, cr := c.Spec, c.Credentials()
	if sp.Pooler == nil {
		return pooler.Options{}, false, nil
	}
	o := poolerOptions(sp)
	o.CA, o.LookupPassword = cr.PostgresCA, cr.Pooler
	for _, h := range sp.Balancers() {
		t, err := find(h.Name)
		if err != nil {
			return o, true, err
		}
		o.Balancers = append(o.Balancers, pooler.Balancer{Target: t,
			Certificate: cr.Hosts[h.Name][layout.Pooler]})
	}
	return o, true, nil
}
