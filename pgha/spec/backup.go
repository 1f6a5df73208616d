package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Backup says where backups and the write-ahead log go, and how often. pgBackRest makes and restores
// them.
type Backup struct {
	// Repository is where they are kept: one of type RepositoryHost. No default.
	Repository []BackupRepository `yaml:"repository"`
	// Port of pgBackRest's server, on the repository's host and on the databases' hosts, which
	// speak TLS to each other. Default: 8432.
	Port int `yaml:"port"`
	// Full is when a full backup is made, as systemd.time(7) has it. Default: "Sun 03:00".
	Full string `yaml:"full"`
	// Differential is when what has changed since the last full backup is saved; "" for never.
	// Default: "Mon..Sat 03:00".
	Differential string `yaml:"differential"`
	// Incremental is when what has changed since the last backup of any type is saved; "" for
	// never. Default: "".
	Incremental string `yaml:"incremental"`
	// RetentionDays is how far back every moment can be restored, 1 to 3650: full backups and all
	// that builds on them go when they are older, and a later full one is that old, too. Two full
	// backups stay in any case, once there are two. Default: 14.
	RetentionDays int `yaml:"retention_days"`
	// Encrypted: files in the repository are encrypted, by a key that is kept in the state
	// directory and on the repository's host. Default: true.
	Encrypted bool `yaml:"encrypted"`
	// ArchiveTimeout is how long a change waits at most until PostgreSQL hands the segment that it
	// is in to the archive, 10s to 1h: what the loss of all database hosts may cost. Default: 30s.
	ArchiveTimeout time.Duration `yaml:"archive_timeout" unit:"s"`
	// Processes compress and send at the same time during a backup or a restore, 1 to 64.
	// Default: 2.
	Processes int `yaml:"processes"`
	// ProofHost is the database host on which backups are restored beside the running server, to
	// prove them; it needs room for a copy. Default: "", the last database host.
	ProofHost string `yaml:"proof_host,omitempty"`
	// Proof is when that is done, as systemd.time(7) has it; "" for never. Default: "Sun 05:00".
	Proof string `yaml:"proof"`
}

// RepositoryType is a kind of repository.
type RepositoryType string

// RepositoryHost is a directory on one of the cluster's hosts.
const RepositoryHost RepositoryType = "host"

// BackupRepository is a place where backups are kept.
type BackupRepository struct {
	// Type is RepositoryHost. No default.
	Type RepositoryType `yaml:"type"`
	// Host is the name of one of the hosts. Best is one without a database: what a host's loss costs
	// should not be the backups as well. No default.
	Host string `yaml:"host"`
	// Path of the directory. Default: "/var/lib/pgbackrest".
	Path string `yaml:"path"`
}

// newBackup is a backup section with its defaults.
func newBackup() Backup {
	return Backup{Port: 8432, Full: "Sun 03:00", Differential: "Mon..Sat 03:00",
		RetentionDays: 14, Encrypted: true, ArchiveTimeout: 30 * time.Second, Processes: 2,
		Proof: "Sun 05:00"}
}

const repositoryPath = "/var/lib/pgbackrest"

// derive fills in what depends on other fields.
func (b *Backup) derive(d *decoder) {
	if b == nil {
		return
	}
	for i := range b.Repository {
		fill(d, element("backup.repository", i)+".path", &b.Repository[i].Path, repositoryPath)
	}
	fresh := newBackup()
	fill(d, "backup.port", &b.Port, fresh.Port)
	fill(d, "backup.retention_days", &b.RetentionDays, fresh.RetentionDays)
	fill(d, "backup.archive_timeout", &b.ArchiveTimeout, fresh.ArchiveTimeout)
	fill(d, "backup.processes", &b.Processes, fresh.Processes)
	fill(d, "backup.full", &b.Full, fresh.Full)
}

// RepositoryOn tells whether the host keeps backups.
func (s *Spec) RepositoryOn(h Host) bool {
	return s.Backup != nil && slices.ContainsFunc(s.Backup.Repository,
		func(r BackupRepository) bool { return r.Host == h.Name })
}

// BacksUp tells whether pgBackRest is on the host: there is a database, or backups are kept there.
func (s *Spec) BacksUp(h Host) bool {
	return s.Backup != nil && (h.Has(RoleDatabase) || s.RepositoryOn(h))
}

// RepositoryHosts returns the hosts that keep backups, in the spec's order.
func (s *Spec) RepositoryHosts() []Host {
	return slices.DeleteFunc(slices.Clone(s.Hosts),
		func(h Host) bool { return !s.RepositoryOn(h) })
}

// ProofHost returns the host on which backups are proven; false without backups.
func (s *Spec) ProofHost() (Host, bool) {
	databases := s.Databases()
	if s.Backup == nil || len(databases) == 0 {
		return Host{}, false
	}
	for _, h := range databases {
		if h.Name == s.Backup.ProofHost {
			return h, true
		}
	}
	return databases[len(databases)-1], true
}

// CertifiedHosts returns the hosts that have certificates of their own: those with members, those
// that keep backups, and those with a pooler, in the spec's order.
func (s *Spec) CertifiedHosts() []Host {
	return slices.DeleteFunc(slices.Clone(s.Hosts), func(h Host) bool {
		return !s.Runs(h, RoleDatabase) && !s.Runs(h, RoleEtcd) && !s.RepositoryOn(h) &&
			!s.Pools(h)
	})
}

// backup checks the section.
func (c *checker) backup() {
	b := c.Backup
	if b == nil {
		return
	}
	switch len(b.Repository) {
	case 0:
		c.bad("backup.repository", "is missing",
			"write where backups are kept: repository: [{type: host, host: "+c.aHost()+"}]")
	case 1:
	default:
		c.bad("backup.repository", fmt.Sprintf("names %d repositories", len(b.Repository)),
			"write one")
	}
	for i, r := range b.Repository {
		c.backupRepository(element("backup.repository", i), r)
	}
	within(c, "backup.retention_days", b.RetentionDays, 1, 3650)
	within(c, "backup.processes", b.Processes, 1, 64)
	c.between("backup.archive_timeout", b.ArchiveTimeout, 10*time.Second, time.Hour, time.Second)
	if b.Full == "" {
		c.bad("backup.full", "is empty: all other backups build on a full one",
			"write when, such as Sun 03:00")
	}
	c.calendar("backup.full", b.Full)
	c.calendar("backup.differential", b.Differential)
	c.calendar("backup.incremental", b.Incremental)
	c.calendar("backup.proof", b.Proof)
	if h := b.ProofHost; h != "" && !slices.ContainsFunc(c.Databases(),
		func(d Host) bool { return d.Name == h }) {
		c.bad("backup.proof_host", quoted(h)+" is no database host",
			didYouMean(h, hostNames(c.Databases())))
	}
	for _, name := range []string{"archive_mode", "archive_command", "archive_library",
		"archive_timeout"} {
		if _, set := lookup(c.PostgreSQL.Parameters, name); set {
			c.bad("postgresql.parameters."+name, "is set by backup",
				"delete it here, or the section backup")
		}
	}
}

func (c *checker) backupRepository(field string, r BackupRepository) {
	oneOf(c, field+".type", r.Type, RepositoryHost)
	switch {
	case r.Host == "":
		c.bad(field+".host", "is missing", "write the name of one of the hosts, such as "+c.aHost())
	case !slices.ContainsFunc(c.Hosts, func(h Host) bool { return h.Name == r.Host }):
		c.bad(field+".host", quoted(r.Host)+" is none of the hosts",
			didYouMean(r.Host, hostNames(c.Hosts)))
	}
	c.directory(field+".path", r.Path, repositoryPath)
	for _, other := range []struct{ field, dir string }{
		{"postgresql.data_dir", c.PostgreSQL.DataDir}, {"etcd.data_dir", c.Etcd.DataDir},
	} {
		if r.Path == other.dir || strings.HasPrefix(r.Path+"/", other.dir+"/") ||
			strings.HasPrefix(other.dir+"/", r.Path+"/") {
			c.bad(field+".path", "is not apart from "+other.field,
				"write a directory of its own, such as "+repositoryPath)
		}
	}
}

// aHost is the host that an example names: the last balancer, or the last host.
func (c *checker) aHost() string {
	for _, list := range [][]Host{c.Balancers(), c.Hosts} {
		if len(list) > 0 {
			return list[len(list)-1].Name
		}
	}
	return "haproxy-03"
}

func hostNames(hosts []Host) []string {
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	return names
}

// calendarSyntax has the characters of systemd's calendar events; whether it is one, systemd says on
// the host before the timer is put in place.
var calendarSyntax = regexp.MustCompile(`^[A-Za-z0-9*.,:/~ _+-]+$`)

func (c *checker) calendar(field, text string) {
	if text != "" && !calendarSyntax.MatchString(text) {
		c.bad(field, quoted(text)+" is no calendar event of systemd",
			"write one that systemd-analyze calendar understands, such as Sun 03:00")
	}
}
