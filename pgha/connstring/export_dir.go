package connstring

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
)

// exportFile is a file to write. A bare one holds the password alone, and no signature.
type exportFile struct {
	name    string
	content []byte
	bare    bool
}

// exportDir is the directory of an export. It goes through os.Root: a link that its owner puts
// there leads root nowhere else.
type exportDir struct {
	path  string
	owner account
	made  bool // by this run
	*os.Root
}

// openExport opens the directory, made if it is not there.
func openExport(path string, owner account) (*exportDir, error) {
	info, err := os.Lstat(path)
	switch {
	case notThere(err):
		return makeExport(path, owner)
	case err != nil:
		return nil, fmt.Errorf("export: %w", err)
	case !info.IsDir():
		return nil, remote.WithHint(fmt.Errorf("%w: %s is no directory", errs.ErrRefused, path),
			"name a directory that is not there yet, or one of an earlier export")
	case info.Mode().Perm()&0o022 != 0:
		return nil, remote.WithHint(fmt.Errorf("%w: others can write to %s (mode %04o)",
			errs.ErrRefused, path, info.Mode().Perm()), "run chmod 700 "+path)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		uid := int(stat.Uid)
		if uid != os.Geteuid() && uid != 0 && (owner.name == "" || uid != owner.uid) {
			return nil, remote.WithHint(fmt.Errorf("%w: %s belongs to another account (uid %d)",
				errs.ErrRefused, path, uid), "name that account as the owner, or another directory")
		}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return &exportDir{path: path, owner: owner, Root: root}, nil
}

func makeExport(path string, owner account) (*exportDir, error) {
	if err := os.Mkdir(path, 0o700); err != nil {
		if notThere(err) {
			err = remote.WithHint(err, "make its parent directory first")
		}
		return nil, fmt.Errorf("export: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err == nil && owner.other() {
		if err = root.Chown(".", owner.uid, owner.gid); err != nil {
			err = errors.Join(err, root.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("export: %w", errors.Join(err, os.Remove(path)))
	}
	return &exportDir{path: path, owner: owner, made: true, Root: root}, nil
}

// check refuses what is in the way, before anything is written.
func (d *exportDir) check(files []exportFile) error {
	if d.made {
		return nil
	}
	for _, f := range files {
		info, err := d.Lstat(f.name)
		if notThere(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		if !info.Mode().IsRegular() {
			return foreign(filepath.Join(d.path, f.name))
		}
		content, err := d.ReadFile(f.name)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		if !bytes.Equal(content, f.content) && !own(content) && !(f.bare && d.recorded(content)) {
			return foreign(filepath.Join(d.path, f.name))
		}
	}
	return nil
}

// recorded tells whether an earlier export wrote this password: its password file then has it, too.
func (d *exportDir) recorded(password []byte) bool {
	passFile, err := d.ReadFile(vault.PassFileName)
	field := []byte(":" + pgsession.PassFileField(string(bytes.TrimRight(password, "\n"))) + "\n")
	return err == nil && own(passFile) && bytes.HasSuffix(passFile, field)
}

// write replaces a file whole, unless it is as it should be.
func (d *exportDir) write(f exportFile) (err error) {
	content, err := d.ReadFile(f.name)
	if err == nil && bytes.Equal(content, f.content) {
		if info, err := d.Lstat(f.name); err == nil && info.Mode().Perm() == 0o600 && d.owns(info) {
			return nil
		}
	}
	name := ".new-" + rand.Text()
	file, err := d.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Remove(name))
		}
	}()
	_, err = file.Write(f.content)
	if err == nil && d.owner.other() {
		err = file.Chown(d.owner.uid, d.owner.gid)
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return d.Rename(name, f.name)
}

// owns tells whether a file belongs to whom it should.
func (d *exportDir) owns(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	want := os.Geteuid()
	if d.owner.name != "" {
		want = d.owner.uid
	}
	return ok && int(stat.Uid) == want
}

func sum(content []byte) string {
	s := sha256.Sum256(content)
	return hex.EncodeToString(s[:])
}
