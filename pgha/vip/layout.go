package vip

import (
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// Layout describes what this package puts on each balancer, whatever the options.
func Layout(Options) layout.Layout {
	return layout.Layout{
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
}
