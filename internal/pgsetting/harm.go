package pgsetting

import (
	"slices"
	"strconv"
	"strings"
)

// harm says why a value that PostgreSQL would take must not hold for a whole cluster.
func (s Setting) harm(name, text string) (problem, remedy string) {
	value, err := s.Normal(text)
	switch {
	case strings.HasPrefix(name, "recovery_target"):
		return "it would stop replication: a replica that reaches its target follows the leader " +
			"no longer", "delete it"
	case slices.Contains(sessionOnly, name):
		return "PostgreSQL takes it in a session only", "delete it"
	case err != nil:
		return "", ""
	case (name == "fsync" || name == "full_page_writes") && value == "false":
		return "off loses the database when a host loses power", "leave it on"
	case name == "default_transaction_isolation" && value == "serializable":
		return "a replica answers no serializable transaction, and Patroni could not ask its " +
				"replicas any more",
			"set it where it is needed: ALTER DATABASE ... SET default_transaction_isolation = " +
				"'serializable'"
	case name == "unix_socket_permissions" && s.locksOut(text):
		return "Patroni logs in through the socket as its owner, and could not any more",
			"write 0700, 0770 or 0777"
	}
	return "", ""
}

// sessionOnly are settings that pg_settings lists and no file may have.
var sessionOnly = []string{"transaction_deferrable", "transaction_isolation",
	"transaction_read_only"}

// locksOut reports permissions without writing for the owner. Only a leading zero makes them octal.
func (s Setting) locksOut(text string) bool {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 0, 32)
	return err == nil && n&0o200 == 0
}
