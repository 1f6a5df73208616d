package lab

import (
	"cmp"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pgha/toolkit/internal/layouts"
)

// DefaultCacheDir is where images and labs are kept when Options.CacheDir is empty.
const DefaultCacheDir = "/var/cache/pgha-lab"

// Options says which lab to start or to open. The zero value is the
// six-host laboratory called "demo" on Debian testing.
type Options struct {
	// Name tells labs on one machine apart. It is made of lower-case letters,
	// digits and dashes, starts with a letter and has at most 32 characters.
	// The default is "demo".
	Name string

	// Hosts is the number of hosts, 1 to 10. The databases are the smallest
	// odd number that is at least half of it, so that they can form a quorum;
	// the rest are balancers: 6 gives 3 + 3, 5 gives 3 + 2, 3 gives three
	// databases alone. Zero means 6 for a new lab, and whatever the lab has
	// for an existing one.
	Hosts int

	// Databases is how many of a new lab's hosts are databases, and the others
	// balancers. Zero means the number that Hosts tells.
	Databases int

	// Layout names what a new lab's hosts are for, as spec.Layouts has it: "witness" makes two
	// databases and a host of etcd alone. It decides how many hosts there are, so Hosts and
	// Databases must be zero. Empty means what these two say.
	Layout string

	// Release is the Debian release the hosts run: "testing" or "trixie".
	// Empty means "testing" for a new lab, and whatever the lab has for an
	// existing one.
	Release string

	// IPv6 gives a new lab addresses of IPv6, and none of IPv4. False means
	// IPv4 for a new lab, and whatever the lab has for an existing one.
	IPv6 bool

	// Installed gives the hosts of a new lab the packages that an apply installs, not started and
	// not configured, which saves three quarters of a first apply's time. False means bare hosts
	// for a new lab, and whatever the lab has for an existing one.
	Installed bool
	// CacheDir holds the images and the labs' files. It needs about 1.5 GB for
	// each release, a file system that can hold overlay uppers (ext4, xfs),
	// and a path without spaces, commas, colons or backslashes. The default
	// is DefaultCacheDir.
	CacheDir string

	// Progress receives what happens while something long runs. Its calls never
	// overlap, come from other goroutines, and hold the work up while they
	// last. Nil means nobody listens.
	Progress func(Event)

	// Logger receives diagnostics. Nil means none.
	Logger *slog.Logger
}

const (
	defaultName    = "demo"
	defaultHosts   = 6
	defaultRelease = "testing"
	maxHosts       = 10
)

var (
	labName      = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	badCachePath = " \t\n,:\\\"'"
)

// withDefaults returns a checked copy. Hosts and Release stay empty: their
// defaults depend on whether the lab exists already.
func (o Options) withDefaults() (Options, error) {
	if o.Name == "" {
		o.Name = defaultName
	}
	if o.CacheDir == "" {
		o.CacheDir = DefaultCacheDir
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if !labName.MatchString(o.Name) {
		return o, fmt.Errorf(
			"%w: name %q: want lower-case letters, digits and dashes, a letter first, at most 32",
			ErrInvalid, o.Name)
	}
	if o.Hosts < 0 || o.Hosts > maxHosts {
		return o, fmt.Errorf("%w: hosts: want 1 to %d, got %d", ErrInvalid, maxHosts, o.Hosts)
	}
	if hosts := cmp.Or(o.Hosts, defaultHosts); o.Databases < 0 || o.Databases > hosts {
		return o, fmt.Errorf("%w: databases: want 1 to %d, got %d", ErrInvalid, hosts,
			o.Databases)
	}
	if o.Layout != "" {
		if _, err := layouts.Named(o.Layout); err != nil {
			return o, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		if o.Hosts != 0 || o.Databases != 0 {
			return o, fmt.Errorf("%w: layout %s says how many hosts and databases there are",
				ErrInvalid, o.Layout)
		}
	}
	if o.Release != "" {
		if _, err := releaseByName(o.Release); err != nil {
			return o, err
		}
	}
	if strings.ContainsAny(o.CacheDir, badCachePath) {
		return o, fmt.Errorf(
			"%w: cache directory %q: spaces, commas, colons, quotes and backslashes cannot stand "+
				"in overlay options", ErrInvalid, o.CacheDir)
	}
	dir, err := filepath.Abs(o.CacheDir)
	if err != nil {
		return o, fmt.Errorf("resolve cache directory: %w", err)
	}
	o.CacheDir = dir
	return o, nil
}
