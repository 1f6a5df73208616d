package spec

import "time"

// Profile is a set of Patroni's timings.
type Profile string

// The profiles.
const (
	// ProfileSafe is ttl 30, loop_wait 10, retry_timeout 10, primary_start_timeout 300 (all seconds): Patroni's own.
	ProfileSafe Profile = "safe"
	// ProfileFast is ttl 20, loop_wait 10, retry_timeout 5, primary_start_timeout 10: the shortest failover that Patroni
	// allows, at the price of failing over for a pause that ProfileSafe would sit out. A longer loop_wait shortens the loss of
	// a host on average: the lock was last renewed up to so long ago. A crashed primary, which the watcher notices at once, is
	// started again where it was, and loses nothing; a replica takes over if it is not back within ten seconds.
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

// Patroni describes the cluster manager on the database hosts. Its times are whole seconds; in a file a number without a
// unit is seconds, too.
type Patroni struct {
	// Namespace is the prefix of the cluster's keys in etcd. Default: "/service/".
	Namespace string `yaml:"namespace"`
	// RESTPort is the port of the REST API. Default: 8008.
	RESTPort int `yaml:"rest_port"`
	// Profile gives the four times below their defaults. Default: ProfileSafe.
	Profile Profile `yaml:"profile"`
	// TTL is how long a leader that went silent stays leader; at least 20s. Default: 30s, or the profile's.
	TTL time.Duration `yaml:"ttl" unit:"s"`
	// LoopWait is the pause between two looks of Patroni at its cluster; at least 1s. Default: 10s, or the profile's.
	LoopWait time.Duration `yaml:"loop_wait" unit:"s"`
	// RetryTimeout is how long Patroni bears a silent etcd or PostgreSQL; at least 3s. Default: 10s, or the profile's.
	// LoopWait + 2 * RetryTimeout must not be above TTL.
	RetryTimeout time.Duration `yaml:"retry_timeout" unit:"s"`
	// MaximumLagOnFailover is how many bytes a replica may be behind and still be promoted. Default: 1048576.
	MaximumLagOnFailover int64 `yaml:"maximum_lag_on_failover"`
	// PrimaryStartTimeout is how long a crashed primary may try to start again before a replica takes over. Default: 5m,
	// or the profile's.
	//
	// It is not nil after Parse or Complete.
	PrimaryStartTimeout *time.Duration `yaml:"primary_start_timeout,omitempty" unit:"s"`
	// FailsafeMode keeps the primary writable while etcd is out of reach but every member is not. Default: true.
	FailsafeMode bool `yaml:"failsafe_mode"`
	// UsePgRewind repairs a former primary with pg_rewind instead of copying it anew. Default: true.
	UsePgRewind bool `yaml:"use_pg_rewind"`
	// UseSlots gives every replica a replication slot. Default: true.
	UseSlots bool `yaml:"use_slots"`
	// SynchronousMode says which commits wait for a replica. Default: SynchronousOff.
	SynchronousMode SynchronousMode `yaml:"synchronous_mode"`
	// Watchdog says how a host's watchdog is used. Default: WatchdogAutomatic.
	Watchdog WatchdogMode `yaml:"watchdog"`
	// Extra is merged over the rendered patroni configuration, for whatever the fields above don't know. Default: none.
	Extra map[string]any `yaml:"extra,omitempty"`
}
