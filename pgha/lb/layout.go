package lb

import (
	"path"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// Layout describes what the options put on each balancer. It uses WritePort, ReadPort, those of
// before, HealthPort and, with MetricsNetworks, MetricsPort.
func Layout(o Options) layout.Layout {
	o = o.withDefaults()
	port := func(number int, field string, local bool) layout.Port {
		return layout.Port{Number: number, Field: field, Local: local, Unit: Unit,
			Programs: []string{"haproxy"}}
	}
	l := layout.Layout{
		Component:    "haproxy",
		Packages:     remote.Packages{Names: []string{"haproxy"}, Quiet: []string{Unit}},
		PackagesFrom: layout.FromRole,
		Units: []layout.Unit{
			{Name: Unit, From: "hosts"},
			{Name: sessionsUnit, Kind: layout.OnDemand, From: layout.FromTemplates},
		},
		Files: []layout.File{
			{Path: path.Dir(sessionsPath), Dir: true, From: layout.FromTemplates},
			{Path: sessionsPath, Mode: 0o755, From: layout.FromTemplates},
			{Path: sessionsUnitPath, From: layout.FromTemplates},
			{Path: certsDir, Dir: true, From: layout.FromVault},
			{Path: caPath, From: layout.FromVault},
			{Path: dropInDir, Dir: true, From: layout.FromTemplates},
			{Path: dropInPath, From: layout.FromTemplates},
			{Path: ConfigPath, Configures: Unit, From: "balancer, hosts, postgresql.port, " +
				"patroni.rest_port, monitoring"},
		},
		Ports: []layout.Port{
			port(o.WritePort, "balancer.write_port", false),
			port(o.ReadPort, "balancer.read_port", false),
			port(o.HealthPort, "balancer.stats_port", true),
		},
	}
	if o.FormerWritePort != 0 {
		l.Ports = append(l.Ports, port(o.FormerWritePort, "balancer.former_write_port", false))
	}
	if o.FormerReadPort != 0 {
		l.Ports = append(l.Ports, port(o.FormerReadPort, "balancer.former_read_port", false))
	}
	if len(o.MetricsNetworks) > 0 {
		l.Ports = append(l.Ports, port(o.MetricsPort, "monitoring.haproxy_port", false))
	}
	return l
}
