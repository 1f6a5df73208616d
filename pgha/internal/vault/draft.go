package vault

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Looking writes nothing. Until begin is called, whatever has to be made again (a certificate that
// is due, the authorities of a first run) is a draft in memory, and reads find it there. So a plan
// of another specification, and an apply that is refused, leave the state directory as it was.

// sum stands for a file's content as it was read; the zero sum for a file that was not there.
type sum [sha256.Size]byte

// drafting tells whether writes stay in memory.
func (s *State) drafting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lock == nil && !s.ReadOnly && !s.Direct
}

// draft keeps a file in memory that begin will write, or with nil one that it will remove.
func (s *State) draft(name string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drafts == nil {
		s.drafts = map[string][]byte{}
	}
	s.drafts[name] = content
}

// isNew tells whether a file is a draft of what was not there.
func (s *State) isNew(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, read := s.seen[name]
	return s.drafts[name] != nil && read && was == sum{}
}

// saw remembers how a file was read first.
func (s *State) saw(name string, content []byte, err error) {
	if !s.drafting() || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]sum{}
	}
	if _, before := s.seen[name]; !before {
		s.seen[name] = sumOf(content, err)
	}
}

func sumOf(content []byte, err error) sum {
	if err != nil {
		return sum{}
	}
	return sha256.Sum256(content)
}

// Begin makes the state one that is written to: it keeps other processes out until close is called,
// refuses if one of them has changed what was read here, brings secrets into the form that the spec
// asks for, and writes the drafts. With nothing to write it writes nothing but the lock. Again it
// does nothing.
func (s *State) Begin(sp *spec.Spec) error {
	if !s.drafting() {
		return nil
	}
	lock, err := lockState(s.Dir)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.lock = lock
	s.mu.Unlock()
	err = s.unchanged()
	if err == nil {
		err = s.flush(sp)
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	s.Made = nil // it is there now
	return nil
}

// unchanged refuses to go on from what another process has replaced meanwhile.
func (s *State) unchanged() error {
	s.mu.Lock()
	seen := maps.Clone(s.seen)
	s.mu.Unlock()
	for name, was := range seen {
		content, err := os.ReadFile(s.Path(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read %s again: %w", s.Path(name), err)
		}
		if sumOf(content, err) != was {
			return remote.WithHint(fmt.Errorf("%w: %s has been changed by another process since "+
				"this one began",
				errs.ErrRefused, s.Path(name)), "run it again")
		}
	}
	return nil
}

// flush writes the drafts: keys before their certificates, which say that the keys are there, and
// removals last.
func (s *State) flush(sp *spec.Spec) error {
	s.mu.Lock()
	drafts := s.drafts
	s.drafts = nil
	s.mu.Unlock()
	if _, err := s.settle(sp.Secrets.Age.Recipients); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(drafts))
	slices.SortStableFunc(names, func(a, b string) int {
		return flushOrder(a, drafts[a]) - flushOrder(b, drafts[b])
	})
	for _, name := range names {
		var err error
		if content := drafts[name]; content != nil {
			err = s.Write(name, content)
		} else {
			err = s.Remove(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func flushOrder(name string, content []byte) int {
	switch {
	case content == nil:
		return 2
	case strings.HasSuffix(name, ".crt"):
		return 1
	}
	return 0
}

// damaged says why a file of the state directory cannot be right, or is nil. None is ever empty.
func damaged(path string, content []byte) error {
	if len(bytes.TrimSpace(content)) > 0 {
		return nil
	}
	return remote.WithHint(fmt.Errorf("%s is empty", path),
		"take it from a backup of the state directory")
}
