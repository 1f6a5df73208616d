package pgha

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Spec is the description of a cluster; see package spec for its fields.
type Spec = spec.Spec

// ConnectOptions say how Connect reaches the hosts. The zero value dials with SSH as the spec says.
type ConnectOptions struct {
	// Dial opens the TCP connections of SSH; nil uses the machine's own network. A lab hands in its
	// own.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Executor, when set, replaces SSH altogether: it returns the Executor for a host.
	Executor func(ctx context.Context, host spec.Host) (remote.Executor, error)
	// Wrap decorates the connection to a host, of SSH or of Executor, before anything goes through
	// it: remote.Audit, remote.Limit or a decorator of the program's own. nil leaves it as it is.
	Wrap func(host spec.Host, e remote.Executor) remote.Executor
	// Password answers sshd's and sudo's questions and gives the passphrases of keys; nil means
	// that there is nobody to ask. It is called for one question at a time, and once for each key
	// and for the sudo password of all hosts; again for a host where that is refused. An agent's
	// keys, keys without a passphrase and sudo without a password ask nothing, and what the spec
	// names a file or a command for (ssh.passphrase_file, ssh.sudo_password_file) is asked for only
	// when that is refused.
	Password func(ctx context.Context, prompt string) (string, error)
	// Lookup finds the addresses of hosts that the spec gives a name; nil asks the operating
	// system.
	Lookup spec.Lookup
	// AllowUnreachable makes Connect succeed when some hosts cannot be reached; their errors are in
	// Cluster.Unreachable.
	AllowUnreachable bool
	// Without names hosts, or their members, that no connection is opened to. They are in
	// Cluster.Unreachable with an error that matches remote.ErrLeftOut. Give ApplyOptions.Without
	// and PlanOptions.Without the same names.
	Without []string
	// ReadOnly is for programs that only look. Nothing can be changed through the Cluster: Apply
	// and every operation that is no dry run end with ErrReadOnly before they take a lock, hosts
	// get no command that is marked as changing them, and Query takes no Write. It has Existing in
	// it.
	ReadOnly bool
	// Existing makes no credentials, not even in memory: ErrNotProvisioned where Apply has not made
	// any. Operations on a running cluster want it.
	Existing bool
	// Stale works with the state directory as it is: nothing is fetched where copies are newer.
	Stale bool
	// Timeout bounds connecting to one host, in place of the spec's ssh.connect_timeout; 0 leaves
	// that.
	Timeout time.Duration
	// Logger receives details; nil discards them.
	Logger *slog.Logger
}

// Cluster is a spec with live connections to its hosts and the operator's credentials. Its methods
// are safe for concurrent use; Close it when done.
type Cluster struct {
	// Spec has an IP address in the place of every host's name, except that of a host in
	// Unreachable.
	Spec *Spec
	// Unreachable holds, by host name, why a host has no connection.
	Unreachable map[string]error
	// Remembered holds, by host name, why the host's name could not be looked up where
	// AllowUnreachable lets the address of the last Apply stand in for it.
	Remembered map[string]error
	// ReadOnly is that of ConnectOptions.
	ReadOnly bool
	// Pulled says that Connect has written the state directory from a copy; nil where it has not.
	Pulled *PulledState

	site *site.Site
}

// Connect opens a connection to every host at the same time and loads the operator's credentials;
// the commands of the spec that print passwords are run first, and names of hosts are looked up.
// Credentials that do not exist yet, or are due, are made in memory: Apply writes them to the state
// directory before its first change. Connect changes nothing, neither on the hosts nor on this
// machine, but for a state directory that is not there or older than the cluster's: with recipients
// (secrets.age) that is written from the newest copy (Cluster.Pulled). A directory of another
// cluster is refused (ErrRefused) before any host is contacted. Hosts' errors come together.
func Connect(ctx context.Context, sp *Spec, opts ConnectOptions) (*Cluster, error) {
	s, err := site.Connect(ctx, sp, site.Options(opts))
	if err != nil {
		return nil, err
	}
	return &Cluster{Spec: s.Spec, Unreachable: s.Unreachable, Remembered: s.Remembered,
		ReadOnly: s.ReadOnly, Pulled: s.Pulled, site: s}, nil
}

// Operate runs a verb of the embedder's own, as the built-in ones are run: alone on this cluster,
// under the lock in etcd, with its changes in the trail that Operations reads, or with op.DryRun
// without the lock and with every change held back. f reaches hosts through run only; ctx ends when
// the lock is lost. name is what others read who meet the lock. The error matches ErrLocked, and
// names the holder, while somebody else changes the cluster, and otherwise is f's. f must not call
// other verbs, which would wait for the same lock. Safe to repeat if f is.
func (c *Cluster) Operate(ctx context.Context, name string, op Operation,
	f func(context.Context, *Run) error) error {
	return engine.Verb(ctx, c.site, name, op, f)
}
