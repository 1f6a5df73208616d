package spec

import (
	"time"
)

// Profile is a set of Patroni's timings.
type Profile string

// The profiles.
const (
	// ProfileSafe is ttl 30, loop_wait 10, retry_timeout 10, primary_start_timeout 300 (all
	// seconds): Patroni's own.
	ProfileSafe Profile = "safe"
	// ProfileFast is ttl 20, loop_wait 10, retry_timeout 5, primary_start_timeout 10: the shortest
	// failover that Patroni allows, at the price of failing over for a pause that ProfileSafe would
	// sit out. A longer loop_wait shortens the loss of a host on average: the lock was last renewed
	// up to so long ago. A crashed primary, which the watcher notices at once, is started again
	// where it was, and loses nothing; a replica takes over if it is not back within ten seconds.
	ProfileFast Profile = "fast"
)

// SynchronousMode says which commits wait for a replica.
type SynchronousMode string

// The synchronous modes.
const (
	// SynchronousOff lets commits return before any replica has them.
	SynchronousOff SynchronousMode = "off"
	// SynchronousOn makes commits wait for one replica, and goes on alone when there is none.
	SynchronousOn SynchronousMode = "on"
	// SynchronousStrict is SynchronousOn that rather stops writes than goes on alone.
	SynchronousStrict SynchronousMode = "strict"
	// SynchronousQuorum makes commits wait for any one of the replicas.
	SynchronousQuorum SynchronousMode = "quorum"
)

// WatchdogMode says how Patroni treats a host's watchdog device.
type WatchdogMode string

// The watchdog modes.
const (
	// WatchdogAutomatic uses it where the host has one.
	WatchdogAutomatic WatchdogMode = "automatic"
	// WatchdogOff never uses it.
	WatchdogOff WatchdogMode = "off"
	// WatchdogRequired lets no member lead that cannot arm its watchdog.
	WatchdogRequired WatchdogMode = "required"
)

// Patroni describes the cluster manager on the database hosts. Its times are whole seconds; in a
// file a number without a unit is seconds, too.
type Patroni struct {
	// Namespace is the prefix of the cluster's keys in etcd. Default: "/service/".
	Namespace string `yaml:"namespace"`
	// RESTPort is the port of the REST API. Default: 8008.
	RESTPort int `yaml:"rest_port"`
	// Profile gives the four times below their defaults. Default: ProfileSafe.
	Profile Profile `yaml:"profile"`
	// TTL is how long a leader that went silent stays leader; at least 20s. Default: 30s, or the
	// profile's.
	TTL time.Duration `yaml:"ttl" unit:"s"`
	// LoopWait is the pause between two looks of Patroni at its cluster; at least 1s. Default: 10s,
	// or the profile's.
	LoopWait time.Duration `yaml:"loop_wait" unit:"s"`
	// RetryTimeout is how long Patroni bears a silent etcd or PostgreSQL; at least 3s. Default:
	// 10s, or the profile's. LoopWait + 2 * RetryTimeout must not be above TTL.
	RetryTimeout time.Duration `yaml:"retry_timeout" unit:"s"`
	// MaximumLagOnFailover is how many bytes a replica may be behind and still be promoted.
	// Default: 1048576.
	MaximumLagOnFailover int64 `yaml:"maximum_lag_on_failover"`
	// PrimaryStartTimeout is how long a crashed primary may try to start again before a replica
	// takes over. Default: 5m, or the profile's.
	//
	// It is not nil after Parse or Complete.
	PrimaryStartTimeout *time.Duration `yaml:"primary_start_timeout,omitempty" unit:"s"`
	// FailsafeMode keeps the primary writable while etcd is out of reach but every member is not.
	// Default: true.
	FailsafeMode bool `yaml:"failsafe_mode"`
	// UsePgRewind repairs a former primary with pg_rewind instead of copying it again. Default:
	// true.
	UsePgRewind bool `yaml:"use_pg_rewind"`
	// UseSlots gives every replica a replication slot. Default: true.
	UseSlots bool `yaml:"use_slots"`
	// SynchronousMode says which commits wait for a replica. Default: SynchronousOff.
	SynchronousMode SynchronousMode `yaml:"synchronous_mode"`
	// Watchdog says how a host's watchdog is used. Default: WatchdogAutomatic.
	Watchdog WatchdogMode `yaml:"watchdog"`
	// FastFailover fails over before the leader's lease ends when its host is lost; see
	// docs/fast-failover.md. Default: none, the lease has to end.
	FastFailover FastFailover `yaml:"fast_failover,omitempty"`
	// Extra is merged over the rendered patroni configuration, for whatever the fields above don't
	// know. Default: none.
	Extra map[string]any `yaml:"extra,omitempty"`
}

// FastFailover is a failover that does not wait for the lease.
type FastFailover struct {
	// SuspectAfter is how long nothing has to come from the leader's host before the other database
	// hosts fence it: 2s to 30s; 3s is a good value. It needs synchronous_mode and three database
	// hosts. Default: none, which switches fast_failover off.
	SuspectAfter time.Duration `yaml:"suspect_after,omitempty" unit:"s"`
}

// Source is where a program is installed from.
type Source string

// The sources.
const (
	// SourcePGDG is the PostgreSQL project's own apt repository.
	SourcePGDG Source = "pgdg"
	// SourceDistribution is whatever the host's own apt sources have.
	SourceDistribution Source = "distribution"
	// SourceMirror is the apt repository that the spec describes.
	SourceMirror Source = "mirror"
	// SourceRelease is etcd's release page.
	SourceRelease Source = "release"
	// SourceArchive is a release archive on this machine.
	SourceArchive Source = "archive"
)

// PostgreSQL describes the database server.
type PostgreSQL struct {
	// Version is the major version, 14 to 18. Default: 18.
	Version int `yaml:"version"`
	// Source is SourcePGDG, SourceDistribution or SourceMirror. Default: SourcePGDG.
	Source Source `yaml:"source"`
	// Repository is the apt repository where Source is SourceMirror; not allowed with another
	// source.
	Repository Repository `yaml:"repository,omitempty"`
	// Port that PostgreSQL listens on. Default: 5432.
	Port int `yaml:"port"`
	// DataDir is the data directory on the hosts. Default: "/var/lib/postgresql/data".
	DataDir string `yaml:"data_dir"`
	// Superuser is the role that may do everything. Default: "postgres".
	Superuser string `yaml:"superuser"`
	// ReplicationUser is the role that replicas connect as. Default: "replicator".
	ReplicationUser string `yaml:"replication_user"`
	// RewindUser is the role that pg_rewind connects as. Default: "rewind_user".
	RewindUser string `yaml:"rewind_user"`
	// Encoding of a new cluster. Default: "UTF8".
	Encoding string `yaml:"encoding"`
	// Locale of a new cluster. Default: "C.UTF-8".
	Locale string `yaml:"locale"`
	// DataChecksums protects a new cluster's pages with checksums. Default: true.
	DataChecksums bool `yaml:"data_checksums"`
	// Parameters are PostgreSQL settings for all members: text, numbers, booleans, or null for the
	// server's own default. Default: max_connections 100 and shared_buffers 256MB, which stay
	// unless they are named.
	Parameters map[string]any `yaml:"parameters,omitempty"`
	// PgHBA are further lines for pg_hba.conf: "hostssl <database> <user> <network> scram-sha-256"
	// and the like. md5, password and trust are refused. They stand behind what the cluster itself
	// needs; to PostgreSQL, sessions through the balancers come from the balancers' addresses.
	// Default: none.
	PgHBA []string `yaml:"pg_hba,omitempty"`
	// ClientNetworks are the networks that applications connect from, to the balancers and to
	// PostgreSQL itself; the cluster's own hosts may in any case. Default: 0.0.0.0/0, and ::/0
	// where the hosts have IPv6 addresses; TLS and a password are asked for in any case.
	ClientNetworks []string `yaml:"client_networks"`
	// SuperuserNetworks are the networks that the superuser may log in from to PostgreSQL itself,
	// beside the cluster's own hosts; what comes through the balancers has their addresses, which
	// are among those. Default: none; without balancers, where connections lead to PostgreSQL
	// itself, ClientNetworks.
	//
	// It is not nil after Parse or Complete.
	SuperuserNetworks []string `yaml:"superuser_networks"`
	// Slots are replication slots that outlive switchovers and failovers, such as those of change
	// data capture. Logical ones bring the parameter wal_level: logical with them, and more than
	// ten slots, a member's among them, a larger max_replication_slots and max_wal_senders. Slots
	// that are not named stay where they are, but no other member has them. Default: none.
	Slots []Slot `yaml:"slots,omitempty"`
}

// Repository is an apt repository with PostgreSQL's packages.
type Repository struct {
	// URL of the repository, http, https or file (a path on the hosts). Default: none, and there
	// must be one.
	URL string `yaml:"url,omitempty"`
	// KeyFile on this machine holds the public key the repository is signed with. Default: none,
	// and there must be one.
	KeyFile string `yaml:"key_file,omitempty"`
	// Suite of the repository. Default: "", which means "<codename>-pgdg".
	Suite string `yaml:"suite,omitempty"`
	// Components of the repository. Default: [main].
	Components []string `yaml:"components,omitempty"`
}

// Etcd describes the consensus store on the hosts that run it: see Spec.EtcdHosts.
type Etcd struct {
	// Version of etcd, complete. Default: "3.6.16"; none where Source is SourceDistribution, as the
	// package decides.
	Version string `yaml:"version,omitempty"`
	// Source is SourceRelease, SourceArchive or SourceDistribution. Default: SourceRelease.
	Source Source `yaml:"source"`
	// Archive is the release archive (.tar.gz) on this machine. Default: none; needed where Source
	// is SourceArchive.
	Archive string `yaml:"archive,omitempty"`
	// SHA256 is the archive's checksum, 64 hexadecimal digits. Default: none; needed with Archive
	// or URL.
	SHA256 string `yaml:"sha256,omitempty"`
	// URL of the archive where the release page can't be used. Default: "", the release page.
	URL string `yaml:"url,omitempty"`
	// DataDir is etcd's data directory on the hosts. Default: "/var/lib/etcd".
	DataDir string `yaml:"data_dir"`
	// HeartbeatInterval of etcd's leader. Default: 100ms.
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval"`
	// ElectionTimeout after which a silent etcd leader is replaced; at least five heartbeats.
	// Default: 1s.
	ElectionTimeout time.Duration `yaml:"election_timeout"`
	// AutoCompaction is how long old revisions are kept. Default: 1h.
	AutoCompaction time.Duration `yaml:"auto_compaction"`
	// ClientPort that etcd's clients connect to. Default: 2379.
	ClientPort int `yaml:"client_port"`
	// PeerPort that etcd's members connect to. Default: 2380.
	PeerPort int `yaml:"peer_port"`
}
