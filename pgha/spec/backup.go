package spec

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Backup says where backups and the write-ahead log go, and how often. pgBackRest makes and
// restores them.
type Backup struct {
	// Repository is where they are kept: one. No default.
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
	// directory and on Repository's host. Default: true.
	Encrypted bool `yaml:"encrypted"`
	// ArchiveTimeout is how long a change waits at most until PostgreSQL hands the segment that it
	// is in to the archive, 10s to 1h: what the loss of all database hosts may cost. Default: 30s.
	ArchiveTimeout time.Duration `yaml:"archive_timeout" unit:"s"`
	// Processes compress and send at the same time during a backup or a restore, 1 to 64.
	// Default: 2.
	Processes int `yaml:"processes"`
	// LogLimitMB is how many MB of the log may wait on a database host while the repository takes
	// none, 64 to 10 million; 0 for as much as the disk has room for. `doctor` reports half of it,
	// and all. Default: 0.
	LogLimitMB int `yaml:"log_limit_mb"`
	// AtLogLimit is what happens there. "wait" goes on keeping the log, so that in the end the disk
	// is full and PostgreSQL stops. "drop" gives up what is above the limit: PostgreSQL goes on, no
	// moment behind that can be reached, and once the repository is back an incremental backup is
	// made, from which on all can be. Default: "wait".
	AtLogLimit string `yaml:"at_log_limit"`
	// ProofHost is the database host on which backups are restored beside the running server, to
	// prove them; it needs room for a copy. Default: "", the last database host.
	ProofHost string `yaml:"proof_host,omitempty"`
	// Proof is when that is done, as systemd.time(7) has it; "" for never. Default: "Sun 05:00".
	Proof string `yaml:"proof"`
	// BootstrapFrom is what a cluster that has no databases yet begins with. Once there are some it
	// is not read. Default: none, and the cluster begins empty.
	BootstrapFrom *BootstrapFrom `yaml:"bootstrap_from,omitempty"`
}

// BootstrapFrom names backups that a cluster begins with.
type BootstrapFrom struct {
	// Cluster is the name of the cluster whose backups they are. Default: this cluster's.
	Cluster string `yaml:"cluster,omitempty"`
	// Repository has them: the first database host reads it, so the path of a directory is one
	// there, and Host is not read. Default: none; this cluster's own repository, which its hosts
	// were lost from.
	Repository *BackupRepository `yaml:"repository,omitempty"`
	// KeyFile holds the key that they are encrypted with, as secrets/backup of the other cluster's
	// state directory has it; a file on this machine, readable by its owner only. Default: none;
	// this cluster's own key, or none where Encrypted is false.
	KeyFile string `yaml:"encryption_key_file,omitempty"`
	// To is the moment, as restore.Options.To is written. Default: "latest".
	To string `yaml:"to"`
}

// What happens at LogLimitMB.
const (
	AtLogLimitWait = "wait"
	AtLogLimitDrop = "drop"
)

// newBackup is a backup section with its defaults.
func newBackup() Backup {
	return Backup{Port: 8432, Full: "Sun 03:00", Differential: "Mon..Sat 03:00",
		RetentionDays: 14, Encrypted: true, ArchiveTimeout: 30 * time.Second, Processes: 2,
		Proof: "Sun 05:00", AtLogLimit: AtLogLimitWait}
}

// deriveBackup fills in what depends on other fields.
func (s *Spec) deriveBackup(d *decoder) {
	b := s.Backup
	if b == nil {
		return
	}
	for i := range b.Repository {
		s.deriveRepository(d, element("backup.repository", i), &b.Repository[i])
	}
	if from := b.BootstrapFrom; from != nil {
		fill(d, bootstrapFrom+".cluster", &from.Cluster, s.Cluster)
		fill(d, bootstrapFrom+".to", &from.To, "latest")
		if from.Repository != nil {
			s.deriveRepository(d, bootstrapFrom+".repository", from.Repository)
		}
	}
	fresh := newBackup()
	fill(d, "backup.port", &b.Port, fresh.Port)
	fill(d, "backup.retention_days", &b.RetentionDays, fresh.RetentionDays)
	fill(d, "backup.archive_timeout", &b.ArchiveTimeout, fresh.ArchiveTimeout)
	fill(d, "backup.processes", &b.Processes, fresh.Processes)
	fill(d, "backup.full", &b.Full, fresh.Full)
	fill(d, "backup.at_log_limit", &b.AtLogLimit, fresh.AtLogLimit)
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
			"write where backups are kept: repository: [{type: host, host: "+c.goodForBackups()+"}]")
	case 1:
	default:
		c.bad("backup.repository", fmt.Sprintf("names %d repositories", len(b.Repository)),
			"write one")
	}
	for i, r := range b.Repository {
		repositoryChecker{c}.check(element("backup.repository", i), r)
	}
	repositoryChecker{c}.bootstrapFrom()
	within(c, "backup.retention_days", b.RetentionDays, 1, 3650)
	within(c, "backup.processes", b.Processes, 1, 64)
	c.between("backup.archive_timeout", b.ArchiveTimeout, 10*time.Second, time.Hour, time.Second)
	if b.LogLimitMB != 0 {
		within(c, "backup.log_limit_mb", b.LogLimitMB, 64, 10_000_000)
	}
	oneOf(c, "backup.at_log_limit", b.AtLogLimit, AtLogLimitWait, AtLogLimitDrop)
	if b.AtLogLimit == AtLogLimitDrop && b.LogLimitMB == 0 {
		c.bad("backup.at_log_limit", "is drop, and there is no limit",
			"write log_limit_mb, too: how many MB of the log may wait on a database host")
	}
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

const bootstrapFrom = "backup.bootstrap_from"

func (c repositoryChecker) bootstrapFrom() {
	from := c.Backup.BootstrapFrom
	if from == nil {
		return
	}
	c.needs(bootstrapFrom+".to", from.To, "write a moment, or delete the line for latest")
	if !clusterSyntax.MatchString(from.Cluster) {
		c.bad(bootstrapFrom+".cluster", quoted(from.Cluster)+" cannot name a cluster",
			"write the name that the other specification has in the field cluster")
	}
	if from.KeyFile != "" {
		c.smallFile(bootstrapFrom+".encryption_key_file", from.KeyFile, true)
	}
	switch {
	case from.Repository != nil:
		c.check(bootstrapFrom+".repository", *from.Repository)
	case from.Cluster != c.Cluster:
		c.bad(bootstrapFrom+".repository", "is missing: this cluster's own has no backups of "+
			from.Cluster, "write where they are, as in backup.repository")
	case from.KeyFile != "":
		c.bad(bootstrapFrom+".encryption_key_file", "is not read without repository",
			"delete the line; the key is secrets/backup of the state directory")
	}
}

func hostNames(hosts []Host) []string {
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	return names
}

// calendarSyntax has the characters of systemd's calendar events; whether it is one, systemd says
// on the host before the timer is put in place.
var calendarSyntax = regexp.MustCompile(`^[A-Za-z0-9*.,:/~ _+-]+$`)

func (c *checker) calendar(field, text string) {
	if text != "" && !calendarSyntax.MatchString(text) {
		c.bad(field, quoted(text)+" is no calendar event of systemd",
			"write one that systemd-analyze calendar understands, such as Sun 03:00")
	}
}
