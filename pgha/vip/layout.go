package vip

import (
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// Layout describes what the options put on each balancer. It uses PoolerPorts.
func Layout(o Options) layout.Layout {
	l := layout.Layout{
		Component: "keepalived",
		Packages: remote.Packages{Names: []string{"keepalived", "iproute2"},
			Quiet: []string{Unit}},
		PackagesFrom: layout.FromRole,
		Users:        []string{scriptUser},
		Units:        []layout.Unit{{Name: Unit, From: "hosts, vip"}},
		Files: []layout.File{
			{Path: configDir, Dir: true, From: layout.FromTemplates},
			{Path: scriptPath, Mode: 0o755, From: layout.FromTemplates},
			{Path: dropInDir, Dir: true, From: layout.FromTemplates},
			{Path: dropInPath, From: layout.FromTemplates},
			{Path: ConfigPath, Configures: Unit, From: "vip, hosts (priority, interface), " +
				"balancer.stats_port"},
		},
		Ports: []layout.Port{{Unit: Unit, Programs: []string{"keepalived"},
			Clients: []layout.Client{{Component: "keepalived",
				Purpose: "election of the address's holder"}}}},
	}
	if len(o.PoolerPorts) > 0 {
		l.Files = append(l.Files, layout.File{Path: poolerPath, Mode: 0o755,
			From: layout.FromTemplates})
	}
	return l
}
