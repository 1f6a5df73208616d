package ssh

import (
	"cmp"
	"context"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/pgha/toolkit/internal/hostport"
)

// Defaults of Config.
const (
	// DefaultTimeout bounds connecting and the handshake.
	DefaultTimeout = 10 * time.Second
	// DefaultKeepAlive is how often an idle server is asked whether it is still there.
	DefaultKeepAlive = 5 * time.Second
	// DefaultSessions is how many commands share one connection. sshd's own limit, MaxSessions, is
	// 10 by default (sshd_config(5)); two are left for an operator's multiplexed shell.
	DefaultSessions = 8

	// missedKeepAlives is how many intervals may pass without an answer before the connection
	// counts as lost.
	missedKeepAlives = 3
)

// Config says how to reach a host over SSH, who to be there and which host key to expect. Name or
// Address must be set; every other field has a working zero value.
type Config struct {
	// Name is how errors and logs call the host; "" means Address.
	Name string
	// Address is the IP address or DNS name to connect to, without a port; "" means Name.
	Address string
	// Port is the TCP port; 0 means 22.
	Port int
	// User is the account to log in to; "" means root. Any other account runs every command through
	// sudo, see SudoPassword, because the toolkit's work needs root.
	User string

	// IdentityFiles are private keys in OpenSSH or PEM form. nil means those of ~/.ssh/id_ed25519,
	// id_ecdsa and id_rsa that exist; an empty slice means none. A file that is named but cannot be
	// read is an error.
	IdentityFiles []string
	// Passphrase is asked for the passphrase of an encrypted identity file, only when the server
	// takes that very key and no agent holds it. When it is nil, encrypted files are left out. The
	// time it takes does not count against Timeout.
	Passphrase func(file string) ([]byte, error)
	// AgentSocket is the socket of an SSH agent, usually the value of SSH_AUTH_SOCK; "" means no
	// agent is asked.
	AgentSocket string
	// Password answers password and keyboard-interactive authentication, asked for only when no key
	// was accepted and at most once. nil means neither is tried. The time it takes does not count
	// against Timeout.
	Password func(ctx context.Context) (string, error)

	// Fingerprints pin the host's key, each in the form SHA256:... that `ssh-keygen -l` prints.
	// When set, nothing else decides.
	Fingerprints []string
	// KnownHostsFiles are looked into when no fingerprint is pinned; nil means ~/.ssh/known_hosts
	// and /etc/ssh/ssh_known_hosts. Missing files are empty.
	KnownHostsFiles []string
	// AcceptNew trusts a host that is in none of the files and appends its key to the first one
	// (trust on first use). A key that differs from the one on record is refused all the same.
	AcceptNew bool

	// Jump, when set, is a host through which this one is reached. The connection to it ends with
	// this one.
	Jump *Config
	// Dial opens the TCP connection; nil means the operating system's network. With Jump set it is
	// not used.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Timeout bounds connecting and the handshake together; 0 means DefaultTimeout.
	Timeout time.Duration
	// KeepAlive is the interval of the questions that notice a dead link; after three intervals
	// without an answer the connection is closed and everything on it fails with ErrDisconnected. 0
	// means DefaultKeepAlive.
	KeepAlive time.Duration
	// MaxSessions is how many commands may run at once on the connection; more wait. 0 means
	// DefaultSessions. When the server refuses one, it waits for another to end and tries again,
	// within its context.
	MaxSessions int

	// SudoPassword is asked for the password that sudo wants from User, if it wants one, and once
	// more if that is refused. nil means sudo must not want any. It is sent on standard input,
	// never as an argument.
	SudoPassword func(ctx context.Context) (string, error)
}

// withDefaults fills the zero values in.
func (c Config) withDefaults() Config {
	c.Name, c.Address = cmp.Or(c.Name, c.Address), cmp.Or(c.Address, c.Name)
	c.Port = cmp.Or(c.Port, 22)
	c.User = cmp.Or(c.User, "root")
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.KeepAlive = cmp.Or(c.KeepAlive, DefaultKeepAlive)
	c.MaxSessions = cmp.Or(c.MaxSessions, DefaultSessions)
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return c
	}
	if c.IdentityFiles == nil {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			file := filepath.Join(home, ".ssh", name)
			if _, err := os.Stat(file); err == nil {
				c.IdentityFiles = append(c.IdentityFiles, file)
			}
		}
	}
	if c.KnownHostsFiles == nil {
		c.KnownHostsFiles = []string{filepath.Join(home, ".ssh", "known_hosts"),
			"/etc/ssh/ssh_known_hosts"}
	}
	return c
}

// hostPort is the address to dial, which is also the name known_hosts files know the host by.
func (c *Config) hostPort() string { return hostport.Join(c.Address, c.Port) }
