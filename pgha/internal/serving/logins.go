package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/hba"
	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// tryWithin bounds the wait until PostgreSQL has read its rules again: it does so after Patroni
// says that all is well.
const tryWithin = 5 * time.Second

// rulesSQL gives the lines of pg_hba.conf, and those that PostgreSQL refuses.
const rulesSQL = `SELECT json_build_object(
	'errors', (SELECT coalesce(json_agg(format('line %s of pg_hba.conf: %s', line_number, error)), '[]') FROM pg_hba_file_rules WHERE error IS NOT NULL),
	'rules', (SELECT coalesce(json_agg(json_build_object('line', line_number, 'type', type, 'databases', array_to_string(database, ','),
		'users', array_to_string(user_name, ','), 'address', coalesce(address, ''), 'mask', coalesce(netmask, ''), 'method', coalesce(auth_method, ''))
		ORDER BY line_number), '[]') FROM pg_hba_file_rules WHERE error IS NULL))`

// login is one way in that has to work.
type login struct {
	what string
	try  func(context.Context) error
}

// TryLogins tries every kind of login on a member: the toolkit's own on the socket and through the
// network, replication from the member itself and from the others, and from each balancer's host.
// Hosts that can't be reached are left out. The error names what failed and why.
func TryLogins(ctx context.Context, c *site.Site, m patroni.Member) error {
	h, err := c.MemberHost(m.Name)
	if err != nil {
		return err
	}
	logins := loginsOf(c, m.Target, h)
	var failed error
	err = poll.Until(ctx, poll.Options{What: "every login", Bound: tryWithin,
		Every: 500 * time.Millisecond},
		func(ctx context.Context) (string, error) {
			failed = parallel.Each(logins, func(_ int, l login) error {
				if err := l.try(ctx); err != nil {
					return fmt.Errorf("%s: %w", l.what, err)
				}
				return nil
			})
			return "", failed
		})
	if err != nil {
		return failed // what a login said counts, not how long it was tried
	}
	return nil
}

// loginsOf are the ways into the PostgreSQL of a host.
func loginsOf(c *site.Site, t *remote.Target, h spec.Host) []login {
	pg := c.Spec.PostgreSQL
	sql := func(what string, r site.Route) login {
		r.Port = pg.Port
		return login{what, func(ctx context.Context) error {
			return c.WithSQL(ctx, r, func(conn *pgx.Conn) error {
				_, err := conn.PgConn().Exec(ctx, "SHOW server_version").ReadAll()
				return err
			})
		}}
	}
	list := []login{
		{"log in on the socket", func(ctx context.Context) error { return tryRules(ctx, c, t) }},
		sql("log in as "+pg.Superuser+" through the network", site.Route{Host: h.Address, From: t}),
		sql("log in for replication on 127.0.0.1",
			site.Route{Host: "127.0.0.1", From: t, Replication: true}),
	}
	for _, other := range c.Spec.Hosts {
		from, err := c.Target(other.Name)
		if err != nil || other.Name == h.Name ||
			!other.Has(spec.RoleDatabase) && !other.Has(spec.RoleBalancer) {
			continue
		}
		route := site.Route{Host: h.Address, From: from,
			Replication: other.Has(spec.RoleDatabase)}
		what := "log in as " + pg.Superuser + " from balancer " + other.Name
		if route.Replication {
			what = "log in for replication from " + other.Name
		}
		list = append(list, sql(what, route))
	}
	return list
}

// tryRules logs in on the socket and judges the rules that PostgreSQL has: none that it refuses,
// and for each balancer one by which somebody can come.
func tryRules(ctx context.Context, c *site.Site, t *remote.Target) error {
	res, err := t.Run(ctx, remote.Cmd{User: "postgres", Argv: c.Psql("-c", rulesSQL)})
	if err != nil {
		return err
	}
	var found struct {
		Errors []string   `json:"errors"`
		Rules  []hba.Rule `json:"rules"`
	}
	if err := json.Unmarshal(res.Stdout, &found); err != nil {
		return fmt.Errorf("read the rules of pg_hba.conf: %w", err)
	}
	if len(found.Errors) > 0 {
		return errs.Reasons(found.Errors)
	}
	pg := c.Spec.PostgreSQL
	for _, b := range c.Spec.Balancers() {
		from, err := netip.ParseAddr(b.Address)
		if err != nil {
			continue
		}
		switch i, refused := hba.Refuser(found.Rules, from, pg.Superuser, pg.ReplicationUser,
			pg.RewindUser); {
		case refused && i >= 0:
			return fmt.Errorf("line %d of pg_hba.conf refuses everybody who comes through "+
				"balancer %s: %s",
				found.Rules[i].Line, b.Name, found.Rules[i])
		case refused:
			return errors.New("no line of pg_hba.conf lets anybody in through balancer " + b.Name)
		}
	}
	return nil
}
