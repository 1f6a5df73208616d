package verify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/serving"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
)

func checkClocks(ctx context.Context, c *site.Site) (string, error) {
	err := remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
		offset, err := inspect.ClockOffset(ctx, t)
		if err == nil && offset.Abs() > inspect.MaxClockOffset {
			err = fmt.Errorf("the clock is off by %s", offset)
		}
		return err
	})
	return fmt.Sprintf("all within %s of this machine", inspect.MaxClockOffset), err
}

// checkReplicationLogin tries what Patroni does before it lets a former leader rejoin: a
// replication connection to itself.
func checkReplicationLogin(ctx context.Context, c *site.Site) (string, error) {
	databases, err := c.Databases()
	if err != nil {
		return "", err
	}
	err = remote.Each(ctx, databases, func(ctx context.Context, t *remote.Target) error {
		route := site.Route{Host: "127.0.0.1", Port: c.Spec.PostgreSQL.Port, From: t,
			Replication: true}
		return c.WithSQL(ctx, route, func(conn *pgx.Conn) error {
			_, err := conn.PgConn().Exec(ctx, "IDENTIFY_SYSTEM").ReadAll()
			return err
		})
	})
	return fmt.Sprintf("%s on 127.0.0.1 of every member", c.Spec.PostgreSQL.ReplicationUser), err
}

func checkPeerLogin(ctx context.Context, c *site.Site) (string, error) {
	databases, err := c.Databases()
	if err != nil {
		return "", err
	}
	err = remote.Each(ctx, databases, func(ctx context.Context, t *remote.Target) error {
		_, err := t.Run(ctx, remote.Cmd{User: "postgres", Argv: c.Psql("-c", "SELECT 1")})
		return err
	})
	return "psql as the operating system's postgres user", err
}

func checkPrimarySQL(ctx context.Context, c *site.Site) (string, error) {
	var server string
	var recovering bool
	var tlsVersion string
	err := c.WithSQL(ctx, c.WriteRoute(), func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx,
			"SELECT host(inet_server_addr()), pg_is_in_recovery(), version FROM pg_stat_ssl "+
				"WHERE pid = pg_backend_pid()").Scan(&server, &recovering, &tlsVersion)
	})
	if err == nil && recovering {
		err = fmt.Errorf("%s is a replica", server)
	}
	return fmt.Sprintf("%s, %s, certificate verified for %s", server, tlsVersion,
		c.WriteRoute().Host), err
}

func checkReadPort(ctx context.Context, c *site.Site) (string, error) {
	if len(c.Spec.Balancers()) == 0 {
		return "the spec has no balancer", nil
	}
	if len(c.Readers("")) == 0 && !c.Spec.Balancer.ReadFallbackToPrimary {
		return "every member is tagged noloadbalance, so nobody takes reads", nil
	}
	route := c.WriteRoute()
	route.Port = c.Spec.Balancer.ReadPort
	var server string
	var recovering bool
	err := c.WithSQL(ctx, route, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT host(inet_server_addr()), pg_is_in_recovery()").Scan(
			&server, &recovering)
	})
	if err == nil && !recovering && len(c.Readers(c.MemberAt(server))) > 0 {
		err = fmt.Errorf("port %d leads to the primary, %s", route.Port, server)
	}
	return server, err
}

func checkPlainRefused(ctx context.Context, c *site.Site) (string, error) {
	route := c.WriteRoute()
	route.Plain = true
	err := c.WithSQL(ctx, route, func(*pgx.Conn) error { return nil })
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return "", errors.New("a login without TLS was let in")
	// invalid_authorization_specification: no pg_hba entry
	case errors.As(err, &refused) && refused.Code == "28000":
		return "sslmode=disable is refused", nil
	}
	return "", err
}

// checkRow writes through the address, reads on every member itself that streams, and cleans up. A
// member that replays the archive has the row whenever its WAL gets there.
func checkRow(ctx context.Context, c *site.Site) (detail string, err error) {
	databases, err := c.Databases()
	if err != nil {
		return "", err
	}
	databases = slices.DeleteFunc(databases,
		func(t *remote.Target) bool { return !c.Promises()[c.MemberAt(t.Address)].Streams })
	table, value := "public.pgha_verify_"+strings.ToLower(rand.Text()[:10]), rand.Text()
	made, dropped := false, false
	start := time.Now()
	err = c.WithSQL(ctx, c.WriteRoute(), func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE TABLE "+table+" (val text)")
		if made = err == nil; made {
			_, err = conn.Exec(ctx, "INSERT INTO "+table+" VALUES ($1)", value)
		}
		if err != nil {
			return err
		}
		err = remote.Each(ctx, databases,
			func(ctx context.Context, t *remote.Target) error {
				return awaitRow(ctx, c, t, table, value)
			})
		detail = fmt.Sprintf("on %d members after %s", len(databases),
			time.Since(start).Round(time.Millisecond))
		_, failed := conn.Exec(ctx, "DROP TABLE IF EXISTS "+table)
		dropped = failed == nil
		return err
	})
	if made && !dropped { // the connection is gone, or the time is over
		err = errors.Join(err, c.WithSQL(context.WithoutCancel(ctx), c.WriteRoute(),
			func(conn *pgx.Conn) error {
				_, err := conn.Exec(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS "+table)
				return err
			}))
	}
	return detail, err
}

// awaitRow waits until the row can be read on one member.
func awaitRow(ctx context.Context, c *site.Site, t *remote.Target, table, value string) error {
	route := site.Route{Host: t.Address, Port: c.Spec.PostgreSQL.Port, From: t}
	return c.WithSQL(ctx, route, func(conn *pgx.Conn) error {
		what := poll.Options{What: "the row that was written", Every: 20 * time.Millisecond}
		return poll.Until(ctx, what, func(ctx context.Context) (string, error) {
			var got string
			err := conn.QueryRow(ctx, "SELECT val FROM "+table).Scan(&got)
			if err == nil && got != value {
				return "another row", nil
			}
			return "", err
		})
	})
}

// checkRefusedLines is the look of verify, and the last one of apply.
func checkRefusedLines(ctx context.Context, c *site.Site) (string, error) {
	databases, err := c.Databases()
	if err != nil {
		return "", err
	}
	err = remote.Each(ctx, databases, func(ctx context.Context, t *remote.Target) error {
		lines, err := serving.RefusedLines(ctx, c, t)
		if len(lines) > 0 {
			err = errs.WithNext(fmt.Errorf("%w: %w", serving.ErrLines, errs.Reasons(lines)),
				errs.Text("put right what the line says: the specification (%s), %s, or ALTER "+
					"SYSTEM RESET for postgresql.auto.conf", errs.Verb("apply"),
					errs.Verb("config", "set")))
		}
		return err
	})
	return "postgresql.conf, pg_hba.conf and pg_ident.conf, line by line", err
}

// checkRunning is the comparison of apply's preflight, for who does not apply.
func checkRunning(ctx context.Context, c *site.Site) (string, error) {
	refused, err := inspect.Refusals(ctx, c)
	if err != nil {
		return "", err
	}
	var problems []error
	for _, f := range refused {
		problems = append(problems, fmt.Errorf("%s; %s", f.Problem, f.Remedy))
	}
	return fmt.Sprintf("%d hosts, etcd's and Patroni's members, the network", len(c.Targets())),
		errs.Join(problems...)
}
