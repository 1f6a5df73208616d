package pgha

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/remote"
)

// Leaders is who leads at one moment.
type Leaders struct {
	// At is when it was heard, by the clock of this machine.
	At time.Time
	// Member holds Patroni's leader key in etcd; "" while nobody does.
	Member string
	// Etcd is the member that leads etcd; "" while none does, or none answers.
	Etcd string
}

// WatchLeaders calls changed with every change of Patroni's leader key and of etcd's leader, first with what is found. It
// returns when ctx ends, with ctx's error. The key is watched on every member at the same time, so that a change is heard at
// once and the loss of a host loses nothing; etcd's leader is asked for four times a second. changed is called by one
// goroutine at a time and must not block. Changes nothing.
func (c *Cluster) WatchLeaders(ctx context.Context, changed func(Leaders)) error {
	o, err := c.etcdOptions()
	if err != nil {
		return err
	}
	key := strings.TrimRight(c.Spec.Patroni.Namespace, "/") + "/" + c.Spec.Cluster + "/leader"
	return etcd.Observe(ctx, o, key, func(s etcd.Observation) {
		changed(Leaders{At: s.At, Member: s.Value, Etcd: s.Leader})
	})
}

// MoveEtcdLeader hands etcd's leadership to the member of that name, or of that host, and returns once it leads.
// Applications notice nothing. See etcd.MoveLeader for its errors.
func (c *Cluster) MoveEtcdLeader(ctx context.Context, member string) error {
	name, err := c.member(member)
	if err != nil {
		return err
	}
	o, err := c.etcdOptions()
	if err != nil {
		return err
	}
	return etcd.MoveLeader(ctx, o, name)
}

// reconnectTimeout bounds the look at one connection, and one attempt to make it anew.
const reconnectTimeout = 3 * time.Second

// Reconnect makes the connections anew that lead nowhere any more: those of hosts that were rebooted, or lost their power or
// their network. Connections that work stay. The error names the hosts that cannot be reached. Changes nothing on them.
func (c *Cluster) Reconnect(ctx context.Context) error {
	return remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
		look, cancel := context.WithTimeout(ctx, reconnectTimeout)
		defer cancel()
		_, err := t.Run(look, remote.Cmd{Argv: []string{"true"}})
		if err == nil {
			return nil
		}
		if errors.As(err, new(*remote.ExitError)) {
			return err
		}
		dial, cancel := context.WithTimeout(ctx, reconnectTimeout)
		defer cancel()
		if err := redial(dial, t); err != nil {
			return fmt.Errorf("connect again: %w", err)
		}
		return nil
	})
}

// ConnConfig says how to connect to PostgreSQL as the superuser, with the certificate verified: through the virtual IP, to
// the port that takes writes. It holds the password. Its connections go through SSH unless the caller sets a DialFunc; for
// another address set Host, Port and the TLSConfig's ServerName. Its sessions begin with settings of their own, whatever the
// environment, the role and the cluster say (RuntimeParams): no time limits, UTC, ISO dates, and a search_path of pg_catalog
// alone, so name the schemas of tables.
func (c *Cluster) ConnConfig() (*pgx.ConnConfig, error) { return c.sqlConfig(c.writeRoute()) }
