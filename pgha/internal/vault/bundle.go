package vault

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/sealed"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// A copy of the state directory that leaves this machine is one file: a tar archive, compressed
// with gzip and encrypted with age as a whole. So whoever has an identity needs no pgha to open it:
// age -d -i IDENTITY state.age | tar xz.

// ErrLargeCopy: a copy of the state directory would be larger than etcd takes.
var ErrLargeCopy = errors.New("the state directory is too large for etcd")

const (
	// bundleLimit bounds a copy. etcd takes requests of 1.5 MiB, unless it is told otherwise
	// (--max-request-bytes), and there is more in a request.
	bundleLimit = 1 << 20
	// unpackedLimit bounds what comes out of a copy: more than compresses into one.
	unpackedLimit = 64 << 20
	// pulling marks a directory into which a copy is being written.
	pulling = "pulling"
)

// bundled tells whether a file belongs to a copy: not the lock, not what is made of other files.
func bundled(name string) bool {
	base := filepath.Base(name)
	if strings.HasPrefix(base, temporary) {
		return false
	}
	switch filepath.Dir(name) {
	case "ca", "certs", "secrets":
		return true
	case ".":
		return name == IdentityFile || name == AddressesFile || name == "postgres-ca.crt"
	}
	return false
}

// Files are what a copy of the state directory holds, decrypted, by their names in it.
func (s *State) Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(s.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(s.Dir, path)
		if err != nil || !bundled(name) {
			return err
		}
		files[name], err = s.Read(name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("copy the state directory: %w", err)
	}
	return files, nil
}

// DigestOf sums up files, so that two copies can be compared without opening them. Most of them are
// keys and passwords of 128 bits and more: the sum tells nothing of them.
func DigestOf(files map[string][]byte) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, part := range [][]byte{[]byte(name), files[name]} {
			_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash takes everything
			h.Write(part)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// SumOf is the SHA-256 of a file, in hexadecimal.
func SumOf(file []byte) string {
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:])
}

// Pack makes a copy of files, encrypted for the recipients of the box. The error matches
// ErrLargeCopy where etcd would not take it.
func Pack(files map[string][]byte, box *sealed.Box) ([]byte, error) {
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err := archive.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o600,
			Size: int64(len(files[name]))})
		if err == nil {
			_, err = archive.Write(files[name])
		}
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return nil, fmt.Errorf("pack the state directory: %w", err)
	}
	file, err := box.Seal(packed.Bytes())
	if err != nil {
		return nil, fmt.Errorf("pack the state directory: %w", err)
	}
	if len(file) > bundleLimit {
		return nil, fmt.Errorf("%w: %d bytes encrypted, and at most %d go in", ErrLargeCopy,
			len(file), bundleLimit)
	}
	return file, nil
}

// Unpack opens a copy. The error matches ErrSealed where the box has no identity for it.
func Unpack(file []byte, box *sealed.Box) (map[string][]byte, error) {
	if box == nil {
		return nil, fmt.Errorf("open the copy of the state directory: it is %w", ErrSealed)
	}
	packed, err := box.Open(file)
	if errors.Is(err, sealed.ErrWrongIdentity) {
		return nil, errs.WithNext(fmt.Errorf("open the copy of the state directory: it is %w for "+
			"others than the identity of secrets.age", ErrSealed),
			errs.Text("name an identity that it was encrypted for in secrets.age; or let somebody "+
				"who has one add your recipient to the specification and run %s",
				errs.Verb("secrets", "encrypt")))
	}
	var files map[string][]byte
	if err == nil {
		files, err = unpack(packed)
	}
	if err != nil {
		return nil, remote.WithHint(fmt.Errorf("open the copy of the state directory: %w", err),
			"this copy is damaged; there may be others, in etcd and on the other database hosts")
	}
	return files, nil
}

// unpack takes an archive apart. Names that lead elsewhere are refused: nobody signs a copy.
func unpack(packed []byte) (map[string][]byte, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	files, left := map[string][]byte{}, int64(unpackedLimit)
	archive := tar.NewReader(io.LimitReader(zipped, unpackedLimit))
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		name := filepath.FromSlash(head.Name)
		if left -= head.Size; head.Typeflag != tar.TypeReg || !filepath.IsLocal(name) ||
			!bundled(name) || left < 0 {
			return nil, fmt.Errorf("%q does not belong into a state directory", head.Name)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		files[name] = content
	}
	if len(files[IdentityFile]) == 0 {
		return nil, fmt.Errorf("it has no %s", IdentityFile)
	}
	return files, nil
}

// Vacant tells whether the state directory is not there or empty, or a copy was being written into
// it by a process that was killed.
func (s *State) Vacant() (bool, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("open state directory: %w", err)
	}
	vacant := true
	for _, e := range entries {
		if e.Name() == pulling {
			return true, nil
		}
		vacant = vacant && (e.Name() == "lock" || strings.HasPrefix(e.Name(), temporary))
	}
	return vacant, nil
}

// Replace puts the files of a copy in the place of those of a state directory, encrypted for the
// recipients where there is a box, unless accept, which is asked with the lock held, refuses. Each
// file is written whole; a process that is killed leaves a directory that the next one fills. The
// error matches ErrStateLocked while another process of this machine works with the directory.
func Replace(dir string, box *sealed.Box, recipients []string, files map[string][]byte,
	accept func(*State) error) (err error) {
	s, err := OpenState(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	s.Box = box
	if err := accept(s); err != nil {
		return err
	}
	if err := s.Write(pulling, []byte("a copy of the state directory is written here\n")); err != nil {
		return err
	}
	have, err := s.Files()
	if err != nil {
		have = nil // of a mixture: every file is written
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if was, there := have[name]; there && bytes.Equal(was, files[name]) || name == IdentityFile {
			continue
		}
		if err := s.Write(name, files[name]); err != nil {
			return err
		}
	}
	if err := s.removeOthers(files); err != nil {
		return err
	}
	if err := s.Write(IdentityFile, files[IdentityFile]); err != nil {
		return err
	}
	if _, err := s.settle(recipients); err != nil {
		return err
	}
	return s.Remove(pulling)
}

// removeOthers removes what a copy would hold and this one does not, and what was made of former
// files.
func (s *State) removeOthers(files map[string][]byte) error {
	return filepath.WalkDir(s.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(s.Dir, path)
		if err != nil {
			return err
		}
		if _, there := files[name]; there || !bundled(name) && name != PassFileName &&
			name != PasswordFileName {
			return nil
		}
		return s.Remove(name)
	})
}

// KnownBy says in words what somebody who can open the files knows, sorted.
func KnownBy(files map[string][]byte) []string {
	var known []string
	for name := range files {
		base := filepath.Base(name)
		switch dir := filepath.Dir(name); {
		case dir == "secrets" && base == backupKey:
			known = append(known, "the key of the backups")
		case dir == "secrets" && filepath.Ext(base) == "":
			known = append(known, "the password of "+strings.TrimPrefix(base, "role-"))
		case dir == "ca" && filepath.Ext(base) == ".key":
			known = append(known, "the key of the authority of "+strings.TrimSuffix(base, ".key"))
		}
	}
	slices.Sort(known)
	return known
}
