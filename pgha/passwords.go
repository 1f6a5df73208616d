package pgha

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// The roles that have a password, as the state directory and the spec's fields call them.
const (
	roleSuperuser   = "superuser"
	roleReplication = "replication"
	roleRewind      = "rewind"
)

func roleNames() []string { return []string{roleSuperuser, roleReplication, roleRewind} }

// In the state directory secrets/<role> is a generated password, secrets/<role>.verifier what the cluster was given of the
// password in force, and secrets/<role>.next a generated password that a rotation is about to bring in.
func secretFile(role, suffix string) string { return filepath.Join("secrets", role+suffix) }

// verifier returns what PostgreSQL stores of a role's password: always the same for the password that the cluster was given,
// which is the first one ever seen here. same is false for another one.
func (s *state) verifier(role, password string) (stored string, same bool, err error) {
	name := secretFile(role, ".verifier")
	b, err := s.read(name)
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
	if first && !s.readOnly {
		err = s.write(name, []byte(stored))
	}
	return stored, first, err
}

// next returns the password that a rotation brings in: the one of a rotation that was interrupted, else a new one.
func (s *state) next(role string) (string, error) {
	name := secretFile(role, ".next")
	b, err := s.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		b = []byte(rand.Text())
		err = s.write(name, b)
	}
	return string(b), err
}

// unfinished returns the roles whose rotation was interrupted.
func (s *state) unfinished() []string {
	return slices.DeleteFunc(roleNames(), func(role string) bool {
		_, err := s.read(secretFile(role, ".next"))
		return err != nil
	})
}

// adopt makes a role's password and verifier the ones in force. A crash in between leaves either the old state or one that
// a rotation finishes: the file that says so goes last.
func (s *state) adopt(role, generated, verifier string) error {
	if generated != "" {
		if err := s.keep(secretFile(role, ""), []byte(generated)); err != nil {
			return err
		}
	}
	if err := s.keep(secretFile(role, ".verifier"), []byte(verifier)); err != nil {
		return err
	}
	return s.remove(secretFile(role, ".next"))
}

// settlePasswords refuses to give the hosts passwords that the roles do not have. Where there is no cluster yet, any will do.
func (r *job) settlePasswords(ctx context.Context) error {
	if r.state.unfinishedREST() {
		r.Warn("", "the rotation of the REST API's authority is not finished: pgha-cli secrets rotate rest")
	}
	changed, unfinished := r.credentials.changed, r.state.unfinished()
	if len(changed)+len(unfinished) == 0 {
		return nil
	}
	if r.hasCluster(ctx) {
		if len(unfinished) > 0 {
			return remote.WithHint(fmt.Errorf("%w: the password of %s is being changed and not all hosts have it", ErrRefused, strings.Join(unfinished, ", ")),
				"finish it: pgha-cli secrets rotate "+strings.Join(unfinished, " "))
		}
		return remote.WithHint(fmt.Errorf("%w: the password of %s is not the one that the cluster was given", ErrRefused, strings.Join(changed, ", ")),
			"pgha-cli secrets rotate "+strings.Join(changed, " ")+" brings it in; or put the old one back")
	}
	if r.planning() {
		return nil
	}
	for _, role := range changed {
		if err := r.state.adopt(role, "", r.credentials.verifiers[role]); err != nil {
			return fmt.Errorf("keep the %s password: %w", role, err)
		}
	}
	return nil
}

// hasCluster tells whether any member answers.
func (r *job) hasCluster(ctx context.Context) bool {
	po, err := r.Cluster.patroniOptions()
	if err != nil {
		return false
	}
	state, err := patroni.NewClient(po).Cluster(ctx)
	return err == nil && len(state.Members) > 0
}
