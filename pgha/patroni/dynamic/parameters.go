package dynamic

import (
	"errors"
	"fmt"
	"strings"
)

// controlled are the parameters that somebody else sets, and who.
var controlled = map[string]string{
	"listen_addresses":         "Patroni sets it from postgresql.listen",
	"port":                     "Patroni sets it from postgresql.listen: use ListenPort",
	"cluster_name":             "Patroni sets it to the scope",
	"hot_standby":              "Patroni keeps it on",
	"data_directory":           "Patroni starts PostgreSQL with it: use DataDir",
	"config_file":              "Patroni writes it",
	"hba_file":                 "pg_hba.conf is written from config.yml: use PgHBA",
	"ident_file":               "Patroni writes it",
	"primary_conninfo":         "Patroni points each replica at the leader",
	"primary_slot_name":        "Patroni names each replica's slot",
	"standby_mode":             "Patroni decides who is a replica",
	"trigger_file":             "Patroni promotes",
	"promote_trigger_file":     "Patroni promotes",
	"recovery_target":          "a recovery target on a replica stops replication",
	"recovery_target_timeline": "Patroni keeps replicas on the leader's timeline",
	"unix_socket_directories":  "Patroni logs in through it",
	"ssl":                      "every link is encrypted: it stays on",
	"ssl_cert_file":            "it names the certificate that this package puts there: use Member.Postgres",
	"ssl_key_file":             "it names the key that this package puts there: use Member.Postgres",
}

// CheckParameter says why a parameter of PostgreSQL is refused: somebody else sets it, or
// replication, TLS or the logins need another value. synchronous says whether commits wait for a
// replica. Pure computation.
func CheckParameter(name string, value any, synchronous bool) error {
	if reason := refused(name, value, synchronous); reason != "" {
		return errors.New("parameter " + strings.ToLower(name) + ": " + reason)
	}
	return nil
}

func refused(name string, value any, synchronous bool) string {
	name = strings.ToLower(name)
	text := strings.ToLower(fmt.Sprint(value))
	switch reason, found := controlled[name]; {
	case found:
		return reason
	case name == "synchronous_standby_names" && synchronous:
		return "Patroni sets it in synchronous mode"
	case name == "password_encryption" && text != "scram-sha-256":
		return fmt.Sprintf("%q is refused, because pg_hba.conf only lets scram-sha-256 in", text)
	case name == "wal_level" && text != "replica" && text != "logical":
		return fmt.Sprintf("%q does not replicate; use replica or logical", text)
	}
	return ""
}
