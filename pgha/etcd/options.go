package etcd

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/hashicorp/go-multierror"

	"github.com/pgha/toolkit/pgha/remote"
)

// Reasons a caller may want to decide on.
var (
	// ErrNoLeader: the members answer but have elected nobody.
	ErrNoLeader = errors.New("etcd has no leader")
	// ErrUnhealthy: a member does not take part.
	ErrUnhealthy = errors.New("etcd is unhealthy")
)

// KeyPair is a certificate with its private key, PEM.
type KeyPair struct{ Cert, Key []byte }

// String hides the key.
func (KeyPair) String() string { return "key pair" }

// GoString hides the key.
func (KeyPair) GoString() string { return "key pair" }

// Source is where etcd's programs come from.
type Source string

// The sources. The zero value is SourceRelease.
const (
	// SourceRelease downloads the release archive on each host and checks its SHA256.
	SourceRelease Source = "release"
	// SourceArchive sends a release archive from this machine, for hosts without a way out.
	SourceArchive Source = "archive"
	// SourceDistribution installs the packages etcd-server and etcd-client.
	SourceDistribution Source = "distribution"
)

// Member is one etcd server.
type Member struct {
	Target *remote.Target
	// Name is the member's name in the cluster; Address the IP address by which the others and clients reach it.
	Name, Address string
	// Server is the certificate for clients (server usage); Peer the one between members (both usages); Gateway a client
	// certificate with which etcd's own HTTP gateway, the way Patroni comes in, calls etcd itself. All of the same CA.
	Server, Peer, Gateway KeyPair
}

// Options describe an etcd cluster. Members, CA and Client are required.
type Options struct {
	Members []Member
	// CA signed every certificate of this cluster and of nothing else.
	CA []byte
	// Client is the operator's certificate (client usage).
	Client KeyPair
	// Token keeps members from joining another cluster by accident; "" means "etcd-cluster".
	Token string
	// Version of etcd; "" means 3.6.10. Of no meaning for SourceDistribution.
	Version string
	// Source of the programs; "" means SourceRelease.
	Source Source
	// Archive is a file of this machine, for SourceArchive. SHA256 is the archive's checksum (hex), required for both
	// archive and release, except for releases whose checksum this package knows. URL replaces the release page.
	Archive, SHA256, URL string
	// DataDir on the hosts; "" means /var/lib/etcd.
	DataDir string
	// HeartbeatInterval and ElectionTimeout; 0 means etcd's own 100 ms and 1 s, right for round trips below 10 ms.
	HeartbeatInterval, ElectionTimeout time.Duration
	// AutoCompaction is how much history is kept; 0 means 1 h.
	AutoCompaction time.Duration
	// ClientPort and PeerPort; 0 means 2379 and 2380.
	ClientPort, PeerPort int
	// Wait bounds each wait of Bootstrap; 0 means 60 s.
	Wait time.Duration
	// Progress, when set, is told what is waited for. It must be safe for concurrent use.
	Progress func(string)
}

// minimum versions: older ones refuse Patroni's keepalives or accept strangers' (see Patroni's release notes for 4.1.1).
var (
	minimum35 = semver.MustParse("3.5.28")
	minimum36 = semver.MustParse("3.6.9")
)

func (o Options) withDefaults() Options {
	o.Token = cmp.Or(o.Token, "etcd-cluster")
	o.Source = cmp.Or(o.Source, SourceRelease)
	o.Version = cmp.Or(o.Version, "3.6.10")
	o.DataDir = cmp.Or(o.DataDir, "/var/lib/etcd")
	o.HeartbeatInterval = cmp.Or(o.HeartbeatInterval, 100*time.Millisecond)
	o.ElectionTimeout = cmp.Or(o.ElectionTimeout, time.Second)
	o.AutoCompaction = cmp.Or(o.AutoCompaction, time.Hour)
	o.ClientPort = cmp.Or(o.ClientPort, 2379)
	o.PeerPort = cmp.Or(o.PeerPort, 2380)
	o.Wait = cmp.Or(o.Wait, time.Minute)
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o
}

// Validate reports everything that is wrong with the options at once.
func (o Options) Validate() error {
	o = o.withDefaults()
	var all *multierror.Error
	bad := func(format string, args ...any) { all = multierror.Append(all, fmt.Errorf(format, args...)) }
	if len(o.Members)%2 == 0 {
		bad("etcd needs an odd number of members, got %d: an even number tolerates no more failures and elects worse", len(o.Members))
	}
	names, addresses := map[string]bool{}, map[string]bool{}
	for _, m := range o.Members {
		if names[m.Name] || m.Name == "" {
			bad("etcd member name %q is empty or used twice", m.Name)
		}
		if addresses[m.Address] || net.ParseIP(m.Address) == nil {
			bad("address %q of etcd member %s is no IP address or used twice", m.Address, m.Name)
		}
		names[m.Name], addresses[m.Address] = true, true
	}
	if o.ElectionTimeout < 5*o.HeartbeatInterval {
		bad("etcd's election timeout %s must be at least five heartbeats of %s", o.ElectionTimeout, o.HeartbeatInterval)
	}
	if err := o.checkVersion(); err != nil {
		all = multierror.Append(all, err)
	}
	return all.ErrorOrNil()
}

func (o Options) checkVersion() error {
	switch o.Source {
	case SourceDistribution:
		return nil
	case SourceArchive, SourceRelease:
	default:
		return fmt.Errorf("etcd source %q: there is %s, %s and %s", o.Source, SourceRelease, SourceArchive, SourceDistribution)
	}
	v, err := semver.StrictNewVersion(o.Version)
	if err != nil {
		return fmt.Errorf("etcd version %q: %w", o.Version, err)
	}
	if v.LessThan(minimum35) || (v.Minor() == 6 && v.LessThan(minimum36)) {
		return fmt.Errorf("etcd %s is too old: use %s or later, or %s or later of 3.5; earlier ones do not fit Patroni 4.1.1 and later", v, minimum36, minimum35)
	}
	if o.Source == SourceArchive && o.Archive == "" {
		return errors.New("etcd source archive: no archive is named")
	}
	return nil
}

// PackageNames lists the packages a database host needs for etcd.
func PackageNames(s Source) []string {
	switch s {
	case SourceDistribution:
		return []string{"etcd-server", "etcd-client"}
	case SourceArchive:
		return nil
	}
	return []string{"curl", "ca-certificates"}
}

// QuietUnits lists the units that those packages must not start: their defaults would form a cluster of one.
func QuietUnits(s Source) []string {
	if s == SourceDistribution {
		return []string{unit}
	}
	return nil
}

func (o Options) clientURL(m Member) string {
	return "https://" + net.JoinHostPort(m.Address, strconv.Itoa(o.ClientPort))
}

func (o Options) peerURL(m Member) string {
	return "https://" + net.JoinHostPort(m.Address, strconv.Itoa(o.PeerPort))
}
