package pooler

import (
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// Places and names that the hosts agree on.
const (
	configDir   = "/etc/pgha-pooler"
	rulesPath   = configDir + "/hba.conf"
	usersPath   = configDir + "/users.txt"
	systemUser  = "pgha-pooler"
	programs    = "/usr/local/lib/pgha"
	consolePath = programs + "/pooler"
	checkPath   = programs + "/pooler-accepts"
	unitsDir    = "/etc/systemd/system/"
	// debianUnit is the service of the package, which is not used.
	debianUnit = "pgbouncer.service"
	resumeUnit = "pgha-pooler-resume"

	fromPooler = "pooler"
	fromSizes  = "pooler, postgresql.parameters (max_connections), databases, roles"
)

// UnitOf is the unit of an instance.
func UnitOf(i Instance) string {
	if i == Read {
		return layout.PoolerReadUnit
	}
	return layout.PoolerWriteUnit
}

func configPath(i Instance) string { return configDir + "/" + string(i) + ".ini" }
func unitPath(i Instance) string   { return unitsDir + UnitOf(i) }
func socketDir(i Instance) string  { return "/run/pgha-pooler-" + string(i) }

// Layout describes what the options put on each balancer. It uses WritePort and ReadPort.
func Layout(o Options) layout.Layout {
	o = o.WithDefaults()
	own := func(f layout.File) layout.File {
		f.Group, f.Mode = systemUser, 0o640
		if f.Dir {
			f.Mode = 0o750
		}
		return f
	}
	l := layout.Layout{
		Component:    "pooler",
		Packages:     remote.Packages{Names: []string{"pgbouncer"}, Quiet: []string{debianUnit}},
		PackagesFrom: fromPooler,
		Users:        []string{systemUser},
		Files: []layout.File{
			own(layout.File{Path: configDir, Dir: true, From: fromPooler}),
			own(layout.File{Path: layout.PoolerCerts, Dir: true, From: layout.FromVault}),
			own(layout.File{Path: layout.PoolerCA, From: layout.FromVault}),
			own(layout.File{Path: rulesPath, From: "pooler, postgresql.client_networks"}),
			own(layout.File{Path: usersPath, Secret: true, From: layout.FromVault}),
			{Path: programs, Dir: true, From: layout.FromTemplates},
			{Path: consolePath, Mode: 0o755, From: layout.FromTemplates},
			{Path: checkPath, Mode: 0o755, From: layout.FromTemplates},
		},
	}
	for _, i := range Instances() {
		l.Units = append(l.Units, layout.Unit{Name: UnitOf(i), From: fromPooler})
		file := own(layout.File{Path: configPath(i), From: fromSizes})
		file.Configures = UnitOf(i)
		l.Files = append(l.Files, file, layout.File{Path: unitPath(i), Configures: UnitOf(i),
			From: fromPooler})
		l.Ports = append(l.Ports, layout.Port{Number: o.port(i),
			Field: "pooler." + string(i) + "_port", Unit: UnitOf(i),
			Programs: []string{"pgbouncer"}})
	}
	return l.WithCertificates()
}
