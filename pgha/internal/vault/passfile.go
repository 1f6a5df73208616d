package vault

import (
	"context"
	"strings"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// In the state directory a libpq password file has the passwords of the superuser and of the
// specification's roles. The superuser's stands alone in another file, for programs that read none
// of libpq's; a role's does so in its secret.
const (
	PassFileName     = "pgpass"
	PasswordFileName = "password"
)

// Login is a role with its password.
type Login struct {
	Role     string
	Password pki.Secret
}

// Logins are the superuser, and those roles of the specification that log in and whose password is
// known here. None is made.
func (s *State) Logins(ctx context.Context, sp *spec.Spec, superuser pki.Secret) ([]Login, error) {
	logins := []Login{{sp.PostgreSQL.Superuser, superuser}}
	look := &State{Dir: s.Dir, ReadOnly: true, Box: s.Box}
	for _, r := range sp.PGRoles {
		if !r.CanLogin() {
			continue
		}
		password, unknown, err := look.RolePassword(ctx, r)
		if err != nil {
			return nil, err
		}
		if !unknown {
			logins = append(logins, Login{r.Name, password})
		}
	}
	return logins, nil
}

// KeepPassFile writes both files, unless no password may lie plain.
func (s *State) KeepPassFile(logins []Login) error {
	if s.Box != nil {
		return nil
	}
	if err := s.Keep(PasswordFileName, append(logins[0].Password.Reveal(), '\n')); err != nil {
		return err
	}
	return s.Keep(PassFileName, PassFileFor(logins...))
}

// PassFileFor is the content of a libpq password file.
func PassFileFor(logins ...Login) []byte {
	var b strings.Builder
	for _, l := range logins {
		b.WriteString(pgsession.PassFileLine(l.Role, string(l.Password.Reveal())) + "\n")
	}
	return []byte(b.String())
}
