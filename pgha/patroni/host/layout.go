package host

import (
	"fmt"
	"path"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// Layout describes what Patroni has on each member's host. It uses RESTPort.
//
// Debian's patroni does not bring what its etcd v3 client needs, python3-etcd and
// python3-dnspython, and finds no DCS without them. Its unit must not start before there is a
// configuration.
func Layout(o Options) layout.Layout {
	o = o.WithDefaults()
	l := layout.Layout{
		Component: "patroni",
		Packages: remote.Packages{
			Names:   []string{"patroni", "python3-etcd", "python3-dnspython"},
			Quiet:   []string{Unit},
			Modules: modules(),
		},
		PackagesFrom: layout.FromRole,
		Units: []layout.Unit{
			{Name: Unit, From: "hosts"},
			{Name: WatchUnit, Kind: layout.Helper, From: layout.FromTemplates},
		},
		Files: []layout.File{
			owned(layout.File{Path: configDir, Dir: true, Mode: 0o750,
				From: "patroni, postgresql, secrets"}),
			owned(layout.File{Path: CertsDir, Dir: true, Mode: 0o700, From: layout.FromVault}),
			owned(layout.File{Path: PasswordFile, Mode: 0o600, Secret: true, From: "secrets"}),
			owned(layout.File{Path: rolesPath, Mode: 0o600, Secret: true, Optional: true,
				From: "patroni, postgresql, secrets"}),
			owned(layout.File{Path: ConfigPath, Mode: 0o600, Secret: true, Configures: Unit,
				From: "patroni, postgresql, hosts, cluster"}),
			{Path: path.Dir(callbackPath), Dir: true, From: layout.FromTemplates},
			{Path: callbackPath, Mode: 0o755, From: layout.FromTemplates},
			{Path: watchPath, Mode: 0o755, From: layout.FromTemplates},
			{Path: watchUnitPath, From: layout.FromTemplates},
			{Path: dropInDir, Dir: true, From: "patroni, postgresql"},
			{Path: dropInPath, From: "patroni, postgresql"},
		},
		Ports: []layout.Port{{Number: o.RESTPort, Field: "patroni.rest_port", Unit: Unit,
			Programs: []string{"patroni", "python3"},
			Clients: []layout.Client{{Component: "patroni", Purpose: "Patroni to Patroni"},
				{Component: "haproxy", Purpose: "health check"}}}},
	}
	o.failoverLayout(&l)
	l.Files = append(l.Files, ctlFiles()...)
	for _, unit := range serverUnits() {
		l.Files = append(l.Files,
			layout.File{Path: path.Dir(standAsidePath(unit)), Dir: true,
				From: layout.FromTemplates},
			layout.File{Path: standAsidePath(unit), From: layout.FromTemplates})
	}
	for _, f := range []string{layout.PatroniEtcdCA, layout.PatroniRESTCA, PostgresCAFile} {
		l.Files = append(l.Files, owned(layout.File{Path: f, Mode: 0o644, From: layout.FromVault}))
	}
	return l.WithCertificates()
}

// ServerLayout describes what PostgreSQL, which Patroni starts, has on each member's host. It uses
// PostgreSQLVersion, ExtensionPackages, DataDir and ListenPort.
//
// pg_rewind and the contrib modules are part of postgresql-<version>. What must be there before the
// packages keeps postgresql-common from making a cluster of its own, which would occupy the port.
func ServerLayout(o Options) layout.Layout {
	o = o.WithDefaults()
	l := layout.Layout{
		Component: "postgresql",
		Packages: remote.Packages{Names: append([]string{fmt.Sprintf("postgresql-%d",
			o.PostgreSQLVersion)}, o.ExtensionPackages...),
			Quiet: serverUnits()[:1]},
		PackagesFrom: "postgresql.version, postgresql.source, databases",
		Files: []layout.File{
			{Path: path.Dir(createPath), Dir: true, From: layout.FromTemplates},
			{Path: createPath, From: layout.FromTemplates},
			// PostgreSQL itself allows its group to read it (initdb --allow-group-access).
			owned(layout.File{Path: o.DataDir, Dir: true, Mode: 0o700, MostMode: 0o750,
				From: "postgresql.data_dir"}),
		},
		Ports: []layout.Port{{Number: o.ListenPort, Field: "postgresql.port", Unit: Unit,
			Programs: []string{"postgres"},
			Clients: []layout.Client{{Component: "patroni", Purpose: "replication"},
				{Component: "haproxy", Purpose: "clients by way of the balancer"}}}},
	}
	l.BeforePackages = []remote.Resource{l.Folder(path.Dir(createPath)),
		l.Place(createPath,
			[]byte("# Written by pgha: Patroni makes the only cluster of this "+
				"host.\ncreate_main_cluster = false\n"))}
	return l
}

func owned(f layout.File) layout.File {
	f.Owner, f.Group = systemUser, systemUser
	return f
}

// modules are the Python modules that Patroni loads when it starts, and those that judge its
// configuration.
func modules() []string {
	return []string{
		"patroni.__main__", "patroni.api", "patroni.dcs.etcd3", "patroni.ha", "patroni.postgresql",
		"patroni.request", "patroni.validator", "patroni.watchdog", "psycopg2",
	}
}
