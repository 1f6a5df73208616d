package etcd

import (
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// Layout describes what the options put on each member's host. It uses Source, DataDir, ClientPort,
// PeerPort and MetricsPort.
func Layout(o Options) layout.Layout {
	o = o.withDefaults()
	l := layout.Layout{
		Component: "etcd",
		Packages:  o.packages(), PackagesFrom: "etcd.source",
		Users: []string{user},
		Units: []layout.Unit{{Name: Unit, From: "hosts"}},
		Files: []layout.File{
			{Path: configDir, Dir: true, From: settingsFrom},
			{Path: certDir, Dir: true, Group: user, Mode: 0o750, From: layout.FromVault},
			{Path: o.DataDir, Dir: true, Owner: user, Group: user, Mode: 0o700,
				From: "etcd.data_dir"},
			{Path: CAFile, Group: user, From: layout.FromVault},
			{Path: layout.EtcdRevoked, Group: user, From: layout.FromVault},
			{Path: envFile, Configures: Unit, From: settingsFrom},
			{Path: unitFile, Configures: Unit, From: "etcd.data_dir"},
			{Path: etcdctlPath, Mode: 0o755, From: settingsFrom},
		},
		Ports: []layout.Port{
			{Number: o.ClientPort, Field: "etcd.client_port", Unit: Unit,
				Programs: []string{"etcd"},
				Clients:  []layout.Client{{Component: "patroni", Purpose: "Patroni to etcd"}}},
			{Number: o.PeerPort, Field: "etcd.peer_port", Unit: Unit, Programs: []string{"etcd"},
				Clients: []layout.Client{{Component: "etcd", Purpose: "etcd to etcd"}}},
		},
	}
	if o.MetricsPort > 0 {
		l.Ports = append(l.Ports, layout.Port{Number: o.MetricsPort, Field: "monitoring.etcd_port",
			Unit: Unit, Programs: []string{"etcd"}})
	}
	return l.WithCertificates()
}

// settingsFrom is what etcd.env is made from.
const settingsFrom = "etcd, hosts, cluster, monitoring"

// packages are what a host needs before Install or Bootstrap. The distribution's must not start
// etcd: with their defaults each host would form a cluster of one.
func (o Options) packages() remote.Packages {
	switch o.Source {
	case SourceDistribution:
		return remote.Packages{Names: []string{"etcd-server", "etcd-client"}, Quiet: []string{Unit}}
	case SourceArchive:
		return remote.Packages{}
	default:
		return remote.Packages{Names: []string{"curl", "ca-certificates"}}
	}
}
