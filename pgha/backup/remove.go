package backup

import (
	"context"
	"slices"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// Remove takes away from hosts what Configure has put there: units, files, certificates and the
// key. The package stays, with its server stopped, and so do the backups. Safe to repeat.
func Remove(ctx context.Context, targets []*remote.Target) error {
	at := layout.CertificateOf(layout.Backup)
	var o Options
	list := former(layout.Layout{}, o.settingsPath())
	list = append(list, remote.Unit{Name: Unit, Running: remote.No, Enabled: remote.No})
	for _, path := range []string{ConfigPath, at.Key, at.File, at.CA, o.storageCA(), o.storageKey(),
		o.storageServers(), layout.BackupBegins, proofResult, copiedResult, Mark} {
		list = append(list, remote.Absent{Path: path})
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		if t.LeftOut {
			return nil
		}
		_, err := t.Ensure(ctx, list...)
		return err
	})
}

// former are the units and programs of parts in backups that a host has no more, by its layout.
func former(l layout.Layout, settings string) []remote.Resource {
	has := func(path string) bool {
		return slices.ContainsFunc(l.Files, func(f layout.File) bool { return f.Path == path })
	}
	var list []remote.Resource
	timers := []string{gapUnit, canaryUnit, proofUnit}
	for _, t := range Types() {
		timers = append(timers, takeTimer(t))
	}
	for _, unit := range timers {
		if !has(timerPath(unit)) {
			list = append(list, remote.Unit{Name: unit + ".timer", Running: remote.No,
				Enabled: remote.No}, remote.Absent{Path: timerPath(unit)})
		}
	}
	for _, path := range []string{takeUnitPath, servicePath(gapUnit), servicePath(canaryUnit),
		servicePath(proofUnit), gapPath, canarySQLPath, scratchPath, replicaPath, settings} {
		if !has(path) {
			list = append(list, remote.Absent{Path: path})
		}
	}
	return list
}
