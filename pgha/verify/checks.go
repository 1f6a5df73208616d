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
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/serving"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/status"
)

func checkHosts(_ context.Context, c *site.Site) (string, error) {
	for _, h := range c.Spec.Hosts {
		if err := c.Unreachable[h.Name]; err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d hosts", len(c.Targets())), nil
}

func checkUnits(ctx context.Context, c *site.Site) (string, error) {
	err := remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		units := c.UnitsOf(h)
		for _, question := range []string{"is-active", "is-enabled"} {
			res, err := t.Batch(ctx, append([]string{"systemctl", question}, units...))
			if err != nil {
				return err
			}
			for i, answer := range strings.Fields(string(res[0].Stdout)) {
				// Patroni says that it is reloading until the next round of its loop.
				if !slices.Contains([]string{"active", "reloading", "enabled"}, answer) {
					return fmt.Errorf("%s is %s", units[i], answer)
				}
			}
		}
		return nil
	})
	return "etcd and patroni on databases, haproxy and keepalived on balancers", err
}

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

func checkEtcd(ctx context.Context, c *site.Site) (string, error) {
	opts, err := c.EtcdOptions()
	if err != nil {
		return "", err
	}
	health, err := etcd.Health(ctx, opts)
	if err != nil {
		return "", err
	}
	slowest := time.Duration(0)
	for _, m := range health {
		if !m.Healthy {
			return "", fmt.Errorf("member %s is unhealthy: %s", m.Name, m.Err)
		}
		slowest = max(slowest, m.Took)
	}
	leader, err := etcd.Leader(ctx, opts)
	return fmt.Sprintf("%d members, leader %s, slowest answer %s", len(health), leader,
		slowest.Round(100*time.Microsecond)), err
}

func checkPatroni(ctx context.Context, c *site.Site) (string, error) {
	opts, err := c.PatroniOptions()
	if err != nil {
		return "", err
	}
	state, err := patroni.NewClient(opts).Cluster(ctx)
	if err != nil {
		return "", err
	}
	leader, ok := state.Leader()
	if !ok {
		return "", errors.New("no member holds the leader lock")
	}
	for _, m := range opts.Members {
		if !state.Healthy(m.Name) {
			return "", fmt.Errorf("member %s %s", m.Name, state.Fault(m.Name))
		}
	}
	if state.Paused {
		return "", remote.WithHint(errors.New("the cluster is paused: nobody would be promoted"),
			"resume it")
	}
	return fmt.Sprintf("leader %s, %d replicas as their tags say, timeline %d", leader.Name,
		len(opts.Members)-1, leader.Timeline), nil
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

func checkBalancers(ctx context.Context, c *site.Site) (string, error) {
	if len(c.Spec.Balancers()) == 0 {
		return "the spec has no balancer", nil
	}
	opts, err := c.BalancerOptions()
	if err != nil {
		return "", err
	}
	states, err := lb.State(ctx, opts)
	if err != nil {
		return "", err
	}
	for _, b := range states {
		if b.Err != nil {
			return "", remote.OnHost(b.Host, b.Err)
		}
		if b.Reload.Failed {
			return "", remote.OnHost(b.Host,
				fmt.Errorf("HAProxy serves a former configuration and cannot start again: %s",
					b.Reload.Reason))
		}
		primary, replicas := status.Serving(b)
		if len(primary) != 1 {
			return "", remote.OnHost(b.Host, fmt.Errorf("sends writes to %d members", len(primary)))
		}
		if lack := site.Missing(c.Readers(primary[0]), replicas); len(lack) > 0 {
			return "", remote.OnHost(b.Host, fmt.Errorf("sends no reads to %s",
				strings.Join(lack, ", ")))
		}
	}
	return fmt.Sprintf("%d balancers", len(states)), nil
}

func checkHolder(ctx context.Context, c *site.Site) (string, error) {
	if c.Spec.VIP == nil {
		return "the spec has no virtual IP", nil
	}
	holdings, err := c.Holdings(ctx)
	var holders []string
	for _, h := range holdings {
		if h.Holds {
			holders = append(holders, h.Host)
		}
	}
	if err == nil && len(holders) != 1 {
		err = fmt.Errorf("%d balancers hold %s: %s", len(holders), c.Spec.VIP.Address,
			strings.Join(holders, ", "))
	}
	return fmt.Sprintf("%s on %s", c.Spec.VIP.Address, strings.Join(holders, ", ")), err
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
	table, value := "public.pgha_verify_"+strings.ToLower(rand.Text()[:10]), rand.Text()
	start := time.Now()
	err = c.WithSQL(ctx, c.WriteRoute(), func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE TABLE "+table+" (val text)")
		if err == nil {
			_, err = conn.Exec(ctx, "INSERT INTO "+table+" VALUES ($1)", value)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	defer func() {
		drop := c.WithSQL(context.WithoutCancel(ctx), c.WriteRoute(), func(conn *pgx.Conn) error {
			_, err := conn.Exec(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS "+table)
			return err
		})
		err = errors.Join(err, drop)
	}()
	databases, err := c.Databases()
	if err != nil {
		return "", err
	}
	databases = slices.DeleteFunc(databases,
		func(t *remote.Target) bool { return !c.Promises()[c.MemberAt(t.Address)].Streams })
	err = remote.Each(ctx, databases,
		func(ctx context.Context, t *remote.Target) error {
			return awaitRow(ctx, c, t, table, value)
		})
	return fmt.Sprintf("on %d members after %s", len(databases),
		time.Since(start).Round(time.Millisecond)), err
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
