package vault

import (
	"strings"

	"github.com/pgha/toolkit/pgha/pki"
)

// In the state directory the superuser's password stands in a libpq password file, and alone in
// another file for programs that read none of libpq's.
const (
	PassFileName     = "pgpass"
	PasswordFileName = "password"
)

// KeepPassFile writes both, unless no password may lie plain.
func (s *State) KeepPassFile(user string, password pki.Secret) error {
	if s.Box != nil {
		return nil
	}
	if err := s.Keep(PasswordFileName, append(password.Reveal(), '\n')); err != nil {
		return err
	}
	return s.Keep(PassFileName, PassFileFor(user, password))
}

// PassFileFor is the content of a libpq password file.
func PassFileFor(user string, password pki.Secret) []byte {
	return []byte("*:*:*:" + EscapePgpass(user) + ":" +
		EscapePgpass(string(password.Reveal())) + "\n")
}

// EscapePgpass escapes a field of a libpq password file.
func EscapePgpass(s string) string { return strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(s) }
