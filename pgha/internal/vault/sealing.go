package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/sealed"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// ErrSealed: a secret in the state directory is encrypted with age, and the identity of the spec
// does not open it.
var ErrSealed = errs.New(errs.Unavailable, "encrypted with age")

// recipientsFile lists, in the state directory, the recipients of the secrets there: age does
// not say. It is written when all of them are, and removed before the first one is decrypted.
const recipientsFile = "recipients"

// Box returns what encrypts the secrets of a spec and reads them; nil when they are plain. The
// identity's command is run.
func Box(ctx context.Context, sp *spec.Spec) (*sealed.Box, error) {
	a := sp.Secrets.Age
	if !a.On() {
		return nil, nil
	}
	var identity []byte
	var err error
	if a.IdentityFile != "" {
		identity, err = os.ReadFile(a.IdentityFile)
	} else {
		identity, err = Fetched(ctx, a.IdentityCommand)
	}
	if err != nil {
		return nil, fmt.Errorf("get the identity of secrets.age: %w", err)
	}
	b, err := sealed.New(a.Recipients, identity)
	if err != nil {
		err = fmt.Errorf("use the identity of secrets.age: %w", err)
	}
	if errors.Is(err, sealed.ErrMismatch) {
		return nil, remote.WithHint(err,
			"nothing was encrypted: add your own recipient, as age-keygen -y prints it for the "+
				"identity, to secrets.age.recipients")
	}
	return b, err
}

// isSecret reports whether a file of the state directory is encrypted when the spec asks for it:
// private keys, passwords and verifiers.
func isSecret(name string) bool {
	return strings.HasSuffix(name, ".key") || filepath.Dir(name) == "secrets"
}

// unseal returns the content of a secret, encrypted or not.
func (s *State) unseal(name string, content []byte) ([]byte, error) {
	if !sealed.Is(content) {
		return content, nil
	}
	if s.Box == nil {
		return nil, errs.WithNext(fmt.Errorf("read %s: it is %w", s.Path(name), ErrSealed),
			errs.Text("the specification names recipients and identity in secrets.age: put that "+
				"section back; %s makes the files plain", errs.Verb("secrets", "decrypt")))
	}
	plain, err := s.Box.Open(content)
	if errors.Is(err, sealed.ErrWrongIdentity) {
		return nil, errs.WithNext(fmt.Errorf("read %s: it is %w for others than the identity of "+
			"secrets.age",
			s.Path(name), ErrSealed),
			errs.Text("name the identity that it was encrypted for, or let somebody who has it "+
				"add your recipient and run %s", errs.Verb("secrets", "encrypt")))
	}
	if err != nil {
		return nil, remote.WithHint(fmt.Errorf("read %s: %w", s.Path(name), err),
			"the file is damaged: take it from a backup of the state directory")
	}
	return plain, nil
}

// SettledState opens the state directory for changes, with its secrets in the form that the spec
// asks for.
func SettledState(sp *spec.Spec, b *sealed.Box) (*State, error) {
	s, err := OpenState(sp.StateDir)
	if err != nil {
		return nil, err
	}
	s.Box = b
	if _, err := s.settle(sp.Secrets.Age.Recipients); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// settle brings the secrets into the form that the spec asks for, one file after the other and each
// whole or not at all, and returns how many it wrote. Both forms can be read, so a run that was cut
// off is finished by the next one. Without a box nothing is done: what is encrypted could not be
// read.
func (s *State) settle(recipients []string) (int, error) {
	if s.Box == nil {
		return 0, nil
	}
	want := []byte(strings.Join(slices.Sorted(slices.Values(recipients)), "\n") + "\n")
	have, err := s.Read(recipientsFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	n, err := s.Convert(func(content []byte) bool {
		return !sealed.Is(content) || !bytes.Equal(have, want)
	})
	if err != nil {
		return n, err
	}
	// Programs need their password files plain, so there are none any more: PassFile gives what
	// stood there.
	for _, name := range []string{PassFileName, PasswordFileName} {
		if err := os.Remove(s.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return n, err
		}
	}
	return n, s.Keep(recipientsFile, want)
}

// Convert rewrites the secrets for which due returns true, in the form that the state writes.
func (s *State) Convert(due func(content []byte) bool) (n int, err error) {
	err = filepath.WalkDir(s.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(s.Dir, path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(filepath.Base(name), temporary) {
			return os.Remove(path) // of a run that was killed while it wrote; it may hold a secret
		}
		if !isSecret(name) {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil || !due(content) {
			return err
		}
		if content, err = s.unseal(name, content); err != nil {
			return err
		}
		n++
		return s.Write(name, content)
	})
	if err != nil {
		return n, fmt.Errorf("convert the state directory: %w", err)
	}
	return n, nil
}

// EncryptState encrypts the secrets in the state directory for the spec's recipients, as every run
// that changes the state directory does by itself, and returns how many files it wrote: none when
// it is done already. It needs no host. Interrupted it is finished by calling it again. Errors
// match ErrRefused without recipients, ErrStateLocked, or ErrSealed when the identity does not open
// what is there.
//
// What was plain before is still in backups, and may be in unused blocks of the disk; RotateSecrets
// replaces it.
func EncryptState(ctx context.Context, sp *spec.Spec) (int, error) {
	s, err := existingState(ctx, sp)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	return s.settle(sp.Secrets.Age.Recipients)
}

// DecryptState makes the secrets in the state directory plain again and returns how many files it
// wrote. As the next run that changes the state directory would encrypt them, remove secrets.age
// from the spec afterwards. It needs no host. Interrupted it is finished by calling it again.
// Errors are those of EncryptState.
func DecryptState(ctx context.Context, sp *spec.Spec) (int, error) {
	s, err := existingState(ctx, sp)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if err := os.Remove(s.Path(recipientsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	s.Plain = true
	return s.Convert(sealed.Is)
}

// existingState opens a state directory that there is, of a spec with recipients, and converts
// nothing.
func existingState(ctx context.Context, sp *spec.Spec) (*State, error) {
	if !sp.Secrets.Age.On() {
		return nil, remote.WithHint(fmt.Errorf("%w: the specification has no secrets.age",
			errs.ErrRefused),
			"write the recipients of the secrets, and how they are read: secrets: {age: "+
				"{recipients: [age1...], identity_file: ...}}")
	}
	if _, err := os.Stat(sp.StateDir); err != nil {
		return nil, remote.WithHint(fmt.Errorf("%w: %w", ErrNotProvisioned, err),
			"the first apply encrypts what it makes")
	}
	b, err := Box(ctx, sp)
	if err != nil {
		return nil, err
	}
	s, err := OpenState(sp.StateDir)
	if err != nil {
		return nil, err
	}
	s.Box = b
	if _, err := s.Identity(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// PassFile returns the content of a libpq password file for the superuser of a cluster that was
// applied from this machine, and for the specification's roles, for a program that must not find
// one on disk because secrets.age is set. It is a secret. Errors are those of ConnectionFor.
func PassFile(ctx context.Context, sp *spec.Spec) ([]byte, error) {
	s, err := ReadState(ctx, sp)
	if err != nil {
		return nil, err
	}
	cr, err := LoadCredentials(ctx, s, sp)
	if err != nil {
		return nil, err
	}
	logins, err := s.Logins(ctx, sp, cr.Superuser)
	if err != nil {
		return nil, err
	}
	return PassFileFor(logins...), nil
}

// ReadCredentials loads the credentials of a cluster that was applied from this machine.
func ReadCredentials(ctx context.Context, sp *spec.Spec) (*Credentials, error) {
	s, err := ReadState(ctx, sp)
	if err != nil {
		return nil, err
	}
	return LoadCredentials(ctx, s, sp)
}

// ReadState returns the state directory of a spec for reading alone: what is not there is an error
// that matches ErrNotProvisioned or ErrRefused.
func ReadState(ctx context.Context, sp *spec.Spec) (*State, error) {
	b, err := Box(ctx, sp)
	return &State{Dir: sp.StateDir, ReadOnly: true, Box: b}, err
}
