// Package pgsession says how a session of the toolkit with PostgreSQL is set up, in one place. A
// session says all that it relies on when it begins, and takes nothing from the environment, from
// files in the home directory, or from what the server keeps for a role, a database or the whole
// cluster: what is sent with the first packet comes before all of these. So a statement_timeout of
// a millisecond for everybody ends no statement of the toolkit, and dates look as expected.
//
// What decides how durable or how visible a session's work is (synchronous_commit, logging) stays
// as the cluster has it, but for sessions that set passwords (Quiet).
package pgsession

import (
	"maps"
	"slices"
	"strings"
)

// Role is what a session logs in as, and so what it may say of itself.
type Role int

// The roles.
const (
	// Superuser may set everything.
	Superuser Role = iota
	// Ordinary is any other role: that of replicas, for example.
	Ordinary
)

// Settings are the parameters that a session begins with. version is PostgreSQL's, such as 18: a
// server refuses a session that names a parameter which it doesn't know yet. The map is the
// caller's own.
func Settings(version int, as Role, application string) map[string]string {
	set := map[string]string{
		"application_name": application,
		// What text looks like.
		"client_encoding": "UTF8", "DateStyle": "ISO,MDY", "IntervalStyle": "postgres",
		"TimeZone":           "UTC",
		"bytea_output":       "hex",
		"extra_float_digits": "1", "quote_all_identifiers": "off", "client_min_messages": "warning",
		// How text is read.
		"standard_conforming_strings": "on", "backslash_quote": "safe_encoding",
		"array_nulls": "on",
		// Whose rights, and whose tables.
		"role": "none", "search_path": "pg_catalog", "row_security": "on",
		"default_tablespace": "", "temp_tablespaces": "", "default_table_access_method": "heap",
		"local_preload_libraries":       "",
		"default_transaction_read_only": "off", "default_transaction_isolation": "read committed",
		"default_transaction_deferrable": "off",
		// The toolkit bounds what it does itself.
		"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0",
	}
	if version >= 14 {
		set["idle_session_timeout"] = "0"
	}
	if version >= 17 {
		set["transaction_timeout"] = "0"
	}
	if as == Superuser {
		set["session_replication_role"], set["session_preload_libraries"],
			set["lc_messages"] = "origin", "", "C"
		if version >= 17 {
			set["event_triggers"] = "off" // one at login can keep everybody out
		}
	}
	return set
}

// Options renders settings as the value of libpq's PGOPTIONS, in a stable order.
func Options(settings map[string]string) string {
	escape := strings.NewReplacer(`\`, `\\`, " ", `\ `, "\t", `\`+"\t")
	var words []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		words = append(words, "-c "+name+"="+escape.Replace(settings[name]))
	}
	return strings.Join(words, " ")
}
