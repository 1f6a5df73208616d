package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// The roles that have a password, as the state directory and the spec's fields call them.
const (
	RoleSuperuser   = "superuser"
	RoleReplication = "replication"
	RoleRewind      = "rewind"
)

// RoleNames returns the roles that have a password.
func RoleNames() []string { return []string{RoleSuperuser, RoleReplication, RoleRewind} }

// In the state directory secrets/<role> is a generated password, secrets/<role>.verifier what the
// cluster was given of the password in force, and secrets/<role>.next a generated password that a
// rotation is about to bring in.
func SecretFile(role, suffix string) string { return filepath.Join("secrets", role+suffix) }

// Password returns the password of that name: the one that the spec's file holds or its command
// prints, else the one generated at the first run.
func (s *State) Password(ctx context.Context, name, file string,
	command []string) (password pki.Secret, err error) {
	switch {
	case file != "":
		password, err = readSecret(file)
	case len(command) > 0:
		password, err = fetchSecret(ctx, command)
	default:
		password, err = s.generated(filepath.Join("secrets", name))
	}
	if err != nil {
		return pki.Secret{}, fmt.Errorf("get the %s password: %w", name, err)
	}
	return password, nil
}

// generated returns the random text in a file, made at the first run.
func (s *State) generated(name string) (pki.Secret, error) {
	b, err := s.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		b = []byte(rand.Text()) // 26 characters, at least 128 bits
		s.Made = append(s.Made, name)
		err = s.Write(name, b)
	}
	return pki.NewSecret(b), err
}

// verifier returns what PostgreSQL stores of a role's password: always the same for the password
// that the cluster was given, which is the first one ever seen here. same is false for another one.
func (s *State) verifier(role string,
	password pki.Secret) (stored pki.Secret, same bool, err error) {
	name := SecretFile(role, ".verifier")
	b, err := s.Read(name)
	switch {
	case err == nil && patroni.Verifies(pki.NewSecret(b), password):
		return pki.NewSecret(b), true, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return pki.Secret{}, false, fmt.Errorf("%s password: %w", role, err)
	}
	first := err != nil
	if stored, err = patroni.NewVerifier(password); err != nil {
		return pki.Secret{}, false, err
	}
	if first && !s.ReadOnly {
		err = s.Write(name, stored.Reveal())
	}
	return stored, first, err
}

// Next returns the password that a rotation brings in: the one of a rotation that was interrupted,
// else a new one.
func (s *State) Next(role string) (pki.Secret, error) {
	name := SecretFile(role, ".next")
	b, err := s.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		b = []byte(rand.Text())
		err = s.Write(name, b)
	}
	return pki.NewSecret(b), err
}

// Unfinished returns the roles whose rotation was interrupted.
func (s *State) Unfinished() []string {
	return slices.DeleteFunc(RoleNames(), func(role string) bool {
		_, err := s.Read(SecretFile(role, ".next"))
		return err != nil
	})
}

// Adopt makes a role's password and verifier the ones in force. A crash in between leaves either
// the old state or one that a rotation finishes: the file that says so goes last. A password that
// the spec gives is kept there only: generated is empty.
func (s *State) Adopt(role string, generated, verifier pki.Secret) error {
	if !generated.IsZero() {
		if err := s.Keep(SecretFile(role, ""), generated.Reveal()); err != nil {
			return err
		}
	}
	if err := s.Keep(SecretFile(role, ".verifier"), verifier.Reveal()); err != nil {
		return err
	}
	return s.Remove(SecretFile(role, ".next"))
}

// RoleSecret is what the password of a role of the specification is called in the state directory.
func RoleSecret(role string) string { return "role-" + role }

// RolePassword returns the password of a role of the specification: the one that its file holds or
// its command prints, else the one that is kept here. made says that it is a new one, which no
// server can have; where nothing may be made it is empty then.
func (s *State) RolePassword(ctx context.Context, r spec.PGRole) (password pki.Secret, made bool,
	err error) {
	name := SecretFile(RoleSecret(r.Name), "")
	if r.GivenPassword() {
		password, err = s.Password(ctx, r.Name, r.PasswordFile, r.PasswordCommand)
		return password, false, err
	}
	b, err := s.Read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.ReadOnly:
		return pki.Secret{}, true, nil
	case errors.Is(err, fs.ErrNotExist):
		b, made = []byte(rand.Text()), true
		err = s.Write(name, b)
	case err == nil:
		made = s.isNew(name)
	}
	if err != nil {
		return pki.Secret{}, false, fmt.Errorf("get the password of role %s: %w", r.Name, err)
	}
	return pki.NewSecret(b), made, nil
}

// UnfinishedRoles returns the roles of a specification whose rotation was interrupted.
func (s *State) UnfinishedRoles(sp *spec.Spec) []string {
	var roles []string
	for _, r := range sp.PGRoles {
		if _, err := s.Read(SecretFile(RoleSecret(r.Name), ".next")); err == nil && r.CanLogin() {
			roles = append(roles, r.Name)
		}
	}
	return roles
}

// AdoptRole makes a role's new password the one in force; one that the spec gives is kept there
// only: generated is empty. A crash in between leaves one that a rotation finishes.
func (s *State) AdoptRole(role string, generated pki.Secret) error {
	if !generated.IsZero() {
		if err := s.Keep(SecretFile(RoleSecret(role), ""), generated.Reveal()); err != nil {
			return err
		}
	}
	return s.Remove(SecretFile(RoleSecret(role), ".next"))
}

// ForgetRole removes the password of a role that was dropped.
func (s *State) ForgetRole(role string) error {
	if err := s.Remove(SecretFile(RoleSecret(role), ".next")); err != nil {
		return err
	}
	return s.Remove(SecretFile(RoleSecret(role), ""))
}
