package backup

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// borrowedDir has the configuration by which a host reads the repository of another cluster.
const borrowedDir = configDir + "/borrowed"

// borrowed tells whether the repository is another cluster's, in which nothing may be written.
func (o Options) borrowed() bool { return o.Dir != "" }

// Borrowed returns the options by which a host reads the repository of another cluster, or of a
// former one: those of o with the host in the place of the repository's and of the databases'. The
// path is one on that host, or in the storage. Pure computation.
func Borrowed(o Options, h Host) Options {
	o.Dir, o.Repository, o.Databases, o.ProofHost = borrowedDir, h, []Host{h}, ""
	return o
}

// Borrow lets the host of options that Borrowed returned read the repository, until GiveBack. On it
// are written the configuration, with the keys, and what scratch.py reads. Needs the programs that
// Configure installs. Safe to repeat. The error matches ErrUnreachable where the repository cannot
// be read.
func Borrow(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("read another cluster's backups: %w", err)
	}
	o = o.WithDefaults()
	h := o.Repository
	config, err := Config(o, h)
	if err != nil {
		return err
	}
	own := func(f layout.File) layout.File {
		f.Owner, f.Group, f.From = systemUser, systemUser, fromBackup
		return f
	}
	l := layout.Layout{Component: "backup", Files: append([]layout.File{
		own(layout.File{Path: o.Dir, Dir: true, Mode: 0o700}),
		own(layout.File{Path: o.configPath(), Mode: 0o600, Secret: true}),
		own(layout.File{Path: o.settingsPath()}),
	}, o.storageFiles(own)...)}
	list := append([]remote.Resource{l.Folder(o.Dir)}, o.storageResources(l)...)
	list = append(list, l.Place(o.configPath(), config), l.Place(o.settingsPath(), o.scratchSettings()))
	if _, err := h.Target.Ensure(ctx, list...); err != nil || h.Target.Planning() {
		return err
	}
	return Reach(ctx, o)
}

// MarkBeginning leaves a note on a database host: the data that it is about to get is what the
// cluster begins with, and no stranger's. Safe to repeat.
func MarkBeginning(ctx context.Context, o Options, t *remote.Target) error {
	_, err := t.Ensure(ctx, Layout(o, Host{Target: t}).Place(layout.BackupBegins, fmt.Appendf(nil,
		"Written by pgha: the databases of this host began with the backups of %s.\n", o.Stanza)))
	return err
}

// GiveBack deletes what Borrow has written. Safe to repeat.
func GiveBack(ctx context.Context, o Options) error {
	t := o.Repository.Target
	if there, err := t.Output(ctx, "sh", "-c", `if [ -e "$1" ]; then echo there; fi`, "sh",
		borrowedDir); err != nil || there == "" {
		return remote.OnHost(t.Name, err)
	}
	_, err := t.Do(ctx, borrowedDir, "deleted", remote.Cmd{Argv: []string{"rm", "-rf", "--",
		borrowedDir}})
	return remote.OnHost(t.Name, err)
}
