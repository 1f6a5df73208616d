package spec

import (
	"maps"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/suggest"
	"github.com/pgha/toolkit/pgha/errs"
)

// inDCS are keys that Patroni reads from the DCS alone: in a config.yml they have no effect.
var inDCS = []string{
	"check_timeline", "failsafe_mode", "ignore_slots", "loop_wait", "max_timelines_history",
	"maximum_lag_on_failover", "maximum_lag_on_syncnode", "member_slots_ttl", "pause",
	"permanent_replication_slots", "permanent_slots", "primary_race_backoff",
	"primary_start_timeout",
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
		"basebackup", "before_stop", "callbacks", "create_replica_methods", "custom_conf",
		"parameters",
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
	"ttl": "patroni.ttl", "loop_wait": "patroni.loop_wait",
	"retry_timeout":           "patroni.retry_timeout",
	"maximum_lag_on_failover": "patroni.maximum_lag_on_failover",
	"primary_start_timeout":   "patroni.primary_start_timeout",
	"failsafe_mode":           "patroni.failsafe_mode",
	"synchronous_mode":        "patroni.synchronous_mode",
	"synchronous_mode_strict": "patroni.synchronous_mode: strict",
	"slots":                   slotsField, "permanent_slots": slotsField,
	"permanent_replication_slots": slotsField,
}

// noEffect is what is wrong with a dynamic setting in extra.
const noEffect = "has no effect in Patroni's file: it counts in the DCS alone"

// extraChecker checks patroni.extra.
type extraChecker struct{ *checker }

// all refuses what would stand in config.yml without effect.
func (c extraChecker) all() {
	const field = "patroni.extra"
	c.ownedExtra("", c.Patroni.Extra)
	for _, key := range slices.Sorted(maps.Keys(c.Patroni.Extra)) {
		use, hasField := instead[key]
		switch {
		case slices.Contains([]string{"scope", "name", "namespace"}, key):
			c.bad(join(field, key), "has a field of its own", "use "+use)
		case slices.Contains(inDCS, key) && hasField:
			c.bad(join(field, key), noEffect, "use "+use)
		case key == "pause":
			c.wrong(join(field, key), noEffect, errs.Text("use %s", errs.Verb("pause")))
		case slices.Contains(inDCS, key):
			c.wrong(join(field, key), noEffect,
				errs.Text("delete it, and use %s", errs.Verb("config", "set", "'"+key+"=...'")))
		case owned[key] == "" && !slices.Contains(ofConfig, key):
			c.unknownExtra(join(field, key), key, slices.Concat(ofConfig, inDCS))
		}
	}
	c.extraPostgreSQL(join(field, "postgresql"))
	if bootstrap, ok := c.Patroni.Extra["bootstrap"].(map[string]any); ok {
		for _, key := range []string{"dcs", "initdb", "pg_hba", "users"} {
			if _, there := bootstrap[key]; there {
				c.wrong(field+".bootstrap."+key,
					"is read once, when the cluster is made, and has no effect later",
					bootstrapInstead(key))
			}
		}
	}
}

// bootstrapInstead says what to use in place of a section of bootstrap.
func bootstrapInstead(key string) errs.Next {
	switch key {
	case "dcs":
		return errs.Text("use the fields of patroni and postgresql, or %s",
			errs.Verb("config", "set"))
	case "initdb":
		return remedy("use postgresql.encoding, locale and data_checksums")
	case "pg_hba":
		return remedy("use postgresql.pg_hba")
	}
	return remedy("create roles with SQL once the cluster is there")
}

func (c extraChecker) extraPostgreSQL(field string) {
	section, _ := c.Patroni.Extra["postgresql"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(section)) {
		switch {
		case key == "use_slots":
			c.bad(join(field, key), noEffect, "use patroni.use_slots")
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
		parameterChecker(c).named(at, name, parameters[name])
	}
}

// unknownExtra refuses a key that looks misspelt, and lets pass what a newer Patroni may know.
func (c extraChecker) unknownExtra(field, key string, known []string) {
	if near := suggest.Nearest(key, known); near != "" {
		c.bad(field, "Patroni knows no such key", "did you mean "+near+"?")
	}
}

// owned are the keys of a config.yml that the cluster relies on and that have a writer already, by
// their paths, each with what to do instead. In extra one of them would win: with another data_dir
// a member is made again elsewhere at its next start, with another listen the balancers take it for
// dead, with a list of rules of its own nobody logs in any more, the toolkit included.
var owned = map[string]string{
	"bootstrap.post_bootstrap": "delete it: that command makes the roles; run your own SQL once " +
		"the cluster is there",
	"bootstrap.post_init": "delete it: that command makes the roles; run your own SQL once the " +
		"cluster is there",
	"citus":        "delete it: the toolkit knows one group of members only",
	"consul":       "delete it: the cluster's store is the etcd of its hosts",
	"ctl.cacert":   "delete it: the toolkit issues the certificates",
	"ctl.certfile": "delete it: the toolkit issues the certificates",
	"ctl.keyfile":  "delete it: the toolkit issues the certificates",
	"etcd":         "delete it: the cluster's store is the etcd of its hosts",
	"etcd3":        "delete it: the cluster's store is the etcd of its hosts",
	"exhibitor":    "delete it: the cluster's store is the etcd of its hosts",
	"kubernetes":   "delete it: the cluster's store is the etcd of its hosts",
	"raft":         "delete it: the cluster's store is the etcd of its hosts",
	"zookeeper":    "delete it: the cluster's store is the etcd of its hosts",

	"postgresql.authentication": "use postgresql.superuser, replication_user and rewind_user",
	"postgresql.bin_dir":        "use postgresql.version",
	"postgresql.bin_name":       "delete it: the packages decide the programs' names",
	"postgresql.callbacks.on_start": "delete it: the toolkit's own command runs there; on_stop, " +
		"on_restart and on_reload are free",
	"postgresql.callbacks.on_role_change": "delete it: the toolkit's own command runs there; " +
		"on_stop, on_restart and on_reload are free",
	"postgresql.config_dir":      "delete it: the configuration lies in postgresql.data_dir",
	"postgresql.connect_address": "use the host's address and postgresql.port",
	"postgresql.data_dir":        "use postgresql.data_dir",
	"postgresql.listen": "use postgresql.port, and client_networks to limit who may " +
		"connect",
	"postgresql.pg_hba": "use postgresql.pg_hba: these would stand in place of all " +
		"rules, the replicas' own too",
	"postgresql.pgpass":        "delete it: the toolkit writes the file that replicas log in with",
	"postgresql.use_pg_rewind": "use patroni.use_pg_rewind",
	"postgresql.use_unix_socket": "delete it: Patroni has no password, and logs in through the " +
		"socket",

	"restapi.allowlist": "delete it: only who has a client certificate may " +
		"change anything already",
	"restapi.allowlist_include_members": "delete it: only who has a client certificate may " +
		"change anything already",
	"restapi.authentication":   "delete it: who has a client certificate needs no password",
	"restapi.cafile":           "delete it: the toolkit issues the certificates",
	"restapi.certfile":         "delete it: the toolkit issues the certificates",
	"restapi.connect_address":  "use the host's address and patroni.rest_port",
	"restapi.keyfile":          "delete it: the toolkit issues the certificates",
	"restapi.keyfile_password": "delete it: the toolkit issues the certificates",
	"restapi.listen":           "use patroni.rest_port",
	"restapi.verify_client":    "delete it: health checks come without a certificate, changes never",

	"tags":          "use hosts[].tags",
	"watchdog.mode": "use patroni.watchdog",
}

// sections are the keys whose value is a section: a list or a single value would take all that
// stands in it along.
var sections = []string{"bootstrap", "ctl", "log", "postgresql", "postgresql.callbacks",
	"postgresql.parameters",
	"postgresql.recovery_conf", "restapi", "watchdog"}

// ownedExtra refuses the owned keys below a path of extra, "" being all of it.
func (c extraChecker) ownedExtra(path string, value any) {
	section, isSection := value.(map[string]any)
	remedy, isOwned := owned[path]
	switch {
	case isOwned:
		c.bad(join("patroni.extra", path), "would replace what the toolkit writes, and the "+
			"cluster relies on it",
			remedy)
	case !isSection && slices.Contains(sections, path):
		c.bad(join("patroni.extra", path),
			"is no section, and would replace the whole of Patroni's",
			"write its keys below it, indented")
	}
	for key, inner := range section {
		if !isOwned {
			c.ownedExtra(join(path, key), inner)
		}
	}
}
