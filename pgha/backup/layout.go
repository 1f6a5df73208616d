package backup

import (
	"cmp"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// Names and places that hosts agree on.
const (
	// Unit is pgBackRest's server.
	Unit = layout.BackupUnit

	configDir = "/etc/pgbackrest"
	certsDir  = layout.BackupCerts
	unitsDir  = "/etc/systemd/system/"
	dropInDir = unitsDir + Unit + ".d"
	// Mark is a file of Configure's on every host that has a part in backups.
	Mark       = dropInDir + "/pgha.conf"
	systemUser = "postgres"
	programs   = "/usr/local/lib/pgha"

	// The repository's own: what makes backups, and when.
	takeUnitPath = unitsDir + "pgha-backup@.service"

	gapPath = programs + "/backup-gap"
	gapUnit = "pgha-backup-gap"

	// The databases' own: the row that is written each minute, and what proves backups.
	canarySQLPath  = programs + "/backup-canary.sql"
	canaryUnit     = "pgha-backup-canary"
	scratchPath    = programs + "/backup-scratch"
	replicaPath    = programs + "/backup-replica"
	copiedResult   = proofDir + "/copied-from-backup.json"
	proofUnit      = "pgha-backup-proof"
	proofDir       = "/var/lib/pgha"
	proofResult    = proofDir + "/backup-proof.json"
	fromBackup     = "backup"
	fromBackupHost = "backup, hosts, cluster, postgresql"
)

// dir is where the configuration is.
func (o Options) dir() string { return cmp.Or(o.Dir, configDir) }

func (o Options) configPath() string { return o.dir() + "/pgbackrest.conf" }

// settingsPath is what scratch.py reads.
func (o Options) settingsPath() string { return o.dir() + "/scratch.json" }

// pgbackrest is a command of pgBackRest's about the cluster.
func (o Options) pgbackrest(arguments ...string) []string {
	argv := []string{"pgbackrest", "--stanza=" + o.Stanza}
	if o.Dir != "" {
		argv = append(argv, "--config="+o.configPath())
	}
	return append(argv, arguments...)
}

func timerPath(unit string) string   { return unitsDir + unit + ".timer" }
func servicePath(unit string) string { return unitsDir + unit + ".service" }

// takeTimer is the timer of a type of backup.
func takeTimer(t Type) string { return "pgha-backup-" + string(t) }

// Layout describes what pgBackRest has on the host of that name. It uses Port, Path, and of
// Databases, Repository and ProofHost the names.
func Layout(o Options, h Host) layout.Layout {
	o = o.WithDefaults()
	own := func(f layout.File) layout.File {
		f.Owner, f.Group = systemUser, systemUser
		return f
	}
	l := layout.Layout{
		Component:    "backup",
		Packages:     remote.Packages{Names: []string{"pgbackrest"}, Quiet: []string{Unit}},
		PackagesFrom: fromBackup,
		Units:        []layout.Unit{{Name: Unit, Kind: layout.Helper, From: fromBackup}},
		Files: []layout.File{
			{Path: configDir, Dir: true, Group: systemUser, Mode: 0o750, From: fromBackup},
			own(layout.File{Path: certsDir, Dir: true, Mode: 0o700, From: layout.FromVault}),
			own(layout.File{Path: layout.BackupCA, Mode: 0o644, From: layout.FromVault}),
			{Path: ConfigPath, Group: systemUser, Mode: 0o640, Secret: true, Configures: Unit,
				From: fromBackupHost},
			{Path: dropInDir, Dir: true, From: layout.FromTemplates},
			{Path: Mark, From: layout.FromTemplates},
			{Path: programs, Dir: true, From: layout.FromTemplates},
		},
		Ports: []layout.Port{{Number: o.Port, Field: "backup.port", Unit: Unit,
			Programs: []string{"pgbackrest"},
			Clients:  []layout.Client{{Component: "backup", Purpose: "pgBackRest to pgBackRest"}}}},
	}
	if o.isRepository(h) {
		if o.Storage.isFolder() {
			l.Files = append(l.Files,
				own(layout.File{Path: o.Path, Dir: true, Mode: 0o750, From: fromBackup}))
		}
		l.Files = append(l.Files, o.storageFiles(own)...)
		l.Files = append(l.Files, layout.File{Path: takeUnitPath, From: layout.FromTemplates},
			layout.File{Path: gapPath, Mode: 0o755, From: layout.FromTemplates},
			layout.File{Path: servicePath(gapUnit), From: layout.FromTemplates},
			layout.File{Path: timerPath(gapUnit), From: layout.FromTemplates})
		for _, t := range Types() {
			l.Files = append(l.Files, layout.File{Path: timerPath(takeTimer(t)), Optional: true,
				From: fromBackup})
		}
	}
	if o.isDatabase(h) {
		l.Files = append(l.Files,
			layout.File{Path: canarySQLPath, From: layout.FromTemplates},
			layout.File{Path: o.settingsPath(), From: fromBackupHost},
			layout.File{Path: servicePath(canaryUnit), From: layout.FromTemplates},
			layout.File{Path: timerPath(canaryUnit), From: layout.FromTemplates},
			layout.File{Path: scratchPath, Mode: 0o755, From: layout.FromTemplates},
			layout.File{Path: replicaPath, Mode: 0o755, From: layout.FromTemplates},
			own(layout.File{Path: proofDir, Dir: true, From: layout.FromTemplates}),
			layout.File{Path: layout.BackupBegins, Optional: true, From: layout.FromTemplates})
		l.Units = append(l.Units, layout.Unit{Name: canaryUnit + ".timer", Kind: layout.Helper,
			From: layout.FromTemplates})
	}
	if name(h) == o.ProofHost {
		l.Files = append(l.Files,
			layout.File{Path: servicePath(proofUnit), From: layout.FromTemplates},
			layout.File{Path: timerPath(proofUnit), Optional: true, From: fromBackup})
	}
	return l.WithCertificates()
}
