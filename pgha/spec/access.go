package spec

import "time"

// Balancer describes HAProxy on the balancer hosts.
type Balancer struct {
	// WritePort leads to the primary. Default: 5432.
	WritePort int `yaml:"write_port"`
	// ReadPort leads to the replicas. Default: 5433.
	ReadPort int `yaml:"read_port"`
	// FormerWritePort leads to the primary, too: the WritePort of before, until clients have
	// learned of another one. Default: 0, none.
	FormerWritePort int `yaml:"former_write_port,omitempty"`
	// FormerReadPort leads to the replicas, too: the ReadPort of before. Default: 0, none.
	FormerReadPort int `yaml:"former_read_port,omitempty"`
	// ReadFallbackToPrimary lets ReadPort lead to the primary while there is no replica. Default:
	// true.
	ReadFallbackToPrimary bool `yaml:"read_fallback_to_primary"`
	// StatsPort shows HAProxy's statistics, on the balancer's own loopback address only. Default:
	// 7000.
	StatsPort int `yaml:"stats_port"`
	// MaxConnections of clients at once, per balancer, 1 to 1000000; each takes two open files.
	// Default: 4000.
	MaxConnections int `yaml:"max_connections"`
	// ClientTimeout is how long a session may be idle before HAProxy cuts it. Default: 24h.
	ClientTimeout time.Duration `yaml:"client_timeout"`
	// ConnectTimeout is how long HAProxy waits for a member's host to take a connection, and before
	// it tries again where one is refused, 50ms to 10s; it has to be longer than a round trip, and
	// with less than 500ms a busy host looks dead to a health check. Default: 500ms.
	ConnectTimeout time.Duration `yaml:"connect_timeout"`
	// CheckInterval between two health checks of a member. Default: 500ms.
	CheckInterval time.Duration `yaml:"check_interval"`
}

// VIP is the virtual IP that the balancers share.
type VIP struct {
	// Address is the virtual IP. No default.
	Address string `yaml:"address"`
	// FormerAddress is served, too, by the balancer that holds Address: the Address of before,
	// until clients have learned of another one. Default: none.
	FormerAddress string `yaml:"former_address,omitempty"`
	// PrefixLength of the subnet it is in. Default: 0, which gives the address to the interface as
	// a single host's (32 or 128 bits); the check that it is in the balancers' subnet then assumes
	// 24 bits for IPv4 and 64 for IPv6.
	PrefixLength int `yaml:"prefix_length,omitempty"`
	// RouterID is VRRP's, 1 to 255, unique in the network segment. Default: 51.
	RouterID int `yaml:"router_id"`
	// AdvertInterval between two VRRP advertisements, 10ms to 40.95s in steps of 10ms; in a file a
	// number without a unit is seconds. Default: 200ms.
	AdvertInterval time.Duration `yaml:"advert_interval" unit:"s"`
	// Preempt gives the address back to a balancer of higher priority once it is healthy again,
	// which cuts the sessions through it a second time. Default: false, it stays until its holder
	// fails or somebody moves it.
	Preempt bool `yaml:"preempt"`
}

// Monitoring says who reads the cluster's metrics: Prometheus, or what speaks as it does.
type Monitoring struct {
	// Networks are those that metrics are read from, each "address/bits". Without any, HAProxy and
	// etcd serve none. HAProxy answers nobody else; etcd and Patroni's REST API cannot tell who
	// asks, so that a firewall has to. Default: none.
	Networks []string `yaml:"networks,omitempty"`
	// HAProxyPort is where balancers serve HAProxy's metrics, by HTTP. Default: 8405.
	HAProxyPort int `yaml:"haproxy_port"`
	// EtcdPort is where hosts of etcd serve etcd's metrics and health, by HTTP and without any
	// right to etcd's data. Default: 2381.
	EtcdPort int `yaml:"etcd_port"`
}

// On tells whether HAProxy and etcd serve metrics.
func (m Monitoring) On() bool { return len(m.Networks) > 0 }

// TLS describes keys and certificates.
type TLS struct {
	// KeyAlgorithm is KeyECDSA or KeyRSA. Default: KeyECDSA.
	KeyAlgorithm KeyAlgorithm `yaml:"key_algorithm"`
	// CALifetimeDays of a CA made by the toolkit, 1 to 36500. Default: 3650.
	CALifetimeDays int `yaml:"ca_lifetime_days"`
	// LeafLifetimeDays of every other certificate, 1 to 36500; not above CALifetimeDays. Default:
	// 365.
	LeafLifetimeDays int `yaml:"leaf_lifetime_days"`
	// LeafLifetime stands in the place of LeafLifetimeDays where certificates are to last for hours
	// or minutes: 5m or more, not above CALifetimeDays, and not together with it. They are renewed
	// when a third is left, by whoever runs the renewal as often as that. Default: LeafLifetimeDays.
	LeafLifetime time.Duration `yaml:"leaf_lifetime,omitempty"`
}

// Leaf is how long a certificate lasts that isn't an authority's.
func (t TLS) Leaf() time.Duration {
	if t.LeafLifetime != 0 {
		return t.LeafLifetime
	}
	return time.Duration(t.LeafLifetimeDays) * 24 * time.Hour
}

// KeyAlgorithm is a kind of private key.
type KeyAlgorithm string

// The key algorithms.
const (
	// KeyECDSA is ECDSA on P-256.
	KeyECDSA KeyAlgorithm = "ecdsa"
	// KeyRSA is RSA.
	KeyRSA KeyAlgorithm = "rsa"
)

// Secrets says where the passwords of the three roles come from: a file on this machine, readable
// by its owner only, or a command that is run on this machine, without a shell, and prints it.
// Either holds one password of 12 characters or more on one line. Default for each: a password is
// generated and kept in StateDir.
type Secrets struct {
	// SuperuserPasswordFile holds the password of PostgreSQL.Superuser. Default: none.
	SuperuserPasswordFile string `yaml:"superuser_password_file,omitempty"`
	// SuperuserPasswordCommand prints that password, as ["pass", "show", "db/superuser"] does; not
	// together with SuperuserPasswordFile. Default: none.
	SuperuserPasswordCommand []string `yaml:"superuser_password_command,omitempty"`
	// ReplicationPasswordFile holds the password of PostgreSQL.ReplicationUser. Default: none.
	ReplicationPasswordFile string `yaml:"replication_password_file,omitempty"`
	// ReplicationPasswordCommand prints that password; not together with ReplicationPasswordFile.
	// Default: none.
	ReplicationPasswordCommand []string `yaml:"replication_password_command,omitempty"`
	// RewindPasswordFile holds the password of PostgreSQL.RewindUser. Default: none.
	RewindPasswordFile string `yaml:"rewind_password_file,omitempty"`
	// RewindPasswordCommand prints that password; not together with RewindPasswordFile. Default:
	// none.
	RewindPasswordCommand []string `yaml:"rewind_password_command,omitempty"`
	// Age encrypts the private keys and passwords in the state directory, and copies of all of it
	// are kept in etcd and on the database hosts. Default: they are plain, readable by their owner
	// only, and nothing leaves this machine.
	Age Age `yaml:"age,omitempty"`
}

// Age names the recipients of the secrets in the state directory, which age encrypts, and how they
// are read again. With Recipients one of IdentityFile and IdentityCommand is needed.
type Age struct {
	// Recipients may read the secrets: age1... or a public key of SSH, ssh-ed25519 or ssh-rsa.
	// Default: none, which leaves the secrets plain.
	Recipients []string `yaml:"recipients,omitempty"`
	// IdentityFile holds the private key of one of the recipients, readable by its owner only: an
	// identity file of age's or an SSH private key without a passphrase. Default: none.
	IdentityFile string `yaml:"identity_file,omitempty"`
	// IdentityCommand is run on this machine, without a shell, and prints it, as ["pass", "show",
	// "pgha/identity"] does; not together with IdentityFile. Default: none.
	IdentityCommand []string `yaml:"identity_command,omitempty"`
}

// On reports whether the secrets are encrypted.
func (a Age) On() bool { return len(a.Recipients) > 0 }

// Unattended keeps automatic updates from restarting the cluster.
type Unattended struct {
	// NeedrestartExclude keeps needrestart from restarting the cluster's services; updates are
	// still installed. Default: true.
	NeedrestartExclude bool `yaml:"needrestart_exclude"`
}
