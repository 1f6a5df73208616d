package pgha

import (
	"context"

	"github.com/pgha/toolkit/pgha/query"
	"github.com/pgha/toolkit/pgha/settings"
)

const (
	// QueryLeader is the member that holds the leader lock.
	QueryLeader = query.QueryLeader
	// QueryReplica is the streaming replica that is behind the least.
	QueryReplica = query.QueryReplica
	// QueryAny is the first member in the spec's order that answers. It does without Patroni.
	QueryAny = query.QueryAny
)

// QueryRole says which member a statement goes to.
type QueryRole = query.QueryRole

// QueryOptions say what is asked, and of which members.
type QueryOptions = query.QueryOptions

// Query runs one SQL statement as superuser on one member, over a connection from that member's own
// host with its certificate verified, so it works with balancers and virtual IP down.
func (c *Cluster) Query(ctx context.Context, opts QueryOptions) (QueryResult, error) {
	return query.Query(ctx, c.site, opts)
}

// QueryError is a statement that PostgreSQL refused. PostgreSQL's own hint, where it gives one, is
// around it.
type QueryError = query.QueryError

// QueryColumn is one column of an answer.
type QueryColumn = query.QueryColumn

// QueryResult is the answer to a statement. Its JSON form has the rows as objects, in the columns'
// order: numbers as JSON numbers with every digit, booleans and JSON as themselves, NULL as null,
// everything else as PostgreSQL writes it.
type QueryResult = query.QueryResult

// ParseSettings reads assignments as people type them: "ttl=20", "work_mem=8MB", "slots={a: {type:
// physical}}". Nothing after the = removes the setting, as null does; quotes make text of anything,
// also of nothing. The error matches patroni.ErrInvalid.
func ParseSettings(assignments []string) (map[string]any, error) {
	return settings.ParseSettings(assignments)
}

// SetConfigOptions say what changes in the dynamic configuration: Set or Document, not both.
type SetConfigOptions = settings.SetConfigOptions

// SetConfigResult is what SetConfig did.
type SetConfigResult = settings.SetConfigResult

// DynamicConfig returns the configuration in the DCS. Numbers are int64 or float64. Changes
// nothing. The error matches patroni.ErrUnavailable when no member answers.
func (c *Cluster) DynamicConfig(ctx context.Context) (map[string]any, error) {
	return settings.DynamicConfig(ctx, c.site)
}

// SetConfig changes settings of the whole cluster, waits until every member that answers has them
// in effect or waits for a restart because of them, and says which do.
func (c *Cluster) SetConfig(ctx context.Context, opts SetConfigOptions) (SetConfigResult, error) {
	return settings.SetConfig(ctx, c.site, opts)
}

// ConfigReport holds every place where a setting of the cluster can stand, side by side.
type ConfigReport = settings.ConfigReport

// ConfigRow is one setting. A nil value means that it does not stand there.
type ConfigRow = settings.ConfigRow

// MemberSetting is a setting on one member.
type MemberSetting = settings.MemberSetting

// Config compares, for every setting that stands anywhere, the specification, the dynamic
// configuration in the DCS, each member's config.yml and what PostgreSQL uses, in whatever units
// each is written. A member that does not answer is named in Errors; without a DCS that answers the
// error matches patroni.ErrUnavailable. Changes nothing.
func (c *Cluster) Config(ctx context.Context) (ConfigReport, error) {
	return settings.Config(ctx, c.site)
}
