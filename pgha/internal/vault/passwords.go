package vault

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/pgha/toolkit/pgha/patroni"
)

// The roles that have a password, as the state directory and the spec's fields call them.
const (
	RoleSuperuser   = "superuser"
	RoleReplication = "replication"
	RoleRewind      = "rewind"
)

// RoleNames returns the roles that have a password.
func RoleNames() []string { return []string{RoleSuperuser, RoleReplication, RoleRewind} }

// In the state directory secrets/<role> is a generated password, secrets/<role>.verifier what the cluster was given of the
// password in force, and secrets/<role>.next a generated password that a rotation is about to bring in.
func SecretFile(role, suffix string) string { return filepath.Join("secrets", role+suffix) }

// verifier returns what PostgreSQL stores of a role's password: always the same for the password that the cluster was given,
// which is the first one ever seen here. same is false for another one.
func (s *State) verifier(role, password string) (stored string, same bool, err error) {
	name := SecretFile(role, ".verifier")
	b, err := s.Read(name)
	switch {
	case err == nil && patroni.Verifies(string(b), password):
		return string(b), true, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", false, fmt.Errorf("%s password: %w", role, err)
	}
	first := err != nil
	if stored, err = patroni.NewVerifier(password); err != nil {
		return "", false, err
	}
	if first && !s.ReadOnly {
		err = s.Write(name, []byte(stored))
	}
	return stored, first, err
}

// Next returns the password that a rotation brings in: the one of a rotation that was interrupted, else a new one.
func (s *State) Next(role string) (string, error) {
	name := SecretFile(role, ".next")
	b, err := s.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		b = []byte(rand.Text())
		err = s.Write(name, b)
	}
	return string(b), err
}

// Unfinished returns the roles whose rotation was interrupted.
func (s *State) Unfinished() []string {
	return slices.DeleteFunc(RoleNames(), func(role string) bool {
		_, err := s.Read(SecretFile(role, ".next"))
		return err != nil
	})
}

// Adopt makes a role's password and verifier the ones in force. A crash in between leaves either the old state or one that
// a rotation finishes: the file that says so goes last.
func (s *State) Adopt(role, generated, verifier string) error {
	if generated != "" {
		if err := s.Keep(SecretFile(role, ""), []byte(generated)); err != nil {
			return err
		}
	}
	if err := s.Keep(SecretFile(role, ".verifier"), []byte(verifier)); err != nil {
		return err
	}
	return s.Remove(SecretFile(role, ".next"))
}
