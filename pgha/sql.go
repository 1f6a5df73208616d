package pgha

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/remote"
)

// sqlTimeout bounds one connection attempt.
const sqlTimeout = 5 * time.Second

// sqlRoute says where a connection goes and as whom.
type sqlRoute struct {
	host        string   // verified against the server's certificate
	others      []string // further hosts of the same port: the first of them all that is the primary counts
	port        int
	from        *remote.Target // the host it is opened from; nil means any host of the cluster
	replication bool           // log in as the replication role, on the replication protocol
	plain       bool           // without TLS, to see it refused
}

// connect opens a connection to PostgreSQL with verify-full, through SSH.
func (c *Cluster) connect(ctx context.Context, r sqlRoute) (*pgx.Conn, error) {
	cfg, err := c.sqlConfig(r)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, cfg)
}

// sqlConfig says how to open connections of a route.
func (c *Cluster) sqlConfig(r sqlRoute) (*pgx.ConnConfig, error) {
	pg := c.Spec.PostgreSQL
	login := pgsession.Login{Host: r.host, Port: uint16(r.port), Database: "postgres", User: pg.Superuser, Password: c.credentials.superuser,
		Settings: pgsession.Settings(pg.Version, pgsession.Superuser, "pgha")}
	if r.replication {
		login.User, login.Password = pg.ReplicationUser, c.credentials.replication
		login.Settings = pgsession.Settings(pg.Version, pgsession.Ordinary, "pgha")
		login.Settings["replication"] = "true"
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.credentials.postgresCA)
	verified := func(host string) *tls.Config {
		if r.plain {
			return nil
		}
		return &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}
	}
	login.TLS = verified(r.host)
	cfg, err := login.Config()
	if err != nil {
		return nil, err
	}
	cfg.ConnectTimeout = sqlTimeout
	for _, host := range r.others {
		cfg.Fallbacks = append(cfg.Fallbacks, &pgconn.FallbackConfig{Host: host, Port: cfg.Port, TLSConfig: verified(host)})
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	}
	if r.replication {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	}
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if r.from != nil {
			return r.from.Dial(ctx, network, address)
		}
		return c.DialFromCluster(ctx, network, address)
	}
	return cfg, nil
}

// withSQL opens a connection, hands it to f and closes it.
func (c *Cluster) withSQL(ctx context.Context, r sqlRoute, f func(*pgx.Conn) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*sqlTimeout)
	defer cancel()
	conn, err := c.connect(ctx, r)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return f(conn)
}

// writeRoute is the way applications write: through the virtual IP or the balancer, or without any to whichever database is
// the primary.
func (c *Cluster) writeRoute() sqlRoute {
	host, port := writeEndpoint(c.Spec)
	r := sqlRoute{host: host, port: port}
	if len(c.Spec.Balancers()) == 0 {
		for _, h := range c.Spec.Databases()[1:] {
			r.others = append(r.others, h.Address)
		}
	}
	return r
}

// ping tells whether an application could write now.
func (c *Cluster) ping(ctx context.Context) error {
	return c.withSQL(ctx, c.writeRoute(), func(conn *pgx.Conn) error {
		var recovering bool
		if err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&recovering); err != nil {
			return err
		}
		if recovering {
			return fmt.Errorf("%s leads to a replica", net.JoinHostPort(c.writeRoute().host, strconv.Itoa(c.writeRoute().port)))
		}
		return nil
	})
}
