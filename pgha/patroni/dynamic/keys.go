package dynamic

import (
	"maps"
	"slices"
	"strings"
)

// rules are the keys that Patroni knows in the DCS.
func rules() map[string]rule {
	return map[string]rule{
		"ttl": whole(20), "loop_wait": whole(1), "retry_timeout": whole(3),
		"maximum_lag_on_failover": whole(0), "maximum_lag_on_syncnode": whole(-1),
		"max_timelines_history": whole(0),
		"primary_start_timeout": whole(0), "primary_stop_timeout": whole(0),
		"primary_race_backoff": whole(0),
		"master_start_timeout": whole(0), "master_stop_timeout": whole(0),
		"synchronous_node_count": whole(1), "synchronous_mode": synchronousWord,
		"synchronous_mode_strict": boolean,
		"failsafe_mode":           boolean, "check_timeline": boolean, "pause": boolean,
		"member_slots_ttl": duration,
		"postgresql":       mapping, "standby_cluster": mapping,
		"slots": mapping, "permanent_slots": mapping, "permanent_replication_slots": mapping,
		"ignore_slots": list,
	}
}

// Keys returns the keys that Patroni's documentation names, sorted: those that it knows but for
// former names.
func Keys() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(rules())),
		func(key string) bool { return strings.HasPrefix(key, "master_") })
}

// SectionKeys returns the keys of the section postgresql that its documentation names, sorted.
func SectionKeys() []string {
	return []string{
		"basebackup", "callbacks", "create_replica_methods", "parameters", "pg_ctl_timeout",
		"pg_hba",
		"pg_ident", "recovery_conf", "remove_data_directory_on_diverged_timelines",
		"remove_data_directory_on_rewind_failure", "use_pg_rewind", "use_slots",
	}
}

// localKeys of the section postgresql count only in a member's own config.yml.
var localKeys = []string{"authentication", "config_dir", "connect_address", "data_dir", "listen",
	"pgpass", "proxy_address"}

// parameterRules are the parameters that Patroni puts on PostgreSQL's command line, with its
// limits: outside of them it takes its default. For wal_level see CheckParameter.
func parameterRules() map[string]rule {
	return map[string]rule{
		"max_connections": whole(25), "max_wal_senders": whole(3),
		"max_prepared_transactions": whole(0),
		"max_locks_per_transaction": whole(32), "max_replication_slots": whole(4),
		"max_worker_processes": whole(2),
		"wal_keep_segments":    whole(1), "wal_level": scalar, "track_commit_timestamp": boolean,
		"wal_log_hints": boolean,
	}
}

// DCSOnly reports whether Patroni puts the parameter on PostgreSQL's command line, from the DCS
// alone: config.yml and ALTER SYSTEM cannot change it.
func DCSOnly(parameter string) bool {
	_, found := parameterRules()[parameter]
	return found
}
