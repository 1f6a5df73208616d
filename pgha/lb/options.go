package lb

import (
	"cmp"
	"context"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// Backend is one database host as the balancers see it.
//
// A replica that should get no reads carries Patroni's tag noloadbalance: its REST API then answers
// the read check with 503, so nothing about it stands here.
type Backend struct {
	// Name is the server's name in HAProxy's configuration, log and statistics: letters, digits,
	// ".", "_" and "-".
	Name string
	// Address is the IP address under which the balancers reach PostgreSQL and Patroni's REST API.
	Address string
	// CertName is a DNS name in the subject alternative names of the host's REST API certificate;
	// "" means Name. HAProxy compares certificates with DNS names only, never with IP addresses.
	CertName string
}

// Checks says how HAProxy watches a database host. Every zero value is a good default. With the
// defaults a dead primary is given up about 0.7 s after its check fails first, and a new one used
// at most 0.3 s after it calls itself primary. The cost is about 13 small HTTPS requests per second
// on every database host from three balancers.
type Checks struct {
	// Interval is the pause between two checks of a server that is up. 0 means 500 ms.
	Interval time.Duration
	// Fast is the pause while a server is about to change its state. 0 means 200 ms.
	Fast time.Duration
	// Down is the pause between two checks of a server that is down: a replica, for the write port.
	// 0 means 300 ms.
	Down time.Duration
	// Timeout bounds the wait for the REST API's answer once the connection stands (connecting is
	// bounded by Interval). 0 means 2 s: generous, because a busy primary that answers late must
	// not lose its sessions.
	Timeout time.Duration
	// Fall is how many checks in a row must fail until a server is down. 0 means 2.
	Fall int
	// Rise is how many must succeed until it is up. 0 means 1: Patroni answers only once PostgreSQL
	// is promoted.
	Rise int
}

// Options describe the load balancers. Balancers, Backends and PatroniCA have no default; every
// other zero value is a good one.
type Options struct {
	// Balancers are the hosts that HAProxy runs on. Config does without them.
	Balancers []*remote.Target
	// Backends are the database hosts, in the order of the specification.
	Backends []Backend
	// PatroniCA are the PEM certificates of the authorities that signed the REST API's
	// certificates. Several may follow each other while one authority replaces another.
	PatroniCA []byte

	// WritePort is where clients reach the primary. 0 means 5432.
	WritePort int
	// ReadPort is where clients reach the replicas. 0 means 5433.
	ReadPort int
	// FormerWritePort and FormerReadPort are ports of before, which lead where WritePort and
	// ReadPort lead, so that clients have time to learn of those. 0 means none.
	FormerWritePort, FormerReadPort int
	// PostgresPort is PostgreSQL's port on the database hosts. 0 means 5432.
	PostgresPort int
	// RESTPort is the port of Patroni's REST API. 0 means 8008.
	RESTPort int
	// HealthPort is a port on 127.0.0.1 of every balancer where GET /health is answered with 200 by
	// a HAProxy that is alive. keepalived's check asks there. 0 means 7000.
	HealthPort int
	// StatsPage adds HAProxy's read-only statistics page to HealthPort, as /stats, for any user of
	// the balancer itself. Without it the statistics are had through the runtime socket alone,
	// which only root may open.
	StatsPage bool

	// MetricsNetworks are the networks, each "address/bits", that may read HAProxy's metrics as
	// Prometheus does: GET /metrics on MetricsPort of every address, by HTTP. Empty means none, and
	// nothing listens there.
	MetricsNetworks []string
	// MetricsPort is of meaning with MetricsNetworks alone. 0 means 8405.
	MetricsPort int

	// Clients are the networks whose clients get sessions, each "address/bits". Empty means every
	// network. It has to hold the cluster's own hosts, too: what opens sessions from there goes
	// through the balancers as well.
	Clients []string

	// NoReadFallback leaves readers without a server while no replica is fit. By default the
	// primary takes them over.
	NoReadFallback bool
	// ReadMaxLag takes a replica out of the read port, and ends its sessions, when it is more bytes
	// of WAL behind. 0 sets no bound.
	ReadMaxLag int64

	Checks Checks
	// ConnectTimeout bounds one try of the connection from HAProxy to PostgreSQL, and is the pause
	// before the next one where a server refuses (HAProxy 3.2: a second at most). It has to be
	// longer than a round trip. Tries go on for some three seconds. Of a health check it bounds the
	// connection, where Checks.Interval is not shorter: less than half a second makes a busy host
	// look dead. 0 means 500 ms.
	ConnectTimeout time.Duration
	// ClientTimeout and ServerTimeout end a session on which the client, or PostgreSQL, sent
	// nothing for so long. 0 means 24 h: idle connections of a pool are no error, and dead peers
	// are found by TCP within 25 s.
	ClientTimeout, ServerTimeout time.Duration
	// MaxConn is how many client connections one balancer serves at a time. 0 means 4000, which
	// needs some 8100 open files (OpenFiles) and so fits under a hard limit of 20000. HAProxy
	// refuses to start where the limit is too low.
	MaxConn int

	// Last, when set, names the balancer that clients come through at this moment, or "". It is
	// asked when running balancers must be reloaded, and that one comes behind the others: a
	// mistake shows where it harms nobody. The address is not moved away from it, because that
	// would cut every session, and a reload cuts none.
	Last func(context.Context) string
	// Wait bounds the wait for a balancer after a change. 0 means 30 s.
	Wait time.Duration
	// Progress, when set, receives one line about what is being waited for. It must be safe for
	// concurrent use.
	Progress func(string)
}

// The two proxies of every balancer, as HAProxy's log and statistics name them.
const (
	WriteProxy = "postgres_write"
	ReadProxy  = "postgres_read"
)

// ServerState is what one balancer thinks of one server of one port.
type ServerState struct {
	// Proxy is WriteProxy or ReadProxy.
	Proxy string
	// Name is the Backend's name. In ReadProxy the primary stands in as "NAME:primary" when no
	// replica is fit.
	Name string
	// Status is HAProxy's word: "UP", "DOWN", "UP 1/2" (about to go down), "MAINT", "DRAIN", "no
	// check", ...
	Status string
	// Check is the last check's outcome, such as "L7OK/200", "L7STS/503", "L4TOUT" or "L6RSP"; ""
	// before the first.
	Check string
	// Backup says that the server is used only when none of the others is up.
	Backup bool
	// Sessions are the connections open now.
	Sessions int
	// TotalSessions are the connections since HAProxy was started or reloaded.
	TotalSessions int64
	// Since is how long the server has had this status, to the second.
	Since time.Duration
}

// Up reports whether new connections may be sent to the server.
func (s ServerState) Up() bool { return isUp(s.Status) }

// BalancerState is one balancer's view.
type BalancerState struct {
	Host string
	// Version is HAProxy's version, such as "3.0.11-1".
	Version string
	Servers []ServerState
	// Reload is how the last reload ended. After a failed one all that is above is of the former
	// configuration.
	Reload Reload
	// Err says why nothing is known of this balancer; Servers is then empty.
	Err error
}

// Primary returns the name of the server that the write port leads to, and false when there is
// none: no server is up, more than one seems to be and the port is closed, or one has not been
// checked yet. HAProxy calls a server "UP" before its first check ends.
func (b BalancerState) Primary() (name string, found bool) {
	for _, s := range b.Servers {
		if s.Proxy != WriteProxy || !s.Up() {
			continue
		}
		if found || s.Check == "" {
			return "", false
		}
		name, found = s.Name, true
	}
	return name, found
}

func (o Options) withDefaults() Options {
	o.WritePort = cmp.Or(o.WritePort, 5432)
	o.ReadPort = cmp.Or(o.ReadPort, 5433)
	o.PostgresPort = cmp.Or(o.PostgresPort, 5432)
	o.RESTPort = cmp.Or(o.RESTPort, 8008)
	o.HealthPort = cmp.Or(o.HealthPort, 7000)
	o.MetricsPort = cmp.Or(o.MetricsPort, 8405)
	o.Checks.Interval = cmp.Or(o.Checks.Interval, 500*time.Millisecond)
	o.Checks.Fast = cmp.Or(o.Checks.Fast, 200*time.Millisecond)
	o.Checks.Down = cmp.Or(o.Checks.Down, 300*time.Millisecond)
	o.Checks.Timeout = cmp.Or(o.Checks.Timeout, 2*time.Second)
	o.Checks.Fall = cmp.Or(o.Checks.Fall, 2)
	o.Checks.Rise = cmp.Or(o.Checks.Rise, 1)
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 500*time.Millisecond)
	o.ClientTimeout = cmp.Or(o.ClientTimeout, 24*time.Hour)
	o.ServerTimeout = cmp.Or(o.ServerTimeout, 24*time.Hour)
	o.MaxConn = cmp.Or(o.MaxConn, 4000)
	o.Wait = cmp.Or(o.Wait, 30*time.Second)
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o
}

// OpenFiles is how many files HAProxy wants to have open for so many clients: two for each, and
// some for itself. Its worker ends where the limit is lower (HAProxy 3.2.26 wants 41 of them on
// three databases), and `haproxy -c` does not tell.
func OpenFiles(maxConn int) int { return 2*maxConn + 100 }
