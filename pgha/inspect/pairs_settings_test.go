package inspect

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// refusedSettingPairs are values that PostgreSQL refuses: a reload would keep the old ones, and the
// next start would fail.
func refusedSettingPairs() []specPair {
	return []specPair{
		{
			name:    "a unit in small letters",
			after:   "postgresql: {parameters: {maintenance_work_mem: 64mb}}",
			refused: "the units are B, kB, MB, GB, TB", way: "write 64MB",
		},
		{
			name:    "a unit that PostgreSQL has not",
			after:   "postgresql: {parameters: {max_standby_streaming_delay: 30sec}}",
			refused: "the units are us, ms, s, min, h, d",
			way:     "give a value that PostgreSQL takes",
		},
		{
			name:    "a unit where there is none",
			after:   "postgresql: {parameters: {max_files_per_process: 1kB}}",
			refused: "has a unit, and this setting takes none", way: "give a value",
		},
		{
			name: "a cost below zero", after: "postgresql: {parameters: {random_page_cost: -1}}",
			refused: "is outside 0 to", way: "give a value",
		},
		{
			name: "more than the most", after: "postgresql: {parameters: " +
				"{effective_io_concurrency: 5000}}",
			refused: "5000 is outside 0 to 1000", way: "give a value",
		},
		{
			name:    "a level of another program",
			after:   "postgresql: {parameters: {log_min_messages: verbose}}",
			refused: `"verbose" is none of its values`, way: "give one of debug5",
		},
		{
			name: "a letter left out", after: "postgresql: {parameters: {autovacum_naptime: 1min}}",
			refused: "PostgreSQL has no such setting", way: "did you mean autovacuum_naptime?",
		},
		{
			name: "a setting of a later version", before: "postgresql: {version: 15}",
			after:   "postgresql: {parameters: {transaction_timeout: 5min}}",
			refused: "PostgreSQL has no such setting", way: "SELECT name FROM pg_settings",
		},
		{
			name:    "a setting that went with an older version",
			after:   "postgresql: {parameters: {vacuum_defer_cleanup_age: 10}}",
			refused: "PostgreSQL has no such setting", way: "SELECT name FROM pg_settings",
		},
		{
			name: "a constant of the build", after: "postgresql: {parameters: {wal_block_size: " +
				"16384}}",
			refused: "PostgreSQL decides it itself", way: "leave it out",
		},
		{
			name: "a setting of sessions", after: "postgresql: {parameters: " +
				"{transaction_deferrable: on}}",
			refused: "takes it in a session only", way: "delete it",
		},
		{
			name:    "a target that replicas would stop at",
			after:   "postgresql: {parameters: {recovery_target_time: '2026-11-28 10:00'}}",
			refused: "it would stop replication", way: "delete it",
		},
		{
			name: "torn pages", after: "postgresql: {parameters: {full_page_writes: 'f'}}",
			refused: "off loses the database", way: "leave it on",
		},
		{
			name:    "a socket that its owner cannot write to",
			after:   "postgresql: {parameters: {unix_socket_permissions: '0577'}}",
			refused: "Patroni logs in through the socket", way: "write 0700",
		},
		{
			name:    "a tab in a prefix",
			after:   `postgresql: {parameters: {log_line_prefix: "%m\t%p"}}`,
			refused: "has a control character in it (U+0009)", way: "leave the character out",
		},
		{
			name:  "a line separator in an application's name",
			after: `postgresql: {parameters: {application_name: "a\u2028b"}}`, refused: "(U+2028)",
			way: "write it in one line",
		},
		{
			name:    "one setting under two spellings",
			after:   "postgresql: {parameters: {work_mem: 8MB, Work_Mem: 16MB}}",
			refused: "is the same parameter as", way: "delete one of the two",
		},
		{
			name: "fewer senders than members", before: quiet5,
			after:   "postgresql: {parameters: {max_wal_senders: 4}}",
			refused: "5 database hosts need as many", way: "write 5 or more",
		},
		{
			name:    "a way to log in with two letters exchanged",
			after:   "postgresql: {pg_hba: [hostssl all all 10.0.0.0/8 scram-sha-265]}",
			refused: "is not a way to log in", way: "did you mean scram-sha-256?",
		},
		{
			name:    "a mask with gaps",
			after:   "postgresql: {pg_hba: [hostssl all all 10.0.0.0 255.0.255.0 scram-sha-256]}",
			refused: "its bits have gaps", way: "10.0.0.0/8",
		},
		{
			name:    "a prefix longer than an address",
			after:   "postgresql: {pg_hba: ['hostssl all all fd00::/129 scram-sha-256']}",
			refused: "a prefix of IPv6 has 0 to 128 bits", way: "write fd00::/128",
		},
		{
			name:    "a mask of the other family",
			after:   "postgresql: {pg_hba: ['hostssl all all 10.0.0.0 ffff:: scram-sha-256']}",
			refused: "is not of the family of 10.0.0.0", way: "write 10.0.0.0/32",
		},
		{
			name: "a rule without its end", after: "postgresql: {pg_hba: [hostssl shop shop " +
				"10.0.0.0/8]}",
			refused: "has too few words for a rule", way: "write: hostssl",
		},
	}
}

// surroundingPairs are settings for the whole cluster that change what a session sees or may do.
// They are the operator's to choose, and no session of the toolkit's goes by them.
func surroundingPairs() []specPair {
	var rows []specPair
	for name, value := range map[string]string{
		"lock_timeout": "1ms", "idle_in_transaction_session_timeout": "10ms",
		"idle_session_timeout": "100ms", "row_security": "off",
		"backslash_quote": "on", "standard_conforming_strings": "off", "extra_float_digits": "-15",
		"quote_all_identifiers": "on",
		"IntervalStyle":         "sql_standard", "client_min_messages": "error",
		"default_transaction_deferrable": "on", "array_nulls": "off",
		"default_table_access_method": "columnar", "session_replication_role": "replica",
		"event_triggers": "on", "client_encoding": "latin1",
	} {
		rows = append(rows, specPair{
			name:  "every session gets " + name + " " + value,
			after: "postgresql: {parameters: {" + name + ": '" + value + "'}}",
			does:  "postgresql.parameters: reload", holds: sessionsSay(name),
		})
	}
	return rows
}

// sessionsSay wants the toolkit's sessions to set something themselves.
func sessionsSay(name string) func(*testing.T, *site.Site) {
	return func(t *testing.T, c *site.Site) {
		for own := range pgsession.Settings(c.Spec.PostgreSQL.Version, pgsession.Superuser, "x") {
			if strings.EqualFold(own, name) {
				return
			}
		}
		t.Errorf("a session of the toolkit goes by the cluster's %s", name)
	}
}
