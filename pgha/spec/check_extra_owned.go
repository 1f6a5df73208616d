package spec

import "slices"

// owned are the keys of a config.yml that the cluster relies on and that have a writer already, by
// their paths, each with what to do instead. In extra one of them would win: with another data_dir
// a member is made anew elsewhere at its next start, with another listen the balancers take it for
// dead, with a list of rules of its own nobody logs in any more, the toolkit included.
var owned = map[string]string{
	"bootstrap.post_bootstrap": "delete it: that command makes the roles; run your own SQL once the cluster is there",
	"bootstrap.post_init":      "delete it: that command makes the roles; run your own SQL once the cluster is there",
	"citus":                    "delete it: the toolkit knows one group of members only",
	"consul":                   "delete it: the cluster's store is the etcd of its database hosts",
	"ctl.cacert":               "delete it: the toolkit issues the certificates",
	"ctl.certfile":             "delete it: the toolkit issues the certificates",
	"ctl.keyfile":              "delete it: the toolkit issues the certificates",
	"etcd":                     "delete it: the cluster's store is the etcd of its database hosts",
	"etcd3":                    "delete it: the cluster's store is the etcd of its database hosts",
	"exhibitor":                "delete it: the cluster's store is the etcd of its database hosts",
	"kubernetes":               "delete it: the cluster's store is the etcd of its database hosts",
	"raft":                     "delete it: the cluster's store is the etcd of its database hosts",
	"zookeeper":                "delete it: the cluster's store is the etcd of its database hosts",

	"postgresql.authentication":     "use postgresql.superuser, replication_user and rewind_user",
	"postgresql.bin_dir":            "use postgresql.version",
	"postgresql.bin_name":           "delete it: the packages decide the programs' names",
	"postgresql.callbacks.on_start": "delete it: the toolkit's own command runs there; on_stop, on_restart and on_reload are free",
	"postgresql.callbacks.on_role_change": "delete it: the toolkit's own command runs there; " +
		"on_stop, on_restart and on_reload are free",
	"postgresql.config_dir":      "delete it: the configuration lies in postgresql.data_dir",
	"postgresql.connect_address": "use the host's address and postgresql.port",
	"postgresql.data_dir":        "use postgresql.data_dir",
	"postgresql.listen":          "use postgresql.port, and client_networks to limit who may connect",
	"postgresql.pg_hba":          "use postgresql.pg_hba: these would stand in place of all rules, the replicas' own too",
	"postgresql.pgpass":          "delete it: the toolkit writes the file that replicas log in with",
	"postgresql.use_pg_rewind":   "use patroni.use_pg_rewind",
	"postgresql.use_unix_socket": "delete it: Patroni has no password, and logs in through the socket",

	"restapi.allowlist":                 "delete it: only who has a client certificate may change anything already",
	"restapi.allowlist_include_members": "delete it: only who has a client certificate may change anything already",
	"restapi.authentication":            "delete it: who has a client certificate needs no password",
	"restapi.cafile":                    "delete it: the toolkit issues the certificates",
	"restapi.certfile":                  "delete it: the toolkit issues the certificates",
	"restapi.connect_address":           "use the host's address and patroni.rest_port",
	"restapi.keyfile":                   "delete it: the toolkit issues the certificates",
	"restapi.keyfile_password":          "delete it: the toolkit issues the certificates",
	"restapi.listen":                    "use patroni.rest_port",
	"restapi.verify_client":             "delete it: health checks come without a certificate, changes never",

	"tags":          "use hosts[].tags",
	"watchdog.mode": "use patroni.watchdog",
}

// sections are the keys whose value is a section: a list or a single value would take all that
// stands in it along.
var sections = []string{"bootstrap", "ctl", "log", "postgresql", "postgresql.callbacks",
	"postgresql.parameters",
	"postgresql.recovery_conf", "restapi", "watchdog"}

// ownedExtra refuses the owned keys below a path of extra, "" being all of it.
func (c *checker) ownedExtra(path string, value any) {
	section, isSection := value.(map[string]any)
	remedy, isOwned := owned[path]
	switch {
	case isOwned:
		c.bad(join("patroni.extra", path), "would replace what the toolkit writes, and the cluster relies on it", remedy)
	case !isSection && slices.Contains(sections, path):
		c.bad(join("patroni.extra", path), "is no section, and would replace the whole of Patroni's",
			"write its keys below it, indented")
	}
	for key, inner := range section {
		if !isOwned {
			c.ownedExtra(join(path, key), inner)
		}
	}
}
