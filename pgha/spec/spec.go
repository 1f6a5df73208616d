// Package spec reads and checks the description of a cluster: its hosts and what runs on them.
//
// A spec is a YAML file. Parse is strict: it reports everything that is wrong at once, each problem
// with its line, column and field and with what to write instead, before any host is contacted.
// What a file leaves out is filled in with the defaults that stand at each field below. A program
// that has no file starts from New, fills in the hosts and calls Complete.
//
// The package only reads; it changes nothing and reaches no host. A Spec may be read by several
// goroutines at once, but not changed meanwhile. It holds the paths of secret files, never their
// contents.
package spec

import (
	"time"
)

// Spec describes a cluster. Get one from Parse, Load or New: a Spec literal lacks the defaults.
type Spec struct {
	// Version of the format, which is 1. No default.
	Version int `yaml:"version"`
	// Cluster names the cluster; it is Patroni's scope and etcd's cluster token. Default:
	// "postgresql-cluster".
	Cluster string `yaml:"cluster"`
	// Timezone is set on every host, such as "Europe/Madrid". Default: "", which leaves the hosts
	// as they are.
	Timezone string `yaml:"timezone,omitempty"`
	// StateDir is the directory on this machine that holds the CAs' keys, passwords and the
	// operator's certificates. A relative path starts at the spec's own folder, as all paths in a
	// spec do. Default: "<cluster>.state".
	StateDir string `yaml:"state_dir"`

	// SSH says how hosts are reached.
	SSH SSH `yaml:"ssh"`
	// Hosts are the machines: databases, balancers, and hosts of etcd's own. The first database
	// host starts a new cluster as its leader. No default.
	Hosts []Host `yaml:"hosts"`
	// PostgreSQL describes the database server.
	PostgreSQL PostgreSQL `yaml:"postgresql"`
	// PGRoles are roles of applications and people. Default: none; what is not named is left alone.
	PGRoles []PGRole `yaml:"roles,omitempty"`
	// PGDatabases are databases. Default: none; what is not named is left alone.
	PGDatabases []PGDatabase `yaml:"databases,omitempty"`
	// Access says which role may log in to which database, and from where. Default: none; every
	// role may to every one, from PostgreSQL.ClientNetworks.
	Access []AccessRule `yaml:"access,omitempty"`
	// Etcd describes the consensus store on the hosts that run it.
	Etcd Etcd `yaml:"etcd"`
	// Patroni describes the cluster manager on the database hosts.
	Patroni Patroni `yaml:"patroni"`
	// Balancer describes HAProxy on the balancer hosts.
	Balancer Balancer `yaml:"balancer"`
	// Pooler puts PgBouncer in front of HAProxy on the balancer hosts. Default: there is none.
	//
	// It is nil then.
	Pooler *Pooler `yaml:"pooler,omitempty"`
	// VIP is the virtual IP that the balancers share. Default: none.
	//
	// It is nil then.
	VIP *VIP `yaml:"vip,omitempty"`
	// Backup says where backups and the write-ahead log go. Default: none are made.
	//
	// It is nil then.
	Backup *Backup `yaml:"backup,omitempty"`
	// Monitoring says who reads the cluster's metrics.
	Monitoring Monitoring `yaml:"monitoring"`
	// TLS describes keys and certificates.
	TLS TLS `yaml:"tls"`
	// Secrets says where passwords come from. Default: they are generated.
	Secrets Secrets `yaml:"secrets,omitempty"`
	// Unattended keeps automatic updates from restarting the cluster.
	Unattended Unattended `yaml:"unattended"`
	// SLO is what the cluster promises; drills hold it to that.
	SLO SLO `yaml:"slo"`

	origin *origin // nil for a spec that was not read from a file
}

// SSH says how hosts are reached unless a host says otherwise.
type SSH struct {
	// User to log in as; one other than root needs sudo. Default: "root".
	User string `yaml:"user"`
	// Port of sshd. Default: 22.
	Port int `yaml:"port"`
	// IdentityFiles are private keys on this machine, readable by their owner only; [] means none
	// but the agent's. Default: those of id_ed25519, id_ecdsa and id_rsa in ~/.ssh that exist.
	IdentityFiles KeyFiles `yaml:"identity_files,omitempty"`
	// Agent tells whether keys of the running ssh-agent are offered. Default: true.
	Agent bool `yaml:"agent"`
	// PassphraseFile holds the passphrase of the encrypted keys, one line in a file of this user's
	// that only he can read, for runs without a terminal. Default: none.
	PassphraseFile string `yaml:"passphrase_file,omitempty"`
	// PassphraseCommand prints that passphrase, as ["pass", "show", "ssh"] does: it is run on this
	// machine, without a shell, for a minute at most; not together with PassphraseFile. Default:
	// none.
	PassphraseCommand []string `yaml:"passphrase_command,omitempty"`
	// SudoPasswordFile holds User's password for sudo, used where sudo wants one; in a file as
	// PassphraseFile is. Default: none.
	SudoPasswordFile string `yaml:"sudo_password_file,omitempty"`
	// SudoPasswordCommand prints that password, run as PassphraseCommand is; not together with
	// SudoPasswordFile. Default: none.
	SudoPasswordCommand []string `yaml:"sudo_password_command,omitempty"`
	// KnownHosts is the file with the hosts' public keys. Default: "~/.ssh/known_hosts".
	KnownHosts string `yaml:"known_hosts"`
	// HostKeys is what to do about a host whose key nothing tells. Default: HostKeysStrict. A
	// changed key always stops.
	HostKeys HostKeys `yaml:"host_keys"`
	// Jump is a host to connect through, as "user@host:port" where user and port may be left out.
	// Default: "", none.
	Jump string `yaml:"jump,omitempty"`
	// ConnectTimeout bounds connection and handshake. Default: 10s.
	ConnectTimeout time.Duration `yaml:"connect_timeout"`
	// MaxSessions is how many commands run at once over a host's connection, 1 to 100; sshd allows
	// 10 by default. Default: 8.
	MaxSessions int `yaml:"max_sessions"`
}

// KeyFiles are paths of private keys. A list without any is written out: it means something else
// than no list.
type KeyFiles []string

// IsZero makes a list that is empty no default.
func (k KeyFiles) IsZero() bool { return k == nil }

// HostKeys is what to do about a host whose SSH key is neither in the spec nor in the known_hosts
// file.
type HostKeys string

// The ways to treat an unknown host key.
const (
	// HostKeysStrict refuses the host.
	HostKeysStrict HostKeys = "strict"
	// HostKeysAcceptNew trusts the key at first sight and records it in the known_hosts file.
	HostKeysAcceptNew HostKeys = "accept-new"
)

// SLO is what the cluster promises to its applications. It changes nothing on the hosts: drills
// measure whether it is kept.
type SLO struct {
	// Failover is the longest time without writes after a fault that the cluster mends by itself,
	// 1s to 1h. Default: 30s.
	Failover time.Duration `yaml:"failover"`
	// Switchover is the longest time without writes in a planned change of the leader, 100ms to 1h.
	// Default: 5s.
	Switchover time.Duration `yaml:"switchover"`
	// LostRows is how many acknowledged rows a fault may cost, 0 to 1000000. Default: 0. Only a
	// synchronous mode can promise 0 for the loss of the leader.
	LostRows int `yaml:"lost_rows"`
	// BackupAge is how old the last backup may be, 1m to 8760h. Default: 26h.
	BackupAge time.Duration `yaml:"backup_age"`
	// RestoreProofAge is how long ago a backup may have been restored last to prove it, 1m to
	// 8760h. Default: 744h, 31 days.
	RestoreProofAge time.Duration `yaml:"restore_proof_age"`
}

func (c *checker) slo() {
	c.between("slo.failover", c.SLO.Failover, time.Second, time.Hour, time.Millisecond)
	c.between("slo.switchover", c.SLO.Switchover, 100*time.Millisecond, time.Hour, time.Millisecond)
	within(c, "slo.lost_rows", c.SLO.LostRows, 0, 1000000)
	c.between("slo.backup_age", c.SLO.BackupAge, time.Minute, 8760*time.Hour, time.Minute)
	c.between("slo.restore_proof_age", c.SLO.RestoreProofAge, time.Minute, 8760*time.Hour,
		time.Minute)
}
