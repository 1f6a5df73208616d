package certificates

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/status"
)

// Client is sessions of one role and program from one address to one member.
type Client struct {
	Member      string `json:"member"`
	Role        string `json:"role"`
	Database    string `json:"database"`
	Application string `json:"application,omitempty"`
	// Address is the one that PostgreSQL sees: of sessions through a balancer the balancer's, and
	// By is its name then.
	Address string `json:"address"`
	By      string `json:"by,omitempty"`
	// TLS is the version and Cipher its name; both "" for a session without.
	TLS    string `json:"tls,omitempty"`
	Cipher string `json:"cipher,omitempty"`
	// Sessions is how many there are, and Newest when the last of them was opened.
	Sessions int       `json:"sessions"`
	Newest   time.Time `json:"newest"`
	// Since: it was opened since the replacement of an authority began that is under way.
	Since bool `json:"since"`
}

// Clients is who is connected to PostgreSQL, and with which TLS.
type Clients struct {
	// Since is when the replacement began that is under way; nil where there is none.
	Since   *time.Time `json:"since,omitempty"`
	Clients []Client   `json:"clients"`
}

// clientsSQL sums the sessions up that came through the network.
const clientsSQL = `SELECT coalesce(a.usename::text, ''), coalesce(a.datname::text, ''),
	a.application_name, host(a.client_addr), coalesce(s.version, ''), coalesce(s.cipher, ''),
	count(*)::int, max(a.backend_start)
FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_stat_ssl s USING (pid)
WHERE a.client_addr IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
GROUP BY 1, 2, 3, 4, 5, 6`

// Clients asks all members who is connected, from where, and with which TLS (pg_stat_ssl). A server
// cannot see which authorities a client trusts; one that was opened since both are trusted, with
// the file of both, will not mind the switch. Members that do not answer are an error, beside the
// others' answer. Changes nothing.
func (c Certificates) Clients(ctx context.Context) (Clients, error) {
	found := Clients{Clients: []Client{}}
	if half, unknown := status.Change(ctx, c.site); unknown == nil && half != nil && Is(*half) {
		found.Since = &half.Since
	}
	balancers := map[string]string{}
	for _, h := range c.site.Spec.Balancers() {
		balancers[h.Address] = h.Name
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	var failed []error
	for _, h := range c.site.Spec.Databases() {
		all.Go(func() {
			list, err := c.clientsOf(ctx, h.Member)
			mu.Lock()
			defer mu.Unlock()
			found.Clients = append(found.Clients, list...)
			if err != nil {
				failed = append(failed, remote.OnHost(h.Name, err))
			}
		})
	}
	all.Wait()
	for i, one := range found.Clients {
		found.Clients[i].By = balancers[one.Address]
		found.Clients[i].Since = found.Since != nil && one.Newest.After(*found.Since)
	}
	slices.SortFunc(found.Clients, func(a, b Client) int {
		return strings.Compare(a.Member+"\x00"+a.Role+"\x00"+a.Address+"\x00"+a.Application,
			b.Member+"\x00"+b.Role+"\x00"+b.Address+"\x00"+b.Application)
	})
	return found, errs.Join(failed...)
}

func (c Certificates) clientsOf(ctx context.Context, member string) ([]Client, error) {
	route, err := c.site.MemberRoute(member)
	if err != nil {
		return nil, err
	}
	var list []Client
	err = c.site.WithSQL(ctx, route, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, clientsSQL)
		if err != nil {
			return err
		}
		one := Client{Member: member}
		_, err = pgx.ForEachRow(rows, []any{&one.Role, &one.Database, &one.Application, &one.Address,
			&one.TLS, &one.Cipher, &one.Sessions, &one.Newest}, func() error {
			list = append(list, one)
			return nil
		})
		return err
	})
	return list, err
}
