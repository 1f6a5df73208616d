package vault

import (
	"strings"

	"github.com/pgha/toolkit/pgha/pki"
)

// PassFileName is the superuser's libpq password file in the state directory.
const PassFileName = "pgpass"

// KeepPassFile writes it, unless no password may lie plain.
func (s *State) KeepPassFile(user string, password pki.Secret) error {
	if s.Box != nil {
		return nil
	}
	return s.Keep(PassFileName, passFileFor(user, password))
}

func passFileFor(user string, password pki.Secret) []byte {
	return []byte("*:*:*:" + EscapePgpass(user) + ":" +
		EscapePgpass(string(password.Reveal())) + "\n")
}

// EscapePgpass escapes a field of a libpq password file.
func EscapePgpass(s string) string { return strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(s) }
