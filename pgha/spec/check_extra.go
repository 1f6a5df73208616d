package spec

import (
	"maps"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/suggest"
)

// inDCS are keys that Patroni reads from the DCS alone: in a config.yml they have no effect.
var inDCS = []string{
	"check_timeline", "failsafe_mode", "ignore_slots", "loop_wait", "max_timelines_history",
	"maximum_lag_on_failover", "maximum_lag_on_syncnode", "member_slots_ttl", "pause",
	"permanent_replication_slots", "permanent_slots", "primary_race_backoff", "primary_start_timeout",
	"primary_stop_timeout", "retry_timeout", "slots", "standby_cluster", "synchronous_mode",
	"synchronous_mode_strict", "synchronous_node_count", "ttl",
}

// ofConfig are the keys of a config.yml, and those of its section postgresql.
var (
	ofConfig = []string{
		"bootstrap", "ctl", "log", "postgresql", "restapi", "watchdog",
		"remove_data_directory_on_diverged_timelines", "remove_data_directory_on_rewind_failure",
	}
	ofPostgres = []string{
		"basebackup", "before_stop", "callbacks", "create_replica_methods", "custom_conf", "parameters",
		"pg_ctl_timeout", "pg_ident", "pre_promote", "proxy_address", "recovery_conf",
		"remove_data_directory_on_diverged_timelines", "remove_data_directory_on_rewind_failure",
		"use_unix_socket_repl",
	}
)

// commandLine are the parameters that Patroni gives PostgreSQL on its command line, from the DCS
// alone.
var commandLine = []string{
	"max_connections", "max_locks_per_transaction", "max_prepared_transactions",
	"max_replication_slots", "max_wal_senders", "max_worker_processes", "track_commit_timestamp",
	"wal_keep_segments", "wal_level", "wal_log_hints",
}

// instead names the field that sets what a key of extra would, where there is one.
var instead = map[string]string{
	"scope": "cluster", "name": "the member of each host", "namespace": "patroni.namespace",
	"ttl": "patroni.ttl", "loop_wait": "patroni.loop_wait", "retry_timeout": "patroni.retry_timeout",
	"maximum_lag_on_failover": "patroni.maximum_lag_on_failover",
	"primary_start_timeout":   "patroni.primary_start_timeout",
	"failsafe_mode":           "patroni.failsafe_mode", "synchronous_mode": "patroni.synchronous_mode",
	"synchronous_mode_strict": "patroni.synchronous_mode: strict", "pause": "pgha-cli pause",
}

// extra refuses what would stand in config.yml without effect.
func (c *checker) extra() {
	const field = "patroni.extra"
	c.ownedExtra("", c.Patroni.Extra)
	for _, key := range slices.Sorted(maps.Keys(c.Patroni.Extra)) {
		use, hasField := instead[key]
		switch {
		case slices.Contains([]string{"scope", "name", "namespace"}, key):
			c.bad(join(field, key), "has a field of its own", "use "+use)
		case slices.Contains(inDCS, key) && hasField:
			c.bad(join(field, key), "has no effect in Patroni's file: it counts in the DCS alone",
				"use "+use)
		case slices.Contains(inDCS, key):
			c.bad(join(field, key), "has no effect in Patroni's file: it counts in the DCS alone",
				"delete it, and use pgha-cli config set '"+key+"=...'")
		case owned[key] == "" && !slices.Contains(ofConfig, key):
			c.unknownExtra(join(field, key), key, slices.Concat(ofConfig, inDCS))
		}
	}
	c.extraPostgreSQL(join(field, "postgresql"))
	if bootstrap, ok := c.Patroni.Extra["bootstrap"].(map[string]any); ok {
		for _, key := range []string{"dcs", "initdb", "pg_hba", "users"} {
			if _, there := bootstrap[key]; there {
				c.bad(field+".bootstrap."+key, "is read once, when the cluster is made, and has no effect later", bootstrapInstead[key])
			}
		}
	}
}

var bootstrapInstead = map[string]string{
	"dcs":    "use the fields of patroni and postgresql, or pgha-cli config set",
	"initdb": "use postgresql.encoding, locale and data_checksums",
	"pg_hba": "use postgresql.pg_hba", "users": "create roles with SQL once the cluster is there",
}

func (c *checker) extraPostgreSQL(field string) {
	section, _ := c.Patroni.Extra["postgresql"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(section)) {
		switch {
		case key == "use_slots":
			c.bad(join(field, key), "has no effect in Patroni's file: it counts in the DCS alone",
				"use patroni.use_slots")
		case owned["postgresql."+key] == "" && !slices.Contains(ofPostgres, key):
			c.unknownExtra(join(field, key), key, ofPostgres)
		}
	}
	parameters, _ := section["parameters"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		at := join(join(field, "parameters"), name)
		if slices.Contains(commandLine, strings.ToLower(name)) {
			c.bad(at, "has no effect in Patroni's file: it counts in the DCS alone",
				"use postgresql.parameters")
			continue
		}
		c.namedParameter(at, name, parameters[name])
	}
}

// unknownExtra refuses a key that looks misspelt, and lets pass what a newer Patroni may know.
func (c *checker) unknownExtra(field, key string, known []string) {
	if near := suggest.Nearest(key, known); near != "" {
		c.bad(field, "Patroni knows no such key", "did you mean "+near+"?")
	}
}
