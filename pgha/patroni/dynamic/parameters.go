package dynamic

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pgha/toolkit/internal/pgsetting"
)

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
	switch reason, _, found := pgsetting.Controlled(name); {
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
