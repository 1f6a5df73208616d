package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const maxSmallFile = 64 << 10

// smallFile returns the contents of a key or password file, or reports why it can't.
func (c *checker) smallFile(field, path string, private bool) ([]byte, bool) {
	f, info, ok := c.open(field, path)
	if !ok {
		return nil, false
	}
	defer f.Close()
	if private && info.Mode().Perm()&0o077 != 0 {
		c.bad(field, fmt.Sprintf("%s may be read by others (mode %04o)", path, info.Mode().Perm()),
			"run chmod 600 "+path)
		return nil, false
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	switch {
	case err != nil:
		c.bad(field, "cannot read "+path+": "+reason(err), "check the path")
	case len(b) > maxSmallFile:
		c.bad(field, path+" is too long for what it should be", "check the path")
	case len(bytes.TrimSpace(b)) == 0:
		c.bad(field, path+" is empty", "check the path")
	default:
		return b, true
	}
	return nil, false
}

// ownFile is smallFile for a file that lets anyone who can write it do what this user may: it has
// to be this user's.
func (c *checker) ownFile(field, path string) ([]byte, bool) {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && !ownedByUser(info) {
		c.bad(field, path+" belongs to another user",
			"run chown "+strconv.Itoa(os.Geteuid())+" "+path+", or name a file of this user's")
		return nil, false
	}
	return c.smallFile(field, path, true)
}

// open opens a regular file that must exist.
func (c *checker) open(field, path string) (*os.File, fs.FileInfo, bool) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		c.bad(field, path+" is not a file", "write the path of a file")
		return nil, nil, false
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.bad(field, path+" does not exist", "check the path; relative ones start at the spec's "+
			"folder")
	case errors.Is(err, fs.ErrPermission):
		c.bad(field, path+" may not be read by this user",
			"make it readable for its owner, and run this as that user")
	case err != nil:
		c.bad(field, "cannot open "+path+": "+reason(err), "check the path")
	}
	return f, info, err == nil
}

// reason is an error of the file system without the path that the message names already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func (c *checker) identity(field, path string) {
	b, ok := c.smallFile(field, path, !strings.HasSuffix(path, ".pub"))
	if ok && !bytes.Contains(b, []byte("PRIVATE KEY-----")) {
		c.bad(field, path+" holds no private key in OpenSSH or PEM format",
			"name the private key, not the .pub file")
	}
}

func (c *checker) repositoryKey(field string) {
	if c.PostgreSQL.Repository.KeyFile == "" {
		c.bad(field, "is missing with source: mirror",
			"write the path of the public key that signs the repository")
		return
	}
	b, ok := c.smallFile(field, c.PostgreSQL.Repository.KeyFile, false)
	binary := len(b) > 0 && b[0]&0x80 != 0 // an OpenPGP packet's first bit is always set
	if ok && !binary && !bytes.Contains(b, []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----")) {
		c.bad(field, c.PostgreSQL.Repository.KeyFile+" holds no OpenPGP public key",
			"export it with gpg --export --armor")
	}
}

func (c *checker) archiveFile(field, path string) {
	f, _, ok := c.open(field, path)
	if !ok {
		return
	}
	defer f.Close()
	var magic [2]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil || magic != [2]byte{0x1f, 0x8b} {
		c.bad(field, path+" is not a .tar.gz archive",
			"name the archive of etcd's release page, as it was downloaded")
	}
}

// systemPaths belong to the system, or to everybody: none becomes one service's own. What lies
// below them may.
var systemPaths = []string{"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32",
	"/lib64", "/lost+found", "/media", "/mnt", "/opt",
	"/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var",
	"/usr/bin", "/usr/lib", "/usr/local", "/usr/sbin", "/usr/share", "/var/cache", "/var/lib",
	"/var/log", "/var/run", "/var/spool", "/var/tmp",
	"/var/lib/postgresql"}

// fleeting are emptied at a restart, or hold no files of anybody's; nothing below them can be kept.
var fleeting = []string{"/dev", "/proc", "/run", "/sys", "/tmp", "/var/run"}

// directory reports a path on the hosts that cannot be a data directory.
func (c *checker) directory(field, dir, example string) {
	switch {
	case path.IsAbs(dir) && path.Clean(dir) != dir && isPlainPath(path.Clean(dir)) &&
		!slices.Contains(systemPaths, path.Clean(dir)):
		c.bad(field, quoted(dir)+" is not the shortest form of a path", "write "+path.Clean(dir))
	case !path.IsAbs(dir) || path.Clean(dir) != dir || !isPlainPath(dir):
		c.bad(field, quoted(dir)+" is not a plain absolute path", "write a path such as "+example)
	case slices.ContainsFunc(fleeting, func(top string) bool {
		return strings.HasPrefix(dir+"/", top+"/")
	}):
		c.bad(field, quoted(dir)+" does not outlive a restart of the host",
			"write a path such as "+example)
	case slices.Contains(systemPaths, dir):
		// The directory is owned by its service alone.
		c.bad(field, quoted(dir)+" belongs to the system",
			"write a directory of its own, such as "+path.Join(dir, "pgha"))
	}
}

// isPlainPath tells whether a path holds nothing that a shell, a unit or a configuration file would
// take for something else.
func isPlainPath(dir string) bool {
	return !strings.ContainsFunc(dir, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`"'\$%`, r)
	})
}

// stateDir refuses directories that are others' as well: the state directory holds keys, and is
// closed to everybody else.
func (c *checker) stateDir() {
	home, _ := os.UserHomeDir()
	remedy := "write a directory of its own, such as " + filepath.Join(c.StateDir,
		c.Cluster+".state")
	info, err := os.Stat(c.StateDir)
	switch {
	case slices.Contains(systemPaths, c.StateDir):
		c.bad("state_dir", c.StateDir+" belongs to the system", remedy)
	case c.StateDir == home:
		c.bad("state_dir", c.StateDir+" is a home directory", remedy)
	case c.d.file != "" && c.StateDir == absolutePath(filepath.Dir(c.d.file)):
		c.bad("state_dir", c.StateDir+" is the folder of the specification itself", remedy)
	case err == nil && !info.IsDir():
		c.bad("state_dir", c.StateDir+" is not a directory", "write the path of a directory")
	}
}

func absolutePath(p string) string {
	if full, err := filepath.Abs(p); err == nil {
		return full
	}
	return p
}
