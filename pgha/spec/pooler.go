package spec

import (
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/internal/scalar"
)

// Pooler puts PgBouncer in front of HAProxy on the balancer hosts, on ports of its own: clients
// share sessions with PostgreSQL, and planned operations hold them instead of cutting them.
type Pooler struct {
	// WritePort leads to the primary. Default: 6432.
	WritePort int `yaml:"write_port"`
	// ReadPort leads to the replicas. Default: 6433.
	ReadPort int `yaml:"read_port"`
	// Mode is how long a client keeps a session with PostgreSQL, where its database does not say
	// otherwise. Default: PoolTransaction.
	Mode PoolMode `yaml:"mode"`
	// MaxClients at once, per balancer and port, 1 to 100000. Default: 2000.
	MaxClients int `yaml:"max_clients"`
	// PreparedStatements that each session with PostgreSQL keeps for its clients, 0 to 10000; with
	// 0 clients cannot prepare any in PoolTransaction. Default: 200.
	PreparedStatements int `yaml:"prepared_statements"`
	// QueryWaitTimeout is how long a client waits for a session with PostgreSQL before it gets an
	// error, 15s to 1h: longer than the 10s that an operation may hold clients. Default: 2m.
	QueryWaitTimeout time.Duration `yaml:"query_wait_timeout"`
	// ReservedConnections of max_connections are left to whoever does not come through the pooler:
	// Patroni, backups, monitoring, people, and applications on the balancers' own ports.
	// Default: 10.
	ReservedConnections int `yaml:"reserved_connections"`
	// StatsRoles may ask the poolers' consoles for statistics, over TLS and with their own
	// password, from Monitoring.Networks or, without any, from where clients come. Default: none.
	StatsRoles []string `yaml:"stats_roles,omitempty"`
}

// PoolMode is how long a client keeps a session with PostgreSQL.
type PoolMode string

// The modes.
const (
	// PoolTransaction: for a transaction. What a session keeps beyond it (SET, LISTEN, temporary
	// tables, advisory locks) is not the client's own.
	PoolTransaction PoolMode = "transaction"
	// PoolSession: until it disconnects. Operations cannot hold such a client, and cut its session.
	PoolSession PoolMode = "session"
)

// PoolerRole looks passwords up for the pooler, and can do nothing else.
const PoolerRole = "pgha_pooler"

// PoolerLookup and PoolerConsole name what is no database of applications to the pooler: where it
// looks passwords up, and its console.
const (
	PoolerLookup  = "pgha_lookup"
	PoolerConsole = "pgbouncer"
)

// newPooler is a pooler section with its defaults.
func newPooler() Pooler {
	return Pooler{WritePort: 6432, ReadPort: 6433, Mode: PoolTransaction, MaxClients: 2000,
		PreparedStatements: 200, QueryWaitTimeout: 2 * time.Minute, ReservedConnections: 10}
}

// derive fills in what a section that was made in Go lacks.
func (p *Pooler) derive(d *decoder) {
	if p == nil {
		return
	}
	fresh := newPooler()
	fill(d, "pooler.write_port", &p.WritePort, fresh.WritePort)
	fill(d, "pooler.read_port", &p.ReadPort, fresh.ReadPort)
	fill(d, "pooler.mode", &p.Mode, fresh.Mode)
	fill(d, "pooler.max_clients", &p.MaxClients, fresh.MaxClients)
	fill(d, "pooler.query_wait_timeout", &p.QueryWaitTimeout, fresh.QueryWaitTimeout)
}

// Pools tells whether the host has a pooler.
func (s *Spec) Pools(h Host) bool { return s.Pooler != nil && s.Runs(h, RoleBalancer) }

// PoolSizes are how many sessions with PostgreSQL one balancer's pooler opens at most.
type PoolSizes struct {
	// Write are those with the primary, Read those with replicas, in all databases together.
	Write, Read int
	// Databases are those of the specification; without any the pooler serves every database of
	// the server, each with as many sessions as all together may have.
	Databases []PoolDatabase
}

// PoolDatabase is a database of the pooler's.
type PoolDatabase struct {
	Name        string
	Mode        PoolMode
	Write, Read int
}

// Sessions of PostgreSQL's own, by the toolkit's defaults.
const (
	defaultConnections    = 100
	defaultSuperReserved  = 10
	lookupSessions        = 2 // of each balancer: one for each port
	writeParts, readParts = 2, 1
)

// number is the value of a setting that is a whole number.
func (s *Spec) number(name string, otherwise int) int {
	value, set := lookup(s.PostgreSQL.Parameters, name)
	if !set {
		return otherwise
	}
	n, fault := scalar.Whole(fmt.Sprint(value))
	if fault != nil {
		return otherwise
	}
	return int(n)
}

// poolShare is how many sessions of a server one balancer may have, both ports together.
func (s *Spec) poolShare() int {
	balancers := len(s.Balancers())
	if s.Pooler == nil || balancers == 0 {
		return 0
	}
	free := s.number("max_connections", defaultConnections) -
		s.number("superuser_reserved_connections", defaultSuperReserved) -
		s.number("reserved_connections", 0) - s.Pooler.ReservedConnections
	return free/balancers - lookupSessions
}

// PoolSizes derives them from max_connections: what PostgreSQL reserves for superusers and
// reserved_connections leave is divided among the balancers, less two sessions each that look
// passwords up. Where the primary stands in for replicas both ports may lead to one server, and
// writes have two parts of three.
func (s *Spec) PoolSizes() PoolSizes {
	sizes := PoolSizes{Write: s.poolShare(), Read: s.poolShare()}
	if s.Balancer.ReadFallbackToPrimary {
		sizes.Read = sizes.Write * readParts / (writeParts + readParts)
		sizes.Write -= sizes.Read
	}
	present := slices.DeleteFunc(slices.Clone(s.PGDatabases), func(d PGDatabase) bool {
		return !d.Present()
	})
	left, others := sizes.Write, 0
	for _, d := range present {
		left -= d.PoolConnections
		if d.PoolConnections == 0 {
			others++
		}
	}
	for _, d := range present {
		p := PoolDatabase{Name: d.Name, Mode: d.PoolMode, Write: d.PoolConnections}
		if p.Write == 0 {
			p.Write = left / others
		}
		if p.Mode == "" && s.Pooler != nil {
			p.Mode = s.Pooler.Mode
		}
		// One each, and the rest by their parts of the writes: never more than all may have.
		p.Read = 1 + (sizes.Read-len(present))*p.Write/max(1, sizes.Write)
		sizes.Databases = append(sizes.Databases, p)
	}
	return sizes
}

// poolChecker checks the section, and what stands beside databases and roles for it.
type poolChecker struct{ *checker }

func (c poolChecker) all() {
	p := c.Pooler
	c.poolFields()
	if p == nil {
		return
	}
	if len(c.Balancers()) == 0 {
		c.bad("pooler", "runs on balancers, and there is none",
			"add hosts with role: balancer, or delete the section")
	}
	oneOf(c.checker, "pooler.mode", p.Mode, PoolTransaction, PoolSession)
	within(c.checker, "pooler.max_clients", p.MaxClients, 1, 100000)
	within(c.checker, "pooler.prepared_statements", p.PreparedStatements, 0, 10000)
	within(c.checker, "pooler.reserved_connections", p.ReservedConnections, 0, maxConnections)
	c.between("pooler.query_wait_timeout", p.QueryWaitTimeout, 15*time.Second, time.Hour,
		time.Second)
	c.poolNames()
	c.poolStats()
	c.poolSizes()
}

// poolFields checks the fields of databases and roles.
func (c poolChecker) poolFields() {
	pooled := func(field string, set bool) {
		if set && c.Pooler == nil {
			c.bad(field, "is about the pooler, and there is none",
				"delete it, or write pooler: {}")
		}
	}
	for i, d := range c.PGDatabases {
		field := element("databases", i)
		pooled(field+".pool_mode", d.PoolMode != "")
		pooled(field+".pool_connections", d.PoolConnections != 0)
		if d.PoolMode != "" && c.Pooler != nil {
			oneOf(c.checker, field+".pool_mode", d.PoolMode, PoolTransaction, PoolSession)
		}
		within(c.checker, field+".pool_connections", d.PoolConnections, 0, maxConnections)
	}
	for i, r := range c.PGRoles {
		field := element("roles", i) + ".pool_connections"
		pooled(field, r.PoolConnections != 0)
		within(c.checker, field, r.PoolConnections, 0, maxConnections)
	}
}

// poolNames refuses names that mean something else to the pooler.
func (c poolChecker) poolNames() {
	for i, r := range c.PGRoles {
		if r.Name == PoolerRole {
			c.bad(element("roles", i)+".name", quoted(r.Name)+" looks passwords up for the pooler",
				"write another name; the toolkit keeps that role itself")
		}
	}
	for i, d := range c.PGDatabases {
		if slices.Contains([]string{PoolerLookup, PoolerConsole}, d.Name) && d.Present() {
			c.bad(element("databases", i)+".name", quoted(d.Name)+" means something else to the "+
				"pooler", "write another name")
		}
	}
}

// poolStats refuses roles that get in nowhere.
func (c poolChecker) poolStats() {
	refused := []string{PoolerRole, c.PostgreSQL.ReplicationUser, c.PostgreSQL.RewindUser}
	for i, role := range c.Pooler.StatsRoles {
		field := element("pooler.stats_roles", i)
		switch {
		case !namedSyntax.MatchString(role):
			c.bad(field, quoted(role)+" is no name of a role that the pooler can read",
				"write letters, digits, _, $ and -, a letter or _ first")
		case slices.Contains(refused, role):
			c.bad(field, quoted(role)+" is the cluster's own, and the pooler refuses it",
				"write a role for monitoring")
		}
	}
}

// poolSizes refuses sizes that do not fit max_connections.
func (c poolChecker) poolSizes() {
	balancers := len(c.Balancers())
	if balancers == 0 {
		return
	}
	sizes, databases, given := c.PoolSizes(), 0, 0
	for _, d := range c.PGDatabases {
		if d.Present() {
			databases++
			given += d.PoolConnections
		}
	}
	least := max(1, databases)
	field := c.blame("postgresql.parameters.max_connections", "pooler.reserved_connections",
		"pooler")
	if sizes.Write < least || sizes.Read < least {
		need := balancers * (least + lookupSessions)
		if c.Balancer.ReadFallbackToPrimary {
			need = balancers * ((writeParts+readParts)*least + lookupSessions)
		}
		have := c.poolShare()
		c.bad(field, fmt.Sprintf("max_connections leaves %d sessions to each of %d poolers, too "+
			"few for %d on each port", max(0, have), balancers, least),
			fmt.Sprintf("write max_connections: %d or more", c.number("max_connections",
				defaultConnections)+need-balancers*(have+lookupSessions)))
		return
	}
	if given > sizes.Write || slices.ContainsFunc(sizes.Databases,
		func(d PoolDatabase) bool { return d.Write < 1 }) {
		c.poolTooMany(sizes, given)
	}
}

// poolTooMany is about pool_connections that leave nothing to others, or are too many themselves.
func (c poolChecker) poolTooMany(sizes PoolSizes, given int) {
	for i, d := range c.PGDatabases {
		if d.Present() && d.PoolConnections > 0 {
			c.bad(element("databases", i)+".pool_connections", fmt.Sprintf("all databases "+
				"together have %d, and each pooler may have %d sessions with the primary",
				given, sizes.Write), "write less, or raise max_connections")
			return
		}
	}
}
