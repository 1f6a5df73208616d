package backup

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// ErrInvalid: the options contradict themselves, or lack something.
var ErrInvalid = errs.New(errs.Invalid, "invalid options")

// Has tells whether a host of that name has a part in backups.
func (o Options) Has(host string) bool {
	named := func(h Host) bool { return h.Target != nil && h.Target.Name == host }
	return named(o.Repository) || slices.ContainsFunc(o.Databases, named)
}

// ErrNone means that the specification has no section backup.
var ErrNone = errs.WithNext(errs.New(errs.NotFound, "the specification says nothing of backups"),
	errs.Text("write backup: {repository: [{type: host, host: NAME}]} into it, and run %s",
		errs.Verb("apply")))

// Host is a host that pgBackRest runs on.
type Host struct {
	// Target is the host. Its Address is an IP address, by which the others connect.
	Target *remote.Target
	// Certificate proves to the others who it is. Its common name has to be the target's address:
	// pgBackRest compares that with what it dials (2.60 compares no IP addresses of a
	// certificate), and lets in by it.
	Certificate pki.KeyPair
}

// Options describe the backups of a cluster. Stanza, Databases, Repository, CA and
// PostgreSQLVersion have no default; every other zero value is a good one.
type Options struct {
	// Stanza names the cluster in the repository.
	Stanza string
	// Databases are the hosts of the cluster's members, those that are left out, too.
	Databases []Host
	// Repository is the host that keeps the backups, or reads and writes the storage that does, for
	// all. It may be one of Databases.
	Repository Host
	// Path of the repository's directory on that host or in its storage. "" means
	// /var/lib/pgbackrest.
	Path string
	// Storage is where that is. The zero value is the disk of Repository.
	Storage Storage
	// Dir is the directory of the configuration. "" means /etc/pgbackrest; another one is Borrow's.
	Dir string
	// Port of pgBackRest's server. 0 means 8432.
	Port int
	// CA is the PEM of the authority of the certificates.
	CA []byte
	// Key encrypts files in the repository. It must never change: what was written with another
	// one cannot be read. The zero value leaves files as they are.
	Key pki.Secret
	// Processes compress and send at the same time. 0 means 2.
	Processes int
	// RetentionDays is how far back every moment can be restored. 0 means 14.
	RetentionDays int
	// DropAboveMB is how many MB of the log may wait on a database host until what is above is
	// given up, and the archive has a gap; 0 for never.
	DropAboveMB int
	// ArchiveTimeout is how long PostgreSQL keeps a segment of its log to itself. 0 means 30 s.
	ArchiveTimeout time.Duration
	// Full, Differential, Incremental and Proof are calendar events of systemd; "" for never.
	Full, Differential, Incremental, Proof string
	// ProofHost is the name of one of Databases, on which Prove works. "" means the last one.
	ProofHost string

	// PostgreSQLVersion is the major version.
	PostgreSQLVersion int
	// DataDir is PostgreSQL's data directory. "" means /var/lib/postgresql/data.
	DataDir string
	// ListenPort is PostgreSQL's port. 0 means 5432.
	ListenPort int
	// Superuser is the role that pgBackRest works as, through PostgreSQL's socket. "" means
	// "postgres".
	Superuser string
	// Wait bounds each wait for something that is not a copy of data. 0 means 2 minutes.
	Wait time.Duration
	// Progress, when set, receives a line about what is being waited for. It must be safe for
	// concurrent use.
	Progress func(string)
}

// WithDefaults returns o with every empty field filled in.
func (o Options) WithDefaults() Options {
	o.Path = cmp.Or(o.Path, "/var/lib/pgbackrest")
	o.Port = cmp.Or(o.Port, 8432)
	o.Processes = cmp.Or(o.Processes, 2)
	o.RetentionDays = cmp.Or(o.RetentionDays, 14)
	o.ArchiveTimeout = cmp.Or(o.ArchiveTimeout, 30*time.Second)
	o.DataDir = cmp.Or(o.DataDir, "/var/lib/postgresql/data")
	o.ListenPort = cmp.Or(o.ListenPort, 5432)
	o.Superuser = cmp.Or(o.Superuser, "postgres")
	o.Wait = cmp.Or(o.Wait, 2*time.Minute)
	if o.ProofHost == "" && len(o.Databases) > 0 {
		o.ProofHost = name(o.Databases[len(o.Databases)-1])
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o
}

// Validate says what is wrong with the options, as an error that matches ErrInvalid. Changes
// nothing.
func (o Options) Validate() error {
	o = o.WithDefaults()
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case !plain(o.Stanza):
		return bad("stanza %q cannot name one", o.Stanza)
	case len(o.Databases) == 0:
		return bad("there is no database")
	case o.Repository.Target == nil:
		return bad("there is no repository")
	case o.PostgreSQLVersion == 0:
		return bad("the version of PostgreSQL is not said")
	case !plain(o.Superuser):
		return bad("superuser %q cannot stand in pgbackrest.conf", o.Superuser)
	}
	if problem := o.Storage.validate(); problem != "" {
		return bad("%s", problem)
	}
	for _, path := range []string{o.Path, o.DataDir} {
		if !plain(path) || path[0] != '/' {
			return bad("%q is no plain absolute path", path)
		}
	}
	for _, h := range o.hosts() {
		if h.Target == nil {
			return bad("a database has no target")
		}
		if _, err := netip.ParseAddr(h.Target.Address); err != nil {
			return bad("%s: address %q is no IP address", name(h), h.Target.Address)
		}
	}
	if !slices.ContainsFunc(o.Databases, func(h Host) bool { return name(h) == o.ProofHost }) {
		return bad("%q, on which backups are to be proven, has no database", o.ProofHost)
	}
	return nil
}

// hosts are all that pgBackRest runs on, each once: the repository first.
func (o Options) hosts() []Host {
	list := []Host{o.Repository}
	for _, d := range o.Databases {
		if d.Target == nil || name(d) != name(o.Repository) {
			list = append(list, d)
		}
	}
	return list
}

func name(h Host) string {
	if h.Target == nil {
		return ""
	}
	return h.Target.Name
}

// isRepository tells whether backups are kept on the host.
func (o Options) isRepository(h Host) bool { return name(h) == name(o.Repository) }

// isDatabase tells whether the host has one.
func (o Options) isDatabase(h Host) bool {
	return slices.ContainsFunc(o.Databases, func(d Host) bool { return name(d) == name(h) })
}

// plain tells whether a text can stand in pgbackrest.conf, which has no escape, in a unit and in a
// command of a shell.
func plain(s string) bool {
	for _, r := range s {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			r == '_' || r == '-' || r == '.' || r == '/') {
			return false
		}
	}
	return s != ""
}
