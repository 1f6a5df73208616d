// Package pgroles knows what Patroni's roles must be allowed to do in PostgreSQL.
package pgroles

import (
	"fmt"
	"strings"

	"github.com/pgha/toolkit/internal/pgsession"
)

// functions are what pg_rewind calls on the server that it copies from: PostgreSQL's documentation
// of pg_rewind lists them, from version 11 to 18 the same. Rights to functions are a database's
// own; Patroni lets pg_rewind log in to database postgres.
var functions = []string{
	"pg_ls_dir(text,boolean,boolean)", "pg_stat_file(text,boolean)", "pg_read_binary_file(text)",
	"pg_read_binary_file(text,bigint,bigint,boolean)",
}

// LackingSQL is a query, to be asked in database postgres, for what the roles of replication and of
// pg_rewind lack: a text a row, none where all is well. A role that does not exist lacks nothing.
func LackingSQL(replication, rewind string) string {
	both := pgsession.Literal(replication) + ", " + pgsession.Literal(rewind)
	return `SELECT format('role %s may not log in', rolname) FROM pg_catalog.pg_roles` +
		` WHERE rolname IN (` + both + `) AND NOT rolcanlogin` +
		` UNION ALL SELECT format('role %s has not the attribute REPLICATION', rolname)` +
		` FROM pg_catalog.pg_roles` +
		` WHERE rolname = ` + pgsession.Literal(replication) + ` AND NOT (rolreplication OR rolsuper)` +
		` UNION ALL SELECT format('role %s may not execute %s', rolname, f)` +
		` FROM pg_catalog.pg_roles, unnest(ARRAY['` + strings.Join(functions, "', '") + `']) AS f` +
		` WHERE rolname = ` + pgsession.Literal(rewind) +
		` AND NOT has_function_privilege(oid, 'pg_catalog.' || f, 'EXECUTE')`
}

// GrantSQL is a script, for database postgres of the primary, that gives both roles what they need.
// It can be run again.
func GrantSQL(replication, rewind string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ALTER ROLE %s WITH REPLICATION LOGIN;\n", pgsession.Identifier(replication))
	fmt.Fprintf(&b, "ALTER ROLE %s WITH LOGIN;\n", pgsession.Identifier(rewind))
	for _, f := range functions {
		fmt.Fprintf(&b, "GRANT EXECUTE ON FUNCTION pg_catalog.%s TO %s;\n", f, pgsession.Identifier(rewind))
	}
	return b.String()
}
