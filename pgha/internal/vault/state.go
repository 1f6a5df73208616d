package vault

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

	"github.com/pgha/toolkit/internal/errs"
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

// State is the operator's directory: the CAs' keys, the passwords and every certificate issued. It is the only place
// where they all are; it has mode 0700 and each file in it 0600, and none of it but a host's own share leaves it.
type State struct {
	Dir  string
	lock *os.File
	// readOnly refuses to make what is not there: ErrNotProvisioned.
	ReadOnly bool
	// direct writes at once without the lock: for a file that is made of others there.
	Direct bool
	// drafts are files that begin will write, and with nil content remove; seen are the files as they were read first, and
	// made the secrets and authorities among the drafts: what no host can have.
	drafts map[string][]byte
	seen   map[string]sum
	Made   []string
	// box, when set, encrypts secrets as they are written and reads them; plain leaves them plain all the same.
	Box   *sealed.Box
	Plain bool
}

// temporary begins the names of files that are being written.
const temporary = ".new-"

// OpenState makes the directory if needed and keeps other processes out until close is called.
func OpenState(dir string) (*State, error) {
	lock, err := lockState(dir)
	if err != nil {
		return nil, err
	}
	return &State{Dir: dir, lock: lock}, nil
}

// PrivateState refuses a state directory that others may enter; one that is not there is private.
func PrivateState(dir string) error {
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
	if err := PrivateState(dir); err != nil {
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
		_, err = fmt.Fprintln(lock, WhoAmI())
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	return lock, nil
}

// Keep writes a file only if its content differs.
func (s *State) Keep(name string, content []byte) error {
	if old, err := s.Read(name); err == nil && bytes.Equal(old, content) {
		return nil
	}
	return s.Write(name, content)
}

// Close gives up the lock; repeating it is safe.
func (s *State) Close() error {
	if s.lock == nil {
		return nil
	}
	// Closing alone would leave the lock to a process that is being started just now and still shares the file.
	lock := s.lock
	s.lock = nil
	return errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close())
}

// Path returns the path of a file of the state directory.
func (s *State) Path(name string) string { return filepath.Join(s.Dir, name) }

// Read returns a file's content, decrypted if it is a secret and was encrypted, or fs.ErrNotExist.
func (s *State) Read(name string) ([]byte, error) {
	if content, drafted := s.drafts[name]; drafted {
		if content == nil {
			return nil, fmt.Errorf("read %s: %w", s.Path(name), fs.ErrNotExist)
		}
		return content, nil
	}
	content, err := os.ReadFile(s.Path(name))
	s.saw(name, content, err)
	if err == nil {
		err = damaged(s.Path(name), content)
	}
	if err != nil || !isSecret(name) {
		return content, err
	}
	return s.unseal(name, content)
}

// Write puts a file in place whole or not at all; a secret encrypted if there is a box.
func (s *State) Write(name string, content []byte) error {
	target := s.Path(name)
	if s.ReadOnly {
		if err := s.incomplete(name); err != nil {
			return err
		}
		return remote.WithHint(fmt.Errorf("%w: %s is missing or out of date", ErrNotProvisioned, target), "run pgha-cli apply, or point state_dir of the spec to where it was run")
	}
	if s.drafting() {
		s.draft(name, content)
		return nil
	}
	if s.Box != nil && !s.Plain && isSecret(name) {
		var err error
		if content, err = s.Box.Seal(content); err != nil {
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
func (s *State) incomplete(name string) error {
	id, err := s.Identity()
	if err != nil || !id.Known() || filepath.Dir(name) == "certs" {
		return err
	}
	return remote.WithHint(fmt.Errorf("%w: %s has no %s, which the hosts of %s have", errs.ErrRefused, s.Dir, name, id.Cluster), RestoreState)
}

// RestoreState is the way out of an incomplete state directory.
const RestoreState = "restore the state directory from its backup, or point state_dir of the spec to where it is"

// Password returns the password of that name: the one that the spec's file holds or its command prints, else the one
// generated at the first run.
func (s *State) Password(ctx context.Context, name, file string, command []string) (password string, err error) {
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
func (s *State) generated(name string) (string, error) {
	b, err := s.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		b = []byte(rand.Text()) // 26 characters, at least 128 bits
		s.Made = append(s.Made, name)
		err = s.Write(name, b)
	}
	return string(b), err
}

// Authority returns the CA of that name, made at the first run.
func (s *State) Authority(name, commonName string, opts ...pki.Option) (*pki.CA, error) {
	certFile, keyFile := filepath.Join("ca", name+".crt"), filepath.Join("ca", name+".key")
	cert, certErr := s.Read(certFile)
	key, keyErr := s.Read(keyFile)
	switch {
	case errors.Is(certErr, fs.ErrNotExist):
		// The certificate is written last: without it the key was never used.
		s.Made = append(s.Made, certFile)
		ca, err := pki.NewCA(commonName, opts...)
		if err != nil {
			return nil, fmt.Errorf("make the %s CA: %w", name, err)
		}
		if err := s.Write(keyFile, ca.KeyPEM().Reveal()); err != nil {
			return nil, err
		}
		return ca, s.Write(certFile, ca.CertPEM())
	case certErr != nil || keyErr != nil:
		return nil, fmt.Errorf("load the %s CA: %w", name, errors.Join(certErr, keyErr))
	}
	ca, err := pki.LoadCA(cert, key)
	if err != nil {
		return nil, fmt.Errorf("load the %s CA from %s: %w", name, s.Path(certFile), err)
	}
	return ca, nil
}

// Leaf is a certificate with its key, as PEM.
type Leaf struct{ Cert, Key []byte }

// certificate returns the stored certificate of that name if it still does what req asks, else a new one.
func (s *State) certificate(ca *pki.CA, name string, req pki.Request) (Leaf, error) {
	certFile, keyFile := filepath.Join("certs", name+".crt"), filepath.Join("certs", name+".key")
	cert, certErr := s.Read(certFile)
	key, keyErr := s.Read(keyFile)
	for _, err := range []error{certErr, keyErr} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a backup may bring it back; another one might not fit the hosts
			return Leaf{}, fmt.Errorf("load certificate %s: %w", name, err)
		}
	}
	if certErr == nil && keyErr == nil && ca.Covers(cert, req) == nil {
		if _, err := pki.ParseLeaf(cert, key); err == nil {
			return Leaf{cert, key}, nil
		}
	}
	if s.ReadOnly && certErr == nil && keyErr == nil {
		return Leaf{cert, key}, nil // due or outdated: apply will replace it
	}
	issued, err := ca.Issue(req)
	if err != nil {
		return Leaf{}, fmt.Errorf("issue certificate %s: %w", name, err)
	}
	if err := errors.Join(s.Write(keyFile, issued.KeyPEM.Reveal()), s.Write(certFile, issued.CertPEM)); err != nil {
		return Leaf{}, err
	}
	return Leaf{issued.CertPEM, issued.KeyPEM.Reveal()}, nil
}
