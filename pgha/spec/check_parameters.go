package spec

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/internal/scalar"
)

// controlled are the PostgreSQL settings that somebody else sets, with what to do instead.
var controlled = map[string]string{
	"listen_addresses":         "PostgreSQL listens on every interface; limit who may connect with client_networks",
	"port":                     "use postgresql.port",
	"cluster_name":             "use cluster",
	"hot_standby":              "replicas always answer reads",
	"data_directory":           "use postgresql.data_dir",
	"config_file":              "delete it",
	"hba_file":                 "use postgresql.pg_hba",
	"ident_file":               "delete it",
	"primary_conninfo":         "delete it: Patroni points each replica at the leader",
	"primary_slot_name":        "delete it: Patroni names each replica's slot",
	"standby_mode":             "delete it",
	"trigger_file":             "delete it",
	"promote_trigger_file":     "delete it",
	"recovery_target":          "delete it: it would stop replication",
	"recovery_target_timeline": "delete it: replicas follow the leader's timeline",
	"unix_socket_directories":  "delete it: Patroni logs in through the socket",
	"ssl":                      "delete it: every link is encrypted",
	"ssl_cert_file":            "delete it: the toolkit issues the certificates",
	"ssl_key_file":             "delete it: the toolkit issues the certificates",
}

// least are Patroni's lower bounds: it takes its own default for anything below.
var least = map[string]int{
	"max_connections": 25, "max_wal_senders": 3, "max_prepared_transactions": 0, "max_locks_per_transaction": 32,
	"max_replication_slots": 4, "max_worker_processes": 2,
}

var parameterSyntax = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z_][A-Za-z0-9_$]*)*$`)

func (c *checker) parameters() {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.PostgreSQL.Parameters)) {
		field, lower := join("postgresql.parameters", name), strings.ToLower(name)
		if other, again := seen[lower]; again {
			c.bad(field, "is the same parameter as "+other, "delete one of the two")
		}
		seen[lower] = name
		c.namedParameter(field, name, c.PostgreSQL.Parameters[name])
	}
	hints, _ := lookup(c.PostgreSQL.Parameters, "wal_log_hints")
	if c.Patroni.UsePgRewind && !c.PostgreSQL.DataChecksums && isOff(hints) {
		c.bad(c.blame("patroni.use_pg_rewind", "postgresql.data_checksums"), "pg_rewind needs data_checksums or the parameter wal_log_hints, and both are off", "switch one of them on, or write use_pg_rewind: false")
	}
}

// namedParameter checks a name, and with it the value.
func (c *checker) namedParameter(field, name string, value any) {
	if !parameterSyntax.MatchString(name) {
		c.bad(field, "cannot name a parameter", "write a name such as work_mem")
		return
	}
	if instead, set := controlled[strings.ToLower(name)]; set {
		c.bad(field, "is set by Patroni or the toolkit itself", instead)
		return
	}
	c.parameter(field, strings.ToLower(name), value)
}

// parameter checks a value as far as the cluster depends on it.
func (c *checker) parameter(field, name string, value any) {
	text := strings.ToLower(fmt.Sprint(value))
	switch value.(type) {
	case nil:
		return
	case []any, map[string]any:
		c.bad(field, "is not a single value", "write text, a number, true or false")
		return
	}
	bound, bounded := least[name]
	if name == "max_wal_senders" || name == "max_replication_slots" {
		// one for each replica, and one for a member that is copied anew
		bound = max(bound, len(c.Databases()))
	}
	number, isNumber := value.(int)
	switch {
	case bounded && (!isNumber || number < bound):
		c.bad(field, fmt.Sprintf("%v is not a whole number from %d on: %s", value, bound,
			c.boundReason(name, bound)), c.boundRemedy(value, bound))
	case name == "password_encryption" && text != "scram-sha-256":
		c.bad(field, quoted(text)+" is refused: only scram-sha-256 lets anybody in", "delete it")
	case name == "wal_level" && text != "replica" && text != "logical":
		c.bad(field, quoted(text)+" cannot replicate", "write replica or logical")
	case name == "synchronous_standby_names" && c.Patroni.SynchronousMode != SynchronousOff:
		c.bad(field, "is set by Patroni with synchronous_mode: "+string(c.Patroni.SynchronousMode), "delete it")
	default:
		if problem, remedy := pgsetting.Of(c.PostgreSQL.Version).Judge(name,
			fmt.Sprint(value)); problem != "" {
			c.bad(field, problem, remedy)
		}
	}
}

// boundReason is why a number below bound will not do.
func (c *checker) boundReason(name string, bound int) string {
	if bound > least[name] {
		return fmt.Sprintf("%d database hosts need as many", bound)
	}
	return "Patroni would take its own default"
}

// boundRemedy is the remedy for a value that is no number from bound on.
func (c *checker) boundRemedy(value any, bound int) string {
	text, ok := value.(string)
	n, fault := scalar.Whole(text)
	switch {
	case ok && fault == nil && n >= int64(bound):
		return "write " + text + " without quotes"
	case ok && fault != nil && fault.Remedy != "write digits only":
		return fault.Remedy
	}
	return fmt.Sprintf("write %d or more", bound)
}

func isOff(value any) bool {
	return slices.Contains([]string{"off", "false", "no", "0", "f", "n", "of"}, strings.ToLower(fmt.Sprint(value)))
}
