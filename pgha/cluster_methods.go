package pgha

import (
	"context"
	"net"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
)

// Close ends all connections. Nothing that was started on the hosts stops by it.
func (c *Cluster) Close() error { return c.site.Close() }

// Specification returns Spec, for interfaces that a Cluster satisfies.
func (c *Cluster) Specification() *Spec { return c.Spec }

// Target returns the connection to a host, found by its own or its member's name.
func (c *Cluster) Target(name string) (*remote.Target, error) { return c.site.Target(name) }

// Targets returns every live connection in the spec's order.
func (c *Cluster) Targets() []*remote.Target { return c.site.Targets() }

// DialFromCluster opens a connection from one of the cluster's hosts: the first that manages. It is
// how the virtual IP is reached from a machine that is not in the cluster's network.
func (c *Cluster) DialFromCluster(ctx context.Context, network string,
	address string) (net.Conn, error) {
	return c.site.DialFromCluster(ctx, network, address)
}

// Reconnect reopens the connections that are dead: those of hosts that were rebooted, or lost their
// power or their network. Connections that work stay. The error names the hosts that cannot be
// reached. Changes nothing on them.
func (c *Cluster) Reconnect(ctx context.Context) error { return c.site.Reconnect(ctx) }

// ConnConfig says how to connect to PostgreSQL as the superuser, with the certificate verified:
// through the virtual IP, to the port that takes writes. It holds the password. Its connections go
// through SSH unless the caller sets a DialFunc; for another address set Host, Port and the
// TLSConfig's ServerName. Its sessions begin with settings of their own, whatever the environment,
// the role and the cluster say (RuntimeParams): no time limits, UTC, ISO dates, and a search_path
// of pg_catalog alone, so name the schemas of tables.
func (c *Cluster) ConnConfig() (*pgx.ConnConfig, error) { return c.site.ConnConfig() }

// UnfinishedReset says what an interrupted reset's mark on a host means, or "" where there is none.
func UnfinishedReset(mark string) string { return site.UnfinishedReset(mark) }

// JudgeState compares the state directory with what hosts remember of it, by the content of their
// notes (Facts.StateNote): nil, or an error that matches ErrRefused and says why nothing must be
// changed with this directory, and what to do. A host without a note is content with any. Changes
// nothing.
func (c *Cluster) JudgeState(notes map[string][]byte) error { return c.site.JudgeState(notes) }

// MemoryCommands print what a host remembers of the state directory it was worked on with, for
// JudgeState, and the mark of a reset that was not finished, for UnfinishedReset. Both change
// nothing and are for reading as root.
func MemoryCommands() (note []string, reset []string) { return site.MemoryCommands() }
