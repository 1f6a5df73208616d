package query

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// QueryRole says which member a statement goes to.
type QueryRole string

// The roles. The zero value is QueryLeader.
const (
	// QueryLeader is the member that holds the leader lock.
	QueryLeader QueryRole = "leader"
	// QueryReplica is the streaming replica that is behind the least.
	QueryReplica QueryRole = "replica"
	// QueryAny is the first member in the spec's order that answers. It does without Patroni.
	QueryAny QueryRole = "any"
)

// defaultMaxRows is how many rows a query returns unless it is asked for more: more than anybody
// reads, and less than fills a machine's memory by mistake.
const defaultMaxRows = 10000

// cancelWait is how long a cancelled statement may take to end before its connection is cut.
const cancelWait = 3 * time.Second

// copies finds COPY FROM STDIN and COPY TO STDOUT, which need a stream of their own, also behind
// comments.
var copies = regexp.MustCompile(
	`(?is)^(?:\s|--[^\n]*\n|/\*.*?\*/)*copy\b.*\b(from\s+stdin|to\s+stdout)\b`)

// QueryOptions say what is asked, and of which members.
type QueryOptions struct {
	// SQL is one statement. Several in one text are refused, by PostgreSQL itself.
	SQL string
	// Member is the member, or its host, to ask; it needs no Patroni. "" leaves the choice to Role.
	Member string
	// Role chooses the member when Member is "". "" means QueryLeader.
	Role QueryRole
	// Database to ask. "" means postgres.
	Database string
	// Write runs the statement on its own and lets it change what it likes. Without it the
	// statement runs in a READ ONLY transaction that is rolled back: a guard against slips, not
	// against intent, because functions such as pg_terminate_backend act there, too.
	Write bool
	// MaxRows bounds what is kept of the answer. 0 means 10000, a negative number no bound.
	MaxRows int
}

// Query runs one SQL statement as superuser on one member, over a connection from that member's own
// host with its certificate verified, so it works with balancers and virtual IP down.
//
// When ctx ends the statement is cancelled on the server. What PostgreSQL refuses is a *QueryError;
// more than one statement and unknown names match patroni.ErrInvalid; without a leader, or a
// replica, where one is asked for the error matches patroni.ErrNoLeader or patroni.ErrNoCandidate.
// Changes nothing unless Write is set.
func Query(ctx context.Context, c *site.Site, opts QueryOptions) (QueryResult, error) {
	if strings.TrimSpace(opts.SQL) == "" {
		return QueryResult{}, fmt.Errorf("query: %w: there is no statement", patroni.ErrInvalid)
	}
	if copies.MatchString(opts.SQL) {
		return QueryResult{},
			remote.WithHint(fmt.Errorf("query: %w: COPY would need a stream of its own",
				patroni.ErrInvalid),
				"psql does it: \\copy")
	}
	if opts.Write {
		if err := c.Writable(); err != nil {
			return QueryResult{}, fmt.Errorf("query: %w", err)
		}
	}
	if opts.MaxRows == 0 {
		opts.MaxRows = defaultMaxRows
	}
	candidates, err := queryMembers(ctx, c, opts)
	if err != nil {
		return QueryResult{}, fmt.Errorf("query: %w", err)
	}
	var failed []error
	for _, member := range candidates {
		conn, err := connectMember(ctx, c, member, opts.Database)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", member, err))
			continue
		}
		defer conn.Close(
			context.WithoutCancel(ctx)) //nolint:errcheck // ends the transaction, which is to be rolled back
		return runStatement(ctx, conn, member, opts)
	}
	return QueryResult{}, fmt.Errorf("query: %w", errs.Join(failed...))
}

// queryMembers returns the members to try, best first.
func queryMembers(ctx context.Context, c *site.Site, opts QueryOptions) ([]string, error) {
	if opts.Member != "" {
		member, err := c.Member(opts.Member)
		return []string{member}, err
	}
	var all []string
	for _, h := range c.Spec.Databases() {
		all = append(all, h.Member)
	}
	switch opts.Role {
	case QueryAny:
		return all, nil
	case QueryLeader, QueryReplica, "":
	default:
		return nil, fmt.Errorf("%w: role %q: it is leader, replica or any", patroni.ErrInvalid,
			opts.Role)
	}
	po, err := c.PatroniOptions()
	if err != nil {
		return nil, err
	}
	state, err := patroni.NewClient(po).Cluster(ctx)
	if err != nil {
		return nil, remote.WithHint(err, "without Patroni, name the member to ask")
	}
	leader, ok := state.Leader()
	if opts.Role != QueryReplica {
		if !ok {
			return nil, remote.WithHint(patroni.ErrNoLeader,
				"name a member to ask one all the same")
		}
		return []string{leader.Name}, nil
	}
	best, found := patroni.MemberState{}, false
	for _, m := range state.Members {
		if m.Role.Leads() || !state.Healthy(m.Name) || m.LagBytes == nil {
			continue
		}
		if !found || *m.LagBytes < *best.LagBytes {
			best, found = m, true
		}
	}
	if !found {
		return nil, fmt.Errorf("%w: no replica streams from the leader", patroni.ErrNoCandidate)
	}
	return []string{best.Name}, nil
}

func connectMember(ctx context.Context, c *site.Site, member, database string) (*pgx.Conn, error) {
	route, err := c.MemberRoute(member)
	if err != nil {
		return nil, err
	}
	cfg, err := c.SqlConfig(route)
	if err != nil {
		return nil, err
	}
	if database != "" {
		cfg.Database = database
	}
	// names in the operator's statement mean what they mean in that database
	delete(cfg.RuntimeParams, "search_path")
	return pgx.ConnectConfig(ctx, cfg)
}

// runStatement runs the statement on an open connection.
func runStatement(ctx context.Context, conn *pgx.Conn, member string,
	opts QueryOptions) (QueryResult, error) {
	result := QueryResult{Member: member, Role: QueryLeader, ReadOnly: !opts.Write}
	if conn.PgConn().ParameterStatus("in_hot_standby") == "on" {
		result.Role = QueryReplica
	}
	start := time.Now()
	err := cancelling(ctx, conn.PgConn(), func(ctx context.Context) error {
		if !opts.Write {
			if _, err := conn.Exec(ctx, "BEGIN READ ONLY"); err != nil {
				return err
			}
		}
		return result.read(conn.TypeMap(), conn.PgConn().ExecParams(ctx, opts.SQL, nil, nil, nil,
			nil), opts.MaxRows)
	})
	result.Duration = time.Since(start)
	switch {
	case err == nil: // it was done, whatever has ended since
		return result, nil
	case ctx.Err() != nil:
		return result, fmt.Errorf("query %s: cancelled: %w", member, ctx.Err())
	}
	return result, queryError(member, opts.SQL, err)
}

// cancelling runs f with a context that outlives ctx: when ctx ends the server is asked to cancel
// the statement, and only if that does not end it is the connection cut.
func cancelling(ctx context.Context, conn *pgconn.PgConn, f func(context.Context) error) error {
	inner, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	stop := context.AfterFunc(ctx, func() {
		bounded, done := context.WithTimeout(inner, cancelWait)
		defer done()
		_ = conn.CancelRequest(bounded) // the cut below is for when it fails
		<-bounded.Done()
		cut()
	})
	defer stop()
	return f(inner)
}

// QueryError is a statement that PostgreSQL refused. PostgreSQL's own hint, where it gives one, is
// around it.
type QueryError struct {
	Member, SQL string
	// Code is the SQLSTATE, five characters.
	Code, Severity, Message, Detail string
	// Position is the character of SQL, counted from 1, that the error is about; 0 when PostgreSQL
	// names none.
	Position int

	err *pgconn.PgError
}

// queryError makes PostgreSQL's errors QueryErrors and leaves others alone.
func queryError(member, sql string, err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return fmt.Errorf("query %s: %w", member, err)
	}
	// The only thing that this function of the server complains of itself; the code alone means any
	// syntax error.
	if pg.Code == "42601" && pg.Routine == "exec_parse_message" {
		return errs.WithNext(fmt.Errorf("query: %w: more than one statement", patroni.ErrInvalid),
			errs.Text("send one at a time; %s runs a script", errs.Verb("psql", "-f", "FILE")))
	}
	err = &QueryError{Member: member, SQL: sql, Code: pg.Code, Severity: pg.Severity,
		Message: pg.Message,
		Detail:  pg.Detail, Position: int(pg.Position), err: pg}
	if pg.Hint != "" {
		return remote.WithHint(err, pg.Hint)
	}
	return err
}

// Error says it in one line, as psql's first one.
func (e *QueryError) Error() string {
	return fmt.Sprintf("%s: %s: %s (SQLSTATE %s)", e.Member, e.Severity, e.Message, e.Code)
}

// Unwrap returns the *pgconn.PgError.
func (e *QueryError) Unwrap() error { return e.err }

// Excerpt returns the line of the statement that the error is about and the column in it, counted
// from 1; "" when PostgreSQL names no position.
func (e *QueryError) Excerpt() (line string, number, column int) {
	runes := []rune(e.SQL)
	if e.Position < 1 || e.Position > len(runes)+1 {
		return "", 0, 0
	}
	before := string(runes[:e.Position-1])
	number = strings.Count(before, "\n") + 1
	begin := strings.LastIndexByte(before, '\n') + 1
	column = len([]rune(before[begin:])) + 1
	line, _, _ = strings.Cut(e.SQL[begin:], "\n")
	return line, number, column
}
