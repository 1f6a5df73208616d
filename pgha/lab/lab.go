package lab

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/pgha/toolkit/internal/etcdrelease"
)

// Lab is one laboratory. Its methods are safe for concurrent use, by several
// goroutines and by several processes: what can change is asked of the
// kernel each time, and file locks order what must not overlap. A Lab holds
// nothing open, so there is nothing to close; the hosts outlive the process.
type Lab struct {
	cache    cache
	record   record
	progress progress
	logger   *slog.Logger
}

// Host is the state of one host at the time of the call.
type Host struct {
	Name    string // "haproxy-01", also the hostname
	Address string // on interface enp0s3; IPv4 with prefix length 24, or IPv6 with 64
	Role    string // RoleBalancer, RoleDatabase or RoleEtcd; the first of several
	// Roles are all that it has, where there are several.
	Roles   []string `json:",omitempty"`
	Member  string   // name of the Patroni and etcd member; empty where it is the host's, or none
	Running bool     // the host has power and its system has not ended
	CableUp bool     // the network cable is connected
	PID     int      // its PID 1 as this machine sees it; 0 when not running
}

// Open attaches to a lab that runs already. Only Name, CacheDir, Progress
// and Logger of the options matter. It returns ErrNotRunning when there is
// no such lab, or when the machine was rebooted since; Start brings such a
// lab back with its hosts' disks as they were.
func Open(_ context.Context, options Options) (*Lab, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	r, err := readRecord(cache(o.CacheDir), o.Name)
	if err != nil {
		return nil, err
	}
	if !namespaceExists(lanNamespace(o.Name)) {
		return nil, notRunning(o.Name)
	}
	return newLab(o, r), nil
}

func newLab(o Options, r record) *Lab {
	return &Lab{cache: cache(o.CacheDir), record: r, progress: newProgress(o), logger: o.Logger}
}

// Name returns the lab's name.
func (l *Lab) Name() string { return l.record.Name }

// Release returns the Debian release of the hosts.
func (l *Lab) Release() string { return l.record.Release }

// SSHKeyFile returns the path of the private key that logs in as root, admin
// (sudo without a password) and operator (sudo with one) on every host.
func (l *Lab) SSHKeyFile() string { return filepath.Join(l.cache.lab(l.Name()), keyFile) }

// KnownHostsFile returns the path of a known_hosts file with the hosts' keys.
func (l *Lab) KnownHostsFile() string {
	return filepath.Join(l.cache.lab(l.Name()), knownHostsFile)
}

// StateDir returns a directory, 0700, for what a cluster's operator keeps
// about it. It goes when the lab goes.
func (l *Lab) StateDir() string { return filepath.Join(l.cache.lab(l.Name()), "state") }

// EtcdArchive returns the path, on this machine, of an archive laid out like
// etcd's release archive, and its SHA-256 checksum in hexadecimal. The release
// is the one that Spec names.
func (l *Lab) EtcdArchive() (path, sha256 string, err error) {
	return l.cache.etcd(etcdrelease.Default).archive()
}

// OtherEtcdArchive is EtcdArchive of another release, such as "3.6.10". It
// compiles the release first if the cache has none, which takes a minute or two.
func (l *Lab) OtherEtcdArchive(ctx context.Context,
	version string) (path, sha256 string, err error) {
	if err := ensureEtcd(ctx, l.cache, version, l.progress); err != nil {
		return "", "", err
	}
	return l.cache.etcd(version).archive()
}

// Hosts returns all hosts, balancers first. A host whose state cannot be
// read is reported as not running.
func (l *Lab) Hosts() []Host {
	groups, err := openCgroups()
	if err != nil {
		l.logger.Warn("read state of hosts", "lab", l.Name(), "error", err)
	} else {
		defer groups.close()
	}
	hosts := make([]Host, 0, len(l.record.Hosts))
	for _, p := range l.record.Hosts {
		h := Host{Name: p.Name, Address: p.Address, Role: p.Role, Roles: p.Roles, Member: p.Member,
			CableUp: !cableIsCut(l.hostDir(p.Name))}
		if groups != nil {
			h.PID = groups.initPID(hostNamespace(l.Name(), p.Name))
			h.Running = h.PID != 0
		}
		hosts = append(hosts, h)
	}
	return hosts
}

// Host returns one host, by its host or member name, or ErrUnknownHost.
func (l *Lab) Host(name string) (Host, error) {
	p, err := l.plan(name)
	if err != nil {
		return Host{}, err
	}
	hosts := l.Hosts()
	return hosts[slices.IndexFunc(hosts, func(h Host) bool { return h.Name == p.Name })], nil
}

// plan finds a host by its host or member name.
func (l *Lab) plan(name string) (hostPlan, error) {
	for _, h := range l.record.Hosts {
		if name != "" && (name == h.Name || name == h.Member) {
			return h, nil
		}
	}
	return hostPlan{}, fmt.Errorf("find host %q in lab %s: %w", name, l.Name(), ErrUnknownHost)
}

func (l *Lab) hostDir(host string) string { return hostDir(l.cache, l.Name(), host) }
