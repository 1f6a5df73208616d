package inspect

// effectPairs are fields that something else decides, so that they would have no effect, or one
// that nobody wants.
func effectPairs() []specPair {
	const replaces = "would replace what the toolkit writes"
	return []specPair{
		{
			name: "Patroni's rhythm in its file", after: "patroni: {extra: {loop_wait: 5}}",
			refused: "it counts in the DCS alone", way: "use patroni.loop_wait",
		},
		{
			name: "standbys in Patroni's file", after: "patroni: {extra: " +
				"{synchronous_node_count: 2}}",
			refused: "it counts in the DCS alone", way: "config set 'synchronous_node_count=...'",
		},
		{
			name:    "a parameter of the command line in Patroni's file",
			after:   "patroni: {extra: {postgresql: {parameters: {track_commit_timestamp: true}}}}",
			refused: "it counts in the DCS alone", way: "use postgresql.parameters",
		},
		{
			name:    "roles of the first start",
			after:   "patroni: {extra: {bootstrap: {users: {shop: {options: [createdb]}}}}}",
			refused: "is read once, when the cluster is made", way: "create roles with SQL",
		},
		{
			name:  "another data directory in Patroni's file",
			after: "patroni: {extra: {postgresql: {data_dir: /srv/data}}}", refused: replaces,
			way: "use postgresql.data_dir",
		},
		{
			name:  "PostgreSQL on the loopback only",
			after: "patroni: {extra: {postgresql: {listen: '127.0.0.1:5432'}}}", refused: replaces,
			way: "use postgresql.port",
		},
		{
			name: "rules in Patroni's file",
			after: "patroni: {extra: {postgresql: {pg_hba: [hostssl all all 10.0.0.0/8 " +
				"scram-sha-256]}}}",
			refused: replaces, way: "use postgresql.pg_hba",
		},
		{
			name:  "Patroni without the socket",
			after: "patroni: {extra: {postgresql: {use_unix_socket: false}}}", refused: replaces,
			way: "Patroni has no password",
		},
		{
			name: "the callback in Patroni's file",
			after: "patroni: {extra: {postgresql: {callbacks: {on_role_change: " +
				"/usr/local/bin/tell}}}}",
			refused: replaces, way: "on_stop, on_restart and on_reload are free",
		},
		{
			name:  "a free callback in Patroni's file",
			after: "patroni: {extra: {postgresql: {callbacks: {on_stop: /usr/local/bin/tell}}}}",
			does:  "patroni.extra: reload",
		},
		{
			name:    "no section any more in Patroni's file",
			after:   "patroni: {extra: {postgresql: {parameters: [work_mem]}}}",
			refused: "is no section",
			way:     "write its keys below it",
		},
		{
			name:    "a password for the REST API",
			after:   "patroni: {extra: {restapi: {authentication: {username: a, password: b}}}}",
			refused: replaces, way: "needs no password",
		},
		{
			name:  "who may call the REST API",
			after: "patroni: {extra: {restapi: {allowlist: [10.9.0.0/16]}}}", refused: replaces,
			way: "client certificate",
		},
		{
			name:  "another store beside etcd",
			after: "patroni: {extra: {consul: {host: '10.0.0.99:8500'}}}", refused: replaces,
			way: "the etcd of its hosts",
		},
		{
			name: "tags for all members", after: "patroni: {extra: {tags: {nofailover: true}}}",
			refused: replaces, way: "use hosts[].tags",
		},
		{
			name:    "the watchdog in two places",
			after:   "patroni: {watchdog: off, extra: {watchdog: {mode: required}}}",
			refused: replaces,
			way:     "use patroni.watchdog",
		},
		{
			name:  "headers of the REST API",
			after: "patroni: {extra: {restapi: {http_extra_headers: {X-A: b}}}}",
			does:  "patroni.extra: reload",
		},
		{
			name: "an archive that is not installed", after: "etcd: {archive: etcd.tar.gz}",
			refused: "is not read with source: release", way: "write source: archive",
		},
		{
			name:    "a repository that is not used",
			after:   "postgresql: {repository: {url: 'https://mirror.example/pg'}}",
			refused: "is not read with source: distribution", way: "write source: mirror",
		},
		{
			name:    "a version that the package decides",
			after:   "etcd: {source: distribution, version: 3.6.16}",
			refused: "is not read with source: distribution", way: "delete it",
		},
		{
			name: "a priority of a database", after: "hosts: {pg2: {priority: 120}}",
			refused: "priority",
			way:     "delete it",
		},
		{
			name: "standbys by hand beside Patroni's",
			after: "{patroni: {synchronous_mode: on}, postgresql: {parameters: " +
				"{synchronous_standby_names: 'ANY 1 (*)'}}}", refused: "is set by Patroni with " +
				"synchronous_mode: on", way: "delete it",
		},
		{
			name:   "a parameter taken away",
			before: "postgresql: {parameters: {log_lock_waits: on}}",
			after:  "postgresql: {parameters: {log_lock_waits: null}}",
			does:   "postgresql.parameters: reload",
		},
		{
			name:   "a rule taken away",
			before: "postgresql: {pg_hba: [hostssl shop shop 10.9.0.0/16 scram-sha-256]}",
			after:  "postgresql: {pg_hba: []}", does: "postgresql.pg_hba: reload",
		},
		{
			name: "the least lag there is", after: "patroni: {maximum_lag_on_failover: 1}",
			does: "patroni.maximum_lag_on_failover: reload",
		},
	}
}

// stackPairs are where a good guess about Patroni, PostgreSQL or keepalived is wrong.
func stackPairs() []specPair {
	return []specPair{
		{
			name:    "times that Patroni would change",
			after:   "patroni: {ttl: 25, loop_wait: 10, retry_timeout: 10}",
			refused: "= 30 is more than ttl 25: Patroni would silently change them",
			way:     "raise ttl to 30",
		},
		{
			name:    "a lock too short for Patroni",
			after:   "patroni: {ttl: 19, loop_wait: 1, retry_timeout: 3}",
			refused: "19s is too short: Patroni would silently take 20s", way: "write 20s or more",
		},
		{
			name: "a retry too short for Patroni", after: "patroni: {retry_timeout: 2}",
			refused: "2s is too short", way: "write 3s or more",
		},
		{
			name: "half a second between Patroni's rounds", after: "patroni: {loop_wait: 1.5}",
			refused: "is not in whole seconds", way: "write 2s",
		},
		{
			name: "a start that may take two days", after: "patroni: {primary_start_timeout: 48h}",
			refused: "is longer than a day", way: "such as 10s or 30s",
		},
		{
			name:  "a level that replicas cannot follow",
			after: "postgresql: {parameters: {wal_level: minimal}}", refused: "cannot replicate",
			way: "write replica or logical",
		},
		{
			name:    "more sessions than Patroni leaves",
			after:   "postgresql: {parameters: {max_connections: 20}}",
			refused: "Patroni would take its own default", way: "write 25 or more",
		},
		{
			name:    "fewer workers than Patroni leaves",
			after:   "postgresql: {parameters: {max_worker_processes: 1}}",
			refused: "Patroni would take its own default", way: "write 2 or more",
		},
		{
			name:    "replicas that answer no reads",
			after:   "postgresql: {parameters: {hot_standby: off}}",
			refused: "is set by Patroni or the toolkit itself", way: "replicas always answer reads",
		},
		{
			name:    "passwords that nobody could use",
			after:   "postgresql: {parameters: {password_encryption: md5}}",
			refused: "only scram-sha-256 lets anybody in", way: "delete it",
		},
		{
			name:    "another timeline than the leader's",
			after:   "postgresql: {parameters: {recovery_target_timeline: current}}",
			refused: "is set by Patroni", way: "follow the leader's timeline",
		},
		{
			name:    "nothing to rewind with",
			before:  "postgresql: {data_checksums: false, parameters: {wal_log_hints: on}}",
			after:   "postgresql: {parameters: {wal_log_hints: off}}",
			refused: "pg_rewind needs data_checksums", way: "switch one of them on",
		},
		{name: "no failsafe", after: "patroni: {failsafe_mode: false}",
			does: "patroni.failsafe_mode: reload"},
		{name: "preemption", after: "vip: {preempt: true}", does: "vip.preempt: reload"},
		{name: "another interval of adverts", after: "vip: {advert_interval: 1s}",
			does: "vip.advert_interval: reload"},
		{
			name: "adverts finer than keepalived's", after: "vip: {advert_interval: 15ms}",
			refused: "is too fine", way: "write 10ms",
		},
		{
			name: "a router id that VRRP has not", after: "vip: {router_id: 256}",
			refused: "256 is out of range", way: "from 1 to 255",
		},
		{
			name: "the port of HAProxy's own page", after: "balancer: {stats_port: 7001}",
			does: "balancer.stats_port: ordered change",
		},
		{
			name:  "reads that stop with the last replica",
			after: "balancer: {read_fallback_to_primary: false}",
			does:  "balancer.read_fallback_to_primary: reload",
		},
	}
}

// etcdPairs are etcd's releases, times and places.
func etcdPairs() []specPair {
	return []specPair{
		{
			name: "a release of etcd with faults that bite", after: "etcd: {version: 3.6.9}",
			refused: "etcd 3.6.9 is too old", way: "write 3.6.10 or later of 3.6",
		},
		{
			name: "an older series of etcd with faults", after: "etcd: {version: 3.5.32}",
			refused: "etcd 3.5.32 is too old", way: "3.5.33 or later of 3.5",
		},
		{
			name: "a series of etcd that nobody has tried", after: "etcd: {version: 3.7.0}",
			refused: "has not been tried with Patroni", way: "write 3.6.10 or later",
		},
		{
			name: "a release of etcd without its last number", after: "etcd: {version: '3.6'}",
			refused: "is not a complete version", way: "write 3.6.10 or later",
		},
		{
			name: "a release as etcd's tags have it", after: "etcd: {version: v3.6.16}",
			refused: "is not a complete version", way: "write 3.6.10 or later",
		},
		{
			name: "a candidate of etcd", after: "etcd: {version: 3.6.16-rc.1}",
			refused: "is not a complete version", way: "write 3.6.10 or later",
		},
		{
			name: "over all of etcd's faults", before: "etcd: {version: 3.6.10}",
			after: "etcd: {version: 3.6.16}", does: "etcd.version: rolled restart",
		},
		{
			name: "an etcd that a host has newer", before: "etcd: {version: 3.6.15}",
			after: "etcd: {version: 3.6.15}", hosts: func(s *seen) { s.store.Version = "3.6.16" },
			refused: "etcd 3.6.16 runs", way: "write version: 3.6.16 or later",
		},
		{
			name:    "fewer than five heartbeats",
			after:   "etcd: {heartbeat_interval: 300ms, election_timeout: 1s}",
			refused: "is less than 5 * heartbeat_interval",
			way:     "write election_timeout: 1.5s or more",
		},
		{
			name: "an election longer than etcd's limit", after: "etcd: {election_timeout: 1m}",
			refused: "1m is out of range", way: "from 50ms to 50s",
		},
		{
			name: "a heartbeat that is no wait", after: "etcd: {heartbeat_interval: 1ms}",
			refused: "1ms is out of range", way: "from 10ms to 10s",
		},
		{
			name: "another compaction", after: "etcd: {auto_compaction: 2h}",
			does: "etcd.auto_compaction: rolled restart",
		},
		{
			name:    "an archive that nobody checks",
			after:   "etcd: {url: 'https://mirror.example/etcd.tar.gz'}",
			refused: "no program is installed without a check", way: "as sha256sum shows it",
		},
		{
			name: "a checksum that is too short", after: "etcd: {sha256: abcdef}",
			refused: "is not a SHA-256 checksum", way: "64 hexadecimal digits",
		},
		{
			name: "a download with a password",
			after: "etcd: {url: 'https://me:secret@mirror.example/etcd.tar.gz', sha256: " +
				sum64 + "}",
			refused: "is not the URL of a download", way: "without user and password",
		},
		{
			name:    "etcd's data inside PostgreSQL's",
			after:   "etcd: {data_dir: /var/lib/postgresql/data/etcd}",
			refused: "are one inside the other",
			way:     "keep them apart",
		},
	}
}

const sum64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
