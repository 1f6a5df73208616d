package etcd

import (
	"cmp"
	"context"
	"time"

	"github.com/pgha/toolkit/internal/etcdrelease"
	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// Source is where etcd's programs come from.
type Source string

// The sources. The zero value is SourceRelease.
const (
	// SourceRelease downloads the release archive on each host, with the host's own proxy settings,
	// and unpacks nothing of it before its SHA256 is right.
	SourceRelease Source = "release"
	// SourceArchive sends a release archive from this machine, for hosts without a way out. Its
	// SHA256 is checked here before it is sent and on the host before it is unpacked.
	SourceArchive Source = "archive"
	// SourceDistribution takes the packages etcd-server and etcd-client in whatever version the
	// distribution has.
	SourceDistribution Source = "distribution"
)

// Member is one etcd server.
type Member struct {
	Target *remote.Target
	// Name is the member's name in the cluster: letters, digits, ".", "_" and "-".
	Name string
	// Address is the IP address by which the other members and the clients reach it.
	Address string
	// Server is what clients see: server usage, with Address among its SANs. It needs no client
	// usage as long as there is a Gateway.
	Server pki.KeyPair
	// Peer is used between members, which dial each other: both usages, with Address among its
	// SANs. etcd also refuses a peer whose connection comes from an address that is not among them,
	// so a host with several addresses needs all from which it may dial the others.
	Peer pki.KeyPair
	// Gateway is a certificate with client usage by which etcd calls itself. Patroni speaks HTTP
	// and JSON, which etcd's gateway translates into gRPC calls to its own client port, where a
	// client certificate is asked of it like of everybody. Without a Gateway it presents Server,
	// and if that has server usage only, every call of Patroni's fails while gRPC clients notice
	// nothing (a test of this package shows it with 3.6.10). So either give a Gateway, or give
	// Server both usages: Validate insists.
	Gateway pki.KeyPair
}

// Options describe an etcd cluster. Members, CA and Client are required, the rest has good
// defaults.
type Options struct {
	// Members are all voting members, an odd number.
	Members []Member
	// Even allows an even number, as there is for a while when one member takes another one's
	// place. It survives no more failures than one member less.
	Even bool
	// CA is the PEM bundle that every certificate of this cluster, and of nothing else, is verified
	// against.
	CA []byte
	// Client is the operator's certificate, with client usage. It stays on this machine.
	Client pki.KeyPair
	// Token keeps members from joining another cluster by accident; "" means "etcd-cluster". Of no
	// meaning once formed.
	Token string
	// Version is etcd's, complete; "" means the newest that pgha knows. Of no meaning for
	// SourceDistribution.
	Version string
	// Source of the programs; "" means SourceRelease.
	Source Source
	// Archive is the path of a release archive (.tar.gz) on this machine, for SourceArchive.
	Archive string
	// SHA256 is the archive's checksum in hexadecimal. Required with Archive and with URL; "" for a
	// release takes it from the file SHA256SUMS of the release page, over TLS.
	SHA256 string
	// URL replaces the archive's address on the release page.
	URL string
	// DataDir on the hosts; "" means /var/lib/etcd.
	DataDir string
	// HeartbeatInterval and ElectionTimeout; 0 means etcd's own 100 ms and 1 s, right for round
	// trips below 10 ms.
	HeartbeatInterval, ElectionTimeout time.Duration
	// AutoCompaction is how much history is kept; 0 means 1 h.
	AutoCompaction time.Duration
	// QuotaBytes is the size at which the database takes no more writes; 0 leaves etcd's own 2 GiB.
	// Patroni needs some MB.
	QuotaBytes int64
	// ClientPort and PeerPort; 0 means 2379 and 2380.
	ClientPort, PeerPort int
	// MetricsPort, on the member's address, is where GET /metrics and /health are answered, by HTTP
	// and to everybody; etcd's data is not to be had there. 0 means that metrics are had on
	// ClientPort alone, with a client's certificate, which opens the data, too.
	MetricsPort int
	// Unit are further lines of the [Service] section of etcd's unit, each "Directive=value". They
	// come last and so override pgha's own. A drop-in made by hand is left alone, too.
	Unit []string
	// Wait bounds each wait for etcd, in Bootstrap; 0 means 60 s.
	Wait time.Duration
	// Progress, when set, receives what is being waited for. It must be safe for concurrent use.
	Progress func(string)
	// Forming, when set, is called before a new, empty cluster is formed in place of one whose
	// members all lost their data.
	Forming func(context.Context) error
}

func (o Options) withDefaults() Options {
	o.Token = cmp.Or(o.Token, "etcd-cluster")
	o.Source = cmp.Or(o.Source, SourceRelease)
	o.Version = cmp.Or(o.Version, etcdrelease.Default)
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

func (o Options) clientURL(m Member) string {
	return "https://" + hostport.Join(m.Address, o.ClientPort)
}
func (o Options) peerURL(m Member) string {
	return "https://" + hostport.Join(m.Address, o.PeerPort)
}

// each runs f at the same time for every member that is not left out, and returns all errors in the
// members' order.
func (o Options) each(ctx context.Context, f func(ctx context.Context, i int,
	m Member) error) error {
	return parallel.Each(o.Members, func(i int, m Member) error {
		if m.Target.LeftOut {
			return nil
		}
		return remote.OnHost(m.Target.Name, f(ctx, i, m))
	})
}
