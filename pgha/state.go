package pgha

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pgha/toolkit/internal/sealed"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

var (
	// ErrStateLocked: another process of this machine changes the cluster with the same state directory.
	ErrStateLocked = errors.New("state directory is in use")
	// ErrNotProvisioned: the state directory holds no cluster, so apply has not been run from here.
	ErrNotProvisioned = errors.New("the cluster has not been applied from here")
)

// state is the operator's directory: the CAs' keys, the passwords and every certificate issued. It is the only place
// where they all are; it has mode 0700 and each file in it 0600, and none of it but a host's own share leaves it.
type state struct {
	dir  string
	lock *os.File
	// readOnly refuses to make what is not there: ErrNotProvisioned.
	readOnly bool
	// direct writes at once without the lock: for a file that is made of others there.
	direct bool
	// drafts are files that begin will write, and with nil content remove; seen are the files as they were read first, and
	// made the secrets and authorities among the drafts: what no host can have.
	drafts map[string][]byte
	seen   map[string]sum
	made   []string
	// box, when set, encrypts secrets as they are written and reads them; plain leaves them plain all the same.
	box   *sealed.Box
	plain bool
}

// temporary begins the names of files that are being written.
const temporary = ".new-"

// openState makes the directory if needed and keeps other processes out until close is called.
func openState(dir string) (*state, error) {
	lock, err := lockState(dir)
	if err != nil {
		return nil, err
	}
	return &state{dir: dir, lock: lock}, nil
}

// privateState refuses a state directory that others may enter; one that is not there is private.
func privateState(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("open state directory: %w", err)
	case !info.IsDir():
		return remote.WithHint(fmt.Errorf("state directory %s is no directory", dir), "state_dir of the spec names a directory")
	case info.Mode().Perm()&0o077 != 0:
		return remote.WithHint(fmt.Errorf("state directory %s is open to others (mode %04o)", dir, info.Mode().Perm()),
			"it holds private keys: run chmod 700 "+dir)
	}
	return nil
}

// lockState takes the directory's lock, in which the holder names itself. The directory is made if needed.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open state directory: %w", err)
	}
	if err := privateState(dir); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(lock.Name())
		lock.Close()
		return nil, remote.WithHint(fmt.Errorf("%w by %s: %s", ErrStateLocked, bytes.TrimSpace(holder), dir), "wait until it has finished, then run this again")
	}
	if err = lock.Truncate(0); err == nil {
		_, err = fmt.Fprintln(lock, whoAmI())
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	return lock, nil
}

// keep writes a file only if its content differs.
func (s *state) keep(name string, content []byte) error {
	if old, err := s.read(name); err == nil && bytes.Equal(old, content) {
		return nil
	}
	return s.write(name, content)
}

func (s *state) close() error {
	if s.lock == nil {
		return nil
	}
	// Closing alone would leave the lock to a process that is being started just now and still shares the file.
	lock := s.lock
	s.lock = nil
	return errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close())
}

func (s *state) path(name string) string { return filepath.Join(s.dir, name) }

// read returns a file's content, decrypted if it is a secret and was encrypted, or fs.ErrNotExist.
func (s *state) read(name string) ([]byte, error) {
	if content, drafted := s.drafts[name]; drafted {
		if content == nil {
			return nil, fmt.Errorf("read %s: %w", s.path(name), fs.ErrNotExist)
		}
		return content, nil
	}
	content, err := os.ReadFile(s.path(name))
	s.saw(name, content, err)
	if err == nil {
		err = damaged(s.path(name), content)
	}
	if err != nil || !isSecret(name) {
		return content, err
	}
	return s.unseal(name, content)
}

// write puts a file in place whole or not at all; a secret encrypted if there is a box.
func (s *state) write(name string, content []byte) error {
	target := s.path(name)
	if s.readOnly {
		if err := s.incomplete(name); err != nil {
			return err
		}
		return remote.WithHint(fmt.Errorf("%w: %s is missing or out of date", ErrNotProvisioned, target), "run pgha-cli apply, or point state_dir of the spec to where it was run")
	}
	if s.drafting() {
		s.draft(name, content)
		return nil
	}
	if s.box != nil && !s.plain && isSecret(name) {
		var err error
		if content, err = s.box.Seal(content); err != nil {
			return fmt.Errorf("write %s: %w", target, err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(target), temporary+"*")
	if err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), target)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	return nil
}

// incomplete is an error if the directory is a cluster's and lacks a secret or an authority: the hosts have it, and no run
// makes it again. A certificate is made again.
func (s *state) incomplete(name string) error {
	id, err := s.identity()
	if err != nil || !id.Known() || filepath.Dir(name) == "certs" {
		return err
	}
	return remote.WithHint(fmt.Errorf("%w: %s has no %s, which the hosts of %s have", ErrRefused, s.dir, name, id.Cluster), restoreState)
}

// restoreState is the way out of an incomplete state directory.
const restoreState = "restore the state directory from its backup, or point state_dir of the spec to where it is"

// password returns the password of that name: the one that the spec's file holds or its command prints, else the one
// generated at the first run.
func (s *state) password(ctx context.Context, name, file string, command []string) (password string, err error) {
	switch {
	case file != "":
		password, err = readSecret(file)
	case len(command) > 0:
		password, err = fetchSecret(ctx, command)
	default:
		password, err = s.generated(filepath.Join("secrets", name))
	}
	if err != nil {
		return "", fmt.Errorf("get the %s password: %w", name, err)
	}
	return password, nil
}

// generated returns the random text in a file, made at the first run.
func (s *state) generated(name string) (string, error) {
	b, err := s.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		b = []byte(rand.Text()) // 26 characters, at least 128 bits
		s.made = append(s.made, name)
		err = s.write(name, b)
	}
	return string(b), err
}

// authority returns the CA of that name, made at the first run.
func (s *state) authority(name, commonName string, opts ...pki.Option) (*pki.CA, error) {
	certFile, keyFile := filepath.Join("ca", name+".crt"), filepath.Join("ca", name+".key")
	cert, certErr := s.read(certFile)
	key, keyErr := s.read(keyFile)
	switch {
	case errors.Is(certErr, fs.ErrNotExist):
		// The certificate is written last: without it the key was never used.
		s.made = append(s.made, certFile)
		ca, err := pki.NewCA(commonName, opts...)
		if err != nil {
			return nil, fmt.Errorf("make the %s CA: %w", name, err)
		}
		if err := s.write(keyFile, ca.KeyPEM().Reveal()); err != nil {
			return nil, err
		}
		return ca, s.write(certFile, ca.CertPEM())
	case certErr != nil || keyErr != nil:
		return nil, fmt.Errorf("load the %s CA: %w", name, errors.Join(certErr, keyErr))
	}
	ca, err := pki.LoadCA(cert, key)
	if err != nil {
		return nil, fmt.Errorf("load the %s CA from %s: %w", name, s.path(certFile), err)
	}
	return ca, nil
}

// leaf is a certificate with its key, as PEM.
type leaf struct{ cert, key []byte }

// certificate returns the stored certificate of that name if it still does what req asks, else a new one.
func (s *state) certificate(ca *pki.CA, name string, req pki.Request) (leaf, error) {
	certFile, keyFile := filepath.Join("certs", name+".crt"), filepath.Join("certs", name+".key")
	cert, certErr := s.read(certFile)
	key, keyErr := s.read(keyFile)
	for _, err := range []error{certErr, keyErr} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a backup may bring it back; another one might not fit the hosts
			return leaf{}, fmt.Errorf("load certificate %s: %w", name, err)
		}
	}
	if certErr == nil && keyErr == nil && ca.Covers(cert, req) == nil {
		if _, err := pki.ParseLeaf(cert, key); err == nil {
			return leaf{cert, key}, nil
		}
	}
	if s.readOnly && certErr == nil && keyErr == nil {
		return leaf{cert, key}, nil // due or outdated: apply will replace it
	}
	issued, err := ca.Issue(req)
	if err != nil {
		return leaf{}, fmt.Errorf("issue certificate %s: %w", name, err)
	}
	if err := errors.Join(s.write(keyFile, issued.KeyPEM.Reveal()), s.write(certFile, issued.CertPEM)); err != nil {
		return leaf{}, err
	}
	return leaf{issued.CertPEM, issued.KeyPEM.Reveal()}, nil
}
