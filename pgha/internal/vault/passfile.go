package vault

import (
	"strings"
)

// PassFileName is the superuser's libpq password file in the state directory.
const PassFileName = "pgpass"

// KeepPassFile writes it, unless no password may lie plain.
func (s *State) KeepPassFile(user, password string) error {
	if s.Box != nil {
		return nil
	}
	return s.Keep(PassFileName, passFileFor(user, password))
}

func passFileFor(user, password string) []byte {
	return []byte("*:*:*:" + EscapePgpass(user) + ":" + EscapePgpass(password) + "\n")
}

// EscapePgpass escapes a field of a libpq password file.
func EscapePgpass(s string) string { return strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(s) }
