package site

import (
	"context"
	"fmt"
	"maps"
	"os"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// parameters are PostgreSQL's settings: those of the specification, and those of the archive.
func parameters(sp *spec.Spec) map[string]any {
	if sp.Backup == nil {
		return sp.PostgreSQL.Parameters
	}
	all := maps.Clone(sp.PostgreSQL.Parameters)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, backup.Parameters(backupOptions(sp)))
	return all
}

// named stands for a host where nothing but its name and address is asked for.
func named(h spec.Host) *remote.Target {
	return &remote.Target{Host: remote.Host{Name: h.Name, Address: h.Address}}
}

// backupOptions are those that follow from the specification alone. Its hosts have no connections.
func backupOptions(sp *spec.Spec) backup.Options {
	b := sp.Backup
	o := backup.Options{
		Stanza: sp.Cluster, Port: b.Port, Processes: b.Processes, RetentionDays: b.RetentionDays,
		ArchiveTimeout: b.ArchiveTimeout,
		Full:           b.Full, Differential: b.Differential, Incremental: b.Incremental, Proof: b.Proof,
		PostgreSQLVersion: sp.PostgreSQL.Version, DataDir: sp.PostgreSQL.DataDir,
		ListenPort: sp.PostgreSQL.Port, Superuser: sp.PostgreSQL.Superuser,
	}
	if b.AtLogLimit == spec.AtLogLimitDrop {
		o.DropAboveMB = b.LogLimitMB
	}
	for _, h := range sp.Databases() {
		o.Databases = append(o.Databases, backup.Host{Target: named(h)})
	}
	for _, r := range b.Repository {
		if h, err := sp.Host(r.Host); err == nil {
			o.Repository, o.Path = backup.Host{Target: named(h)}, r.Path
			o.Storage = storage(r)
		}
	}
	if h, ok := sp.ProofHost(); ok {
		o.ProofHost = h.Name
	}
	return o
}

// storage is where a repository is, without its key.
func storage(r spec.BackupRepository) backup.Storage {
	switch r.Type {
	case spec.RepositoryDirectory:
		return backup.Storage{Mounted: true}
	case spec.RepositoryS3:
		return backup.Storage{S3: &backup.S3{Endpoint: r.Endpoint, Port: r.Port, Bucket: r.Bucket,
			Region: r.Region, InPath: r.URIStyle == spec.URIPath, AccessKey: r.AccessKey}}
	case spec.RepositorySFTP:
		return backup.Storage{SFTP: &backup.SFTP{Address: r.Address, Port: r.Port, User: r.User,
			HostKeys: r.HostKeys}}
	case spec.RepositoryHost:
	}
	return backup.Storage{}
}

// openStorage fills in the key, and the authority of the server, which is in a file.
func openStorage(r spec.BackupRepository, s *backup.Storage, key pki.Secret) error {
	switch {
	case s.S3 != nil:
		s.S3.SecretKey = key
		if r.CAFile != "" {
			var err error
			if s.S3.CA, err = os.ReadFile(r.CAFile); err != nil {
				return fmt.Errorf("read the authority of the repository's server: %w", err)
			}
		}
	case s.SFTP != nil:
		// Programs of SSH want the last line of a private key to end.
		s.SFTP.Key = pki.NewSecret(append(key.Reveal(), '\n'))
	}
	return nil
}

// BorrowedOptions are those by which the first database host reads the backups of another cluster,
// of that name, in a repository; key is what they are encrypted with.
func BorrowedOptions(ctx context.Context, c *Site, find Finder, cluster string,
	r spec.BackupRepository, key pki.Secret) (backup.Options, error) {
	o := backupOptions(c.Spec)
	o.Stanza, o.Path, o.Storage, o.Key, o.CA = cluster, r.Path, storage(r), key, nil
	opened, err := vault.StorageKey(ctx, r)
	if err != nil {
		return o, err
	}
	if err := openStorage(r, &o.Storage, opened); err != nil {
		return o, err
	}
	t, err := find(c.Spec.Databases()[0].Name)
	return backup.Borrowed(o, backup.Host{Target: t}), err
}

// BackupOptions returns what package backup needs to look at this cluster; false without backups.
func (c *Site) BackupOptions() (backup.Options, bool, error) {
	return c.BackupOptionsFor(c.LenientTarget)
}

// BackupOptionsFor translates the spec for package backup; false without backups.
func (c *Site) BackupOptionsFor(find Finder) (backup.Options, bool, error) {
	sp, cr := c.Spec, c.Credentials()
	if sp.Backup == nil {
		return backup.Options{}, false, nil
	}
	o := backupOptions(sp)
	o.CA, o.Key = cr.BackupCA, cr.BackupKey
	for _, r := range sp.Backup.Repository {
		if err := openStorage(r, &o.Storage, cr.StorageKey); err != nil {
			return o, true, err
		}
	}
	connected := func(h *backup.Host) error {
		t, err := find(h.Target.Name)
		if err != nil {
			return err
		}
		h.Target, h.Certificate = t, cr.Hosts[t.Name][layout.Backup]
		return nil
	}
	for i := range o.Databases {
		if err := connected(&o.Databases[i]); err != nil {
			return o, true, err
		}
	}
	return o, true, connected(&o.Repository)
}
