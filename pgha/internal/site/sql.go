package site

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/remote"
)

// ConnConfig says how to connect to PostgreSQL as the superuser, with the certificate verified:
// through the virtual IP, to the port that takes writes. It holds the password. Its connections go
// through SSH unless the caller sets a DialFunc; for another address set Host, Port and the
// TLSConfig's ServerName. Its sessions begin with settings of their own, whatever the environment,
// the role and the cluster say (RuntimeParams): no time limits, UTC, ISO dates, and a search_path
// of pg_catalog alone, so name the schemas of tables.
func (c *Site) ConnConfig() (*pgx.ConnConfig, error) { return c.SqlConfig(c.WriteRoute()) }

// MemberRoute is the way to a member's own PostgreSQL, from its own host.
func (c *Site) MemberRoute(member string) (Route, error) {
	h, err := c.MemberHost(member)
	if err != nil {
		return Route{}, err
	}
	t, err := c.LenientTarget(h.Name)
	return Route{Host: h.Address, Port: c.Spec.PostgreSQL.Port, From: t}, err
}

// PsqlPath is the client on a database host: Debian's wrapper in the search path looks for clusters
// of its own first.
func (c *Site) PsqlPath() string {
	return fmt.Sprintf("/usr/lib/postgresql/%d/bin/psql", c.Spec.PostgreSQL.Version)
}

// Psql asks a database host's own PostgreSQL as the superuser, through the socket.
func (c *Site) Psql(args ...string) []string {
	pg := c.Spec.PostgreSQL
	return pgsession.Psql(c.PsqlPath(), pgsession.Settings(pg.Version, pgsession.Superuser, "pgha"),
		append([]string{"-Atq", "-p", fmt.Sprint(pg.Port), "-U", pg.Superuser, "-d", "postgres"},
			args...)...)
}

// SqlTimeout bounds one connection attempt.
const SqlTimeout = 5 * time.Second

// Route says where a connection goes, and as which role.
type Route struct {
	Host string // verified against the server's certificate
	// further hosts of the same port: the first of them all that is the primary counts
	others      []string
	Port        int
	From        *remote.Target // the host it is opened from; nil means any host of the cluster
	Replication bool           // log in as the replication role, on the replication protocol
	Plain       bool           // without TLS, to see it refused
	Pooled      bool           // through the pooler, which knows few settings
}

// Connect opens a connection to PostgreSQL with verify-full, through SSH.
func (c *Site) Connect(ctx context.Context, r Route) (*pgx.Conn, error) {
	cfg, err := c.SqlConfig(r)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, cfg)
}

// SqlConfig says how to open connections of a route.
func (c *Site) SqlConfig(r Route) (*pgx.ConnConfig, error) {
	pg, cr := c.Spec.PostgreSQL, c.Credentials()
	login := pgsession.Login{Host: r.Host, Port: uint16(r.Port), Database: "postgres",
		User:     pg.Superuser,
		Password: string(cr.Superuser.Reveal()), Settings: pgsession.Settings(pg.Version,
			pgsession.Superuser, "pgha")}
	if r.Replication {
		login.User, login.Password = pg.ReplicationUser, string(cr.Replication.Reveal())
		login.Settings = pgsession.Settings(pg.Version, pgsession.Ordinary, "pgha")
		login.Settings["replication"] = "true"
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cr.PostgresCA)
	verified := func(host string) *tls.Config {
		if r.Plain {
			return nil
		}
		return &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}
	}
	if r.Pooled {
		login.Settings = map[string]string{"application_name": "pgha"}
	}
	login.TLS = verified(r.Host)
	cfg, err := login.Config()
	if err != nil {
		return nil, err
	}
	cfg.ConnectTimeout = SqlTimeout
	for _, host := range r.others {
		cfg.Fallbacks = append(cfg.Fallbacks, &pgconn.FallbackConfig{Host: host, Port: cfg.Port,
			TLSConfig: verified(host)})
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	}
	if r.Replication {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	}
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) {
		return []string{host}, nil
	}
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if r.From != nil {
			return r.From.Dial(ctx, network, address)
		}
		return c.DialFromCluster(ctx, network, address)
	}
	return cfg, nil
}

// WithSQL opens a connection, hands it to f and closes it.
func (c *Site) WithSQL(ctx context.Context, r Route, f func(*pgx.Conn) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*SqlTimeout)
	defer cancel()
	conn, err := c.Connect(ctx, r)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return f(conn)
}

// WriteRoute is the way applications write: through the virtual IP or the balancer, or without any
// to whichever database is the primary.
func (c *Site) WriteRoute() Route {
	host, port := connstring.WriteEndpoint(c.Spec)
	r := Route{Host: host, Port: port}
	if len(c.Spec.Balancers()) == 0 {
		for _, h := range c.Spec.Databases()[1:] {
			r.others = append(r.others, h.Address)
		}
	}
	return r
}

// Ping tells whether an application could write now.
func (c *Site) Ping(ctx context.Context) error {
	return c.WithSQL(ctx, c.WriteRoute(), func(conn *pgx.Conn) error {
		var recovering bool
		if err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&recovering); err != nil {
			return err
		}
		if recovering {
			return fmt.Errorf("%s leads to a replica",
				hostport.Join(c.WriteRoute().Host, c.WriteRoute().Port))
		}
		return nil
	})
}

// PoolRoutes are the ways through the poolers by which applications write and read; none without a
// pooler.
func PoolRoutes(c *Site) []Route {
	if c.Spec.Pooler == nil {
		return nil
	}
	host, _ := connstring.WriteEndpoint(c.Spec)
	return []Route{{Host: host, Port: c.Spec.Pooler.WritePort, Pooled: true},
		{Host: host, Port: c.Spec.Pooler.ReadPort, Pooled: true}}
}

// PingPools tells whether an application could write and read through the poolers now; nil without
// any.
func PingPools(ctx context.Context, c *Site) error {
	for i, r := range PoolRoutes(c) {
		err := c.WithSQL(ctx, r, func(conn *pgx.Conn) error {
			var recovering bool
			err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_is_in_recovery()").Scan(&recovering)
			if err == nil && recovering && i == 0 {
				return fmt.Errorf("%s leads to a replica", hostport.Join(r.Host, r.Port))
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("through the pooler at %s: %w", hostport.Join(r.Host, r.Port), err)
		}
	}
	return nil
}
