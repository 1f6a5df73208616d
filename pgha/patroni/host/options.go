package host

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// Credentials are a PostgreSQL role and its password.
type Credentials struct {
	// Username is the role's name.
	Username string
	// Password is what the role logs in with: text in UTF-8 of one line, as SASLprep leaves it.
	Password pki.Secret
	// Verifier is what PostgreSQL stores of the password. patroni.NewVerifier makes one, another
	// one each time: keep it, so that repeating a deployment changes nothing.
	Verifier pki.Secret
}

// Member is one Patroni with its PostgreSQL.
type Member struct {
	// Target is the host the member lives on. Config and Validate do without it.
	Target *remote.Target
	// Name is the member's name in the DCS, unique in the cluster. "" means the target's name.
	Name string
	// Address is the IP address under which the other members and the load balancers reach
	// PostgreSQL and the REST API. "" means the target's address.
	Address string
	// Tags are Patroni's tags of this member. nofailover, noloadbalance and nosync are false unless
	// given, and clonefrom is true: new members copy from a replica where one runs. It is false
	// beside nostream.
	Tags map[string]any
	// EtcdClient is the client certificate for etcd.
	EtcdClient pki.KeyPair
	// REST is the server certificate of the REST API. It must cover Address.
	REST pki.KeyPair
	// RESTClient is the client certificate with which this member and patronictl call other
	// members' REST API.
	RESTClient pki.KeyPair
	// Postgres is PostgreSQL's server certificate. Replicas and pg_rewind connect with sslmode
	// verify-full, so it must cover Address and localhost; the virtual IP too, for applications
	// that verify as strictly.
	Postgres pki.KeyPair
	// HasWatchdog says that the host has a /dev/watchdog meant for Patroni. Without it the member's
	// watchdog is off.
	HasWatchdog bool
}

// AccessRule says which database a role may log in to directly, and from which networks.
type AccessRule struct {
	// Role is a role's name.
	Role string
	// Database is a database's name, or one of pg_hba.conf's words all and replication.
	Database string
	// CIDRs are networks, beside the balancers' addresses.
	CIDRs []string
}

// SynchronousMode says which commits wait for a replica.
type SynchronousMode string

// The synchronous modes. The zero value is SynchronousOff.
const (
	// SynchronousOff lets commits return before any replica has them: a failover may lose the last
	// ones.
	SynchronousOff SynchronousMode = "off"
	// SynchronousOn makes commits wait for one chosen replica, and continues alone when there is
	// none.
	SynchronousOn SynchronousMode = "on"
	// SynchronousStrict is SynchronousOn that rather stops writes than continues alone.
	SynchronousStrict SynchronousMode = "strict"
	// SynchronousQuorum makes commits wait for any one of the replicas.
	SynchronousQuorum SynchronousMode = "quorum"
)

// WatchdogMode says how Patroni treats the host's watchdog device.
type WatchdogMode string

// The watchdog modes. The zero value is WatchdogAutomatic.
const (
	// WatchdogAutomatic uses the watchdog of those hosts that have one.
	WatchdogAutomatic WatchdogMode = "automatic"
	// WatchdogOff uses none.
	WatchdogOff WatchdogMode = "off"
	// WatchdogRequired lets no member become leader that cannot arm its watchdog.
	WatchdogRequired WatchdogMode = "required"
)

// Slot is a replication slot that Patroni keeps on all members.
type Slot struct {
	// Name of the slot: up to 63 lower-case letters, digits and underscores.
	Name string
	// Database and Plugin of a logical slot; both are "" for a physical one.
	Database, Plugin string
}

// Options describe a Patroni cluster. Members, EtcdEndpoints, the certificates, the three
// credentials and PostgreSQLVersion have no default; every other zero value is a good one.
type Options struct {
	// Scope names the cluster in the DCS. "" means "postgresql-cluster".
	Scope string
	// Namespace is the prefix of the cluster's keys in the DCS. "" means "/service/".
	Namespace string
	// Members in the order of the specification. Only the first may initialize a new cluster, and
	// so is its first leader.
	Members []Member
	// EtcdEndpoints are etcd's client addresses, each "ip:port", without a scheme: TLS is always
	// used.
	EtcdEndpoints []string
	// EtcdCA, RESTCA and PostgresCA are PEM certificates of the authorities that signed etcd's, the
	// REST API's and PostgreSQL's certificates. Several may follow each other while one authority
	// replaces another.
	EtcdCA, RESTCA, PostgresCA []byte
	// Operator is the client certificate with which this program calls the REST API. It is put on
	// no host.
	Operator pki.KeyPair

	// Superuser, Replication and Rewind are the three roles Patroni works with; it creates them in
	// a new cluster. Empty user names mean "postgres", "replicator" and "rewind_user". Passwords
	// have no default.
	Superuser, Replication, Rewind Credentials
	// PostgreSQLVersion is the major version, 13 or later.
	PostgreSQLVersion int
	// ExtensionPackages are Debian packages that bring extensions, installed on every member's
	// host.
	ExtensionPackages []string
	// BinDir holds the server's programs. "" means /usr/lib/postgresql/<version>/bin.
	BinDir string
	// DataDir is the data directory. "" means /var/lib/postgresql/data.
	DataDir string
	// ListenPort is PostgreSQL's port on every interface. 0 means 5432.
	ListenPort int
	// RESTPort is the REST API's port on every interface. 0 means 8008.
	RESTPort int

	// TTL is how long a leader that went silent stays leader, in whole seconds. 0 means 30 s; below
	// 20 s is refused.
	TTL time.Duration
	// LoopWait is the pause between two looks of Patroni at its cluster, in whole seconds. 0 means
	// 10 s.
	LoopWait time.Duration
	// RetryTimeout is how long Patroni bears a silent etcd or PostgreSQL, in whole seconds. 0 means
	// 10 s; below 3 s is refused, as is LoopWait + 2*RetryTimeout > TTL.
	RetryTimeout time.Duration
	// MaximumLagOnFailover is how many bytes a replica may be behind and still be promoted. nil
	// means 1048576; zero asks for a replica that is not behind at all, as far as the leader's last
	// report tells.
	MaximumLagOnFailover *int64
	// PrimaryStartTimeout is how long a crashed primary may try to start again before a replica
	// takes over. nil means Patroni's 300 s; zero fails over at once, which can lose transactions
	// unless SynchronousMode prevents it.
	PrimaryStartTimeout *time.Duration
	// MemberSlotsTTL is how long the replication slot of an absent member is kept. 0 means
	// Patroni's 30 minutes.
	MemberSlotsTTL time.Duration
	// SynchronousMode is "off" when empty.
	SynchronousMode SynchronousMode
	// NoFailsafe switches failsafe_mode off: the primary then stops taking writes whenever etcd is
	// out of reach, even while it reaches every other member.
	NoFailsafe bool
	// NoRewind makes a former primary be copied again where pg_rewind could have repaired it.
	NoRewind bool
	// NoSlots does without replication slots for the members.
	NoSlots bool
	// Slots are the replication slots that every member that may lead has a copy of.
	Slots []Slot
	// Parameters are PostgreSQL settings for all members, kept in the DCS. They are merged over
	// DefaultParameters; a nil value takes a default away. Settings that Patroni or this package
	// controls are refused by Validate.
	Parameters map[string]any
	// Meaning, when set, returns what tells whether two texts are the same value of a parameter to
	// PostgreSQL, as 256MB and 262144kB are. patroni.SyncConfig asks for it where texts differ, and
	// compares texts where it fails. nil compares texts.
	Meaning func(ctx context.Context) (same func(name, a, b string) bool, err error)
	// Extra is merged over config.yml, for whatever these options don't know. It wins over them.
	Extra map[string]any

	// PgHBA are further lines of pg_hba.conf. They stand behind what Patroni and the toolkit need
	// and before the rules for applications, so they can be stricter.
	PgHBA []string
	// Balancers are the addresses from which sessions come through the balancers. They are let in,
	// with TLS and a SCRAM password, whatever ApplicationCIDRs says: which clients may come that
	// way is the balancers' to decide.
	Balancers []string
	// ApplicationCIDRs are the networks from which applications may log in directly, with TLS and a
	// SCRAM password. Empty means 0.0.0.0/0.
	ApplicationCIDRs []string
	// Access says what roles may log in to, with TLS and a SCRAM password, directly and through the
	// balancers. A role that is named here gets in by these rules alone, and by PgHBA.
	Access []AccessRule
	// SuperuserCIDRs are the networks from which the superuser may log in directly, beside the
	// hosts of the cluster.
	SuperuserCIDRs []string
	// TryLogins, when set, tries on a member what the toolkit, Patroni and the balancers log in
	// with. It is called when a running member has read a new config.yml; where it fails the old
	// one is put back, and no other member is touched.
	TryLogins func(context.Context, Member) error
	// Encoding of a new cluster. "" means UTF8.
	Encoding string
	// Locale of a new cluster. "" means C.UTF-8: it sorts the same on every host and survives an
	// upgrade of the C library.
	Locale string
	// NoChecksums leaves a new cluster without data checksums.
	NoChecksums bool
	// Watchdog is "automatic" when empty.
	Watchdog WatchdogMode
	// SuspectAfter is how long nothing has to come from the leader's host before the others fence
	// it and take its key away, well before its lease ends. 0 means never; below 2 s, without
	// SynchronousMode and with fewer than three members it is refused.
	SuspectAfter time.Duration

	// Adopt, when set, is called by patroni.Bootstrap before it starts members, and when running
	// ones are not healthy: it brings them to an etcd that has lost what it knew of the cluster, or
	// does nothing. nil trusts etcd.
	Adopt func(ctx context.Context) error
	// Wait bounds each wait of patroni.Bootstrap. 0 means 120 s. A large cluster that is copied to
	// new replicas needs more.
	Wait time.Duration
	// Progress, when set, receives one line about what is being waited for or deserves attention.
	// It must be safe for concurrent use.
	Progress func(string)
}

// WithDefaults returns o with every empty field filled in. The receiver's slices and maps are not
// changed.
func (o Options) WithDefaults() Options {
	o.Scope = cmp.Or(o.Scope, "postgresql-cluster")
	o.Namespace = cmp.Or(o.Namespace, "/service/")
	o.Superuser.Username = cmp.Or(o.Superuser.Username, "postgres")
	o.Replication.Username = cmp.Or(o.Replication.Username, "replicator")
	o.Rewind.Username = cmp.Or(o.Rewind.Username, "rewind_user")
	o.BinDir = cmp.Or(o.BinDir, fmt.Sprintf("/usr/lib/postgresql/%d/bin", o.PostgreSQLVersion))
	o.DataDir = cmp.Or(o.DataDir, "/var/lib/postgresql/data")
	o.ListenPort = cmp.Or(o.ListenPort, 5432)
	o.RESTPort = cmp.Or(o.RESTPort, 8008)
	o.TTL = cmp.Or(o.TTL, 30*time.Second)
	o.LoopWait = cmp.Or(o.LoopWait, 10*time.Second)
	o.RetryTimeout = cmp.Or(o.RetryTimeout, 10*time.Second)
	if o.MaximumLagOnFailover == nil {
		o.MaximumLagOnFailover = new(int64)
		*o.MaximumLagOnFailover = 1 << 20
	}
	o.SynchronousMode = cmp.Or(o.SynchronousMode, SynchronousOff)
	o.Encoding = cmp.Or(o.Encoding, "UTF8")
	o.Locale = cmp.Or(o.Locale, "C.UTF-8")
	o.Watchdog = cmp.Or(o.Watchdog, WatchdogAutomatic)
	o.Wait = cmp.Or(o.Wait, 2*time.Minute)
	if len(o.ApplicationCIDRs) == 0 {
		o.ApplicationCIDRs = []string{"0.0.0.0/0"}
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Adopt == nil {
		o.Adopt = func(context.Context) error { return nil }
	}
	members := make([]Member, len(o.Members))
	for i, m := range o.Members {
		members[i] = m.withDefaults()
	}
	o.Members = members
	return o
}

// Planning reports whether changes to any member are only recorded.
func (o Options) Planning() bool {
	return slices.ContainsFunc(o.Members, func(m Member) bool { return m.Target.Planning() })
}

func (o Options) isFirst(m Member) bool { return len(o.Members) > 0 && o.Members[0].Name == m.Name }

func (m Member) withDefaults() Member {
	if m.Target != nil {
		m.Name = cmp.Or(m.Name, m.Target.Name)
		m.Address = cmp.Or(m.Address, m.Target.Address)
	}
	return m
}
