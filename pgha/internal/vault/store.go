package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/pgha/toolkit/internal/sealed"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/remote"
)

var (
	// ErrStateLocked: another process of this machine changes the cluster with the same state
	// directory.
	ErrStateLocked = errs.New(errs.Locked, "state directory is in use")
	// ErrNotProvisioned: the state directory holds no cluster, so apply has not been run from here.
	ErrNotProvisioned = errs.New(errs.NotFound, "the cluster has not been applied from here")
)

// State is the operator's directory: the CAs' keys, the passwords and every certificate issued. It
// is the only place where they all are; it has mode 0700 and each file in it 0600, and none of it
// but a host's own share leaves it.
type State struct {
	Dir  string
	lock *os.File
	// ReadOnly refuses to make what is not there, and to remove what is: ErrNotProvisioned.
	ReadOnly bool
	// direct writes at once without the lock: for a file that is made of others there.
	Direct bool
	// mu guards lock, drafts and seen: several methods of one cluster may read at the same time.
	mu sync.Mutex
	// drafts are files that begin will write, and with nil content remove; seen are the files as
	// they were read first, and made the secrets and authorities among the drafts: what no host can
	// have.
	drafts map[string][]byte
	seen   map[string]sum
	Made   []string
	// box, when set, encrypts secrets as they are written and reads them; plain leaves them plain
	// all the same.
	Box   *sealed.Box
	Plain bool
	// Choose says what becomes of each certificate when credentials are loaded; nil is AsDue for
	// all. It is set before a load, by whoever has the state to itself.
	Choose func(certs.Certificate) Choice
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
		return remote.WithHint(fmt.Errorf("state directory %s is no directory", dir),
			"state_dir of the spec names a directory")
	case info.Mode().Perm()&0o077 != 0:
		return remote.WithHint(fmt.Errorf("state directory %s is open to others (mode %04o)", dir,
			info.Mode().Perm()),
			"it holds private keys: run chmod 700 "+dir)
	}
	return nil
}

// lockState takes the directory's lock, in which the holder names itself. The directory is made if
// needed.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open state directory: %w", err)
	}
	if err := PrivateState(dir); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"),
		os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(lock.Name())
		lock.Close()
		return nil, remote.WithHint(fmt.Errorf("%w by %s: %s", ErrStateLocked,
			bytes.TrimSpace(holder), dir),
			"wait until it has finished, then run this again")
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return nil
	}
	// Closing alone would leave the lock to a process that is being started just now and still
	// shares the file.
	lock := s.lock
	s.lock = nil
	return errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close())
}

// Writing tells whether the state is one that is written to, with the directory's lock held.
func (s *State) Writing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lock != nil
}

// Path returns the path of a file of the state directory.
func (s *State) Path(name string) string { return filepath.Join(s.Dir, name) }

// Read returns a file's content, decrypted if it is a secret and was encrypted, or fs.ErrNotExist.
func (s *State) Read(name string) ([]byte, error) {
	s.mu.Lock()
	content, drafted := s.drafts[name]
	s.mu.Unlock()
	if drafted {
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

// File returns the content of a public file, and whether it is there. A damaged one is there.
func (s *State) File(name string) (content []byte, there bool) {
	content, err := s.Read(name)
	return content, !errors.Is(err, fs.ErrNotExist)
}

// Write puts a file in place whole or not at all; a secret encrypted if there is a box.
func (s *State) Write(name string, content []byte) error {
	target := s.Path(name)
	if s.ReadOnly {
		if err := s.incomplete(name); err != nil {
			return err
		}
		return s.refuse(name, "is missing or out of date")
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

// refuse is the error of a read-only state that would have to change a file.
func (s *State) refuse(name, why string) error {
	err := fmt.Errorf("%w: %s %s", ErrNotProvisioned, s.Path(name), why)
	if s.Box != nil {
		return errs.WithNext(err, errs.Text("%s fetches the state of a cluster that was applied "+
			"from elsewhere; %s makes a new cluster", errs.Verb("state", "pull"),
			errs.Verb("apply")))
	}
	return errs.WithNext(err,
		errs.Text("run %s, or point state_dir of the spec to where it was run", errs.Verb("apply")))
}

// Remove deletes a file if it is there. A read-only state keeps it: ErrNotProvisioned.
func (s *State) Remove(name string) error {
	if s.ReadOnly {
		if _, there := s.File(name); there {
			return s.refuse(name, "is left over from an interrupted run")
		}
		return nil
	}
	if s.drafting() {
		s.draft(name, nil)
		return nil
	}
	if err := os.Remove(s.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// incomplete is an error if the directory is a cluster's and lacks a secret or an authority: the
// hosts have it, and no run makes it again. A certificate is made again.
func (s *State) incomplete(name string) error {
	id, err := s.Identity()
	if err != nil || !id.Known() || filepath.Dir(name) == "certs" {
		return err
	}
	return remote.WithHint(fmt.Errorf("%w: %s has no %s, which the hosts of %s have",
		errs.ErrRefused,
		s.Dir, name, id.Cluster), RestoreState)
}

// RestoreState is the way out of an incomplete state directory.
const RestoreState = "restore the state directory from its backup, or point state_dir of the " +
	"spec to where it is"
