package spec

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

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
	remedy := "write a directory of its own, such as " + filepath.Join(c.StateDir, c.Cluster+".state")
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
