package trial

// attempt is a change of the recorded server: settings and rules, and what has to be found.
type attempt struct {
	settings map[string]string
	rules    []string
	// field is the setting or the rule that is blamed, problem a part of what is said; "" for what
	// is well.
	field, problem string
}

// cases are the recorded answers of testdata by their names, from a member with PostgreSQL 18.
func cases() map[string]attempt {
	set := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	return map[string]attempt{
		"well": {settings: set("work_mem", "5MB", "shared_preload_libraries",
			"pg_stat_statements")},
		"library": {
			settings: set("shared_preload_libraries", "pg_stat_statements, timescaledb"),
			field:    "shared_preload_libraries", problem: `could not access file "timescaledb"`,
		},
		"memory": {
			settings: set("shared_buffers", "400GB"), field: "shared_buffers",
			problem: "it asks for 417",
		},
		"many-connections": {
			settings: set("max_connections", "262000", "max_locks_per_transaction", "2000"),
			field:    "max_connections", problem: "of shared memory",
		},
		"huge-pages": {settings: set("huge_pages", "on"), field: "huge_pages",
			problem: "and the host has 0"},
		"certificate": {
			settings: set("ssl_ca_file", "/etc/nowhere.crt"), field: "ssl_ca_file",
			problem: "could not load root certificate file",
		},
		"relative-crl": {
			settings: set("ssl_crl_file", "revoked.pem"), field: "ssl_crl_file",
			problem: "/var/lib/postgresql/data/revoked.pem",
		},
		"ciphers": {settings: set("ssl_ciphers", "NOSUCH"), field: "ssl_ciphers",
			problem: "cipher list"},
		"tls-versions": {
			settings: set("ssl_max_protocol_version", "TLSv1.1"), field: "ssl_max_protocol_version",
			problem: "SSL",
		},
		"locale": {
			settings: set("lc_monetary", "de_XX.UTF-8"), field: "lc_monetary",
			problem: `invalid value for parameter "lc_monetary"`,
		},
		"time-zone": {
			settings: set("log_timezone", "Mars/Olympus"), field: "log_timezone",
			problem: `invalid value for parameter "log_timezone"`,
		},
		"unknown": {
			settings: set("max_conections", "200"), field: "max_conections",
			problem: "unrecognized configuration parameter",
		},
		"reserved": {
			settings: set("superuser_reserved_connections", "500"),
			field:    "superuser_reserved_connections",
			problem:  "must be less than",
		},
		"archive-and-wal": {settings: set("wal_level", "minimal"), field: "wal_level",
			problem: "wal_level"},
		"group": {
			settings: set("unix_socket_group", "nosuchgroup"), field: "unix_socket_group",
			problem: "nosuchgroup",
		},
		"session-library": {
			settings: set("session_preload_libraries", "auto_explain, nosuch"),
			field:    "session_preload_libraries", problem: "/usr/lib/postgresql/18/lib/nosuch.so",
		},
		"local-library": {
			settings: set("local_preload_libraries", "auto_explain"),
			field:    "local_preload_libraries",
			problem:  "/lib/plugins/auto_explain.so",
		},
		"archive-library": {
			settings: set("archive_library", "nosuch"), field: "archive_library",
			problem: "nosuch.so",
		},
		"archive-command": {
			settings: set("archive_mode", "on", "archive_command", "/usr/bin/wal-push %p"),
			field:    "archive_command", problem: "/usr/bin/wal-push",
		},
		"log-directory": {
			settings: set("logging_collector", "on", "log_directory", "/srv/logs/postgres"),
			field:    "log_directory", problem: "/srv/logs/postgres",
		},
		"key-table": {
			settings: set("krb_server_keyfile", "FILE:/etc/krb5.pg"), field: "krb_server_keyfile",
			problem: "/etc/krb5.pg",
		},
		"rule-file": {
			rules:   []string{"hostssl all @admins 10.0.0.0/8 scram-sha-256"},
			field:   "hostssl all @admins 10.0.0.0/8 scram-sha-256",
			problem: "/var/lib/postgresql/data/admins",
		},
		"rule-method": {
			rules: []string{"hostssl all all 10.0.0.0/8 radius"},
			field: "hostssl all all 10.0.0.0/8 radius", problem: "radiusservers",
		},
		"synchronous-names": {
			settings: set("synchronous_standby_names", "FIRST (a"),
			field:    "synchronous_standby_names",
			problem:  "synchronous_standby_names",
		},
		"two-libraries": {
			settings: set("shared_preload_libraries", "auto_explain",
				"auto_explain.log_min_duration", "1x"),
			field: "auto_explain.log_min_duration", problem: "auto_explain.log_min_duration",
		},
	}
}
