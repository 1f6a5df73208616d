package layout

import (
	"io/fs"
	"slices"

	"github.com/pgha/toolkit/pgha/remote"
)

// What files are made from where it is no field of the specification.
const (
	FromTemplates = "this program's own templates"
	FromVault     = "certificates in the state directory (state_dir, hosts, tls)"
	FromRole      = "the role of the host"
)

// Layout is what one component puts on each of its hosts.
type Layout struct {
	// Component is its name: "etcd", "patroni", "haproxy", ...
	Component string
	// Packages are what it needs, and the units that they must not start by themselves.
	Packages remote.Packages
	// PackagesFrom names the fields of the specification that the packages follow from.
	PackagesFrom string
	// BeforePackages must be on the host before the packages are installed.
	BeforePackages []remote.Resource
	// Users are the system accounts that it adds.
	Users []string
	// Units in the order in which they are started.
	Units []Unit
	// Files are the files and folders that it writes, folders before what is in them.
	Files []File
	// Ports are what its units listen on.
	Ports []Port
	// Certificates are the pairs of certificate and key among Files.
	Certificates []Certificate
}

// Kind says what a unit is to the cluster.
type Kind int

// The kinds of units.
const (
	// Service is part of the cluster: it is started, stopped and watched.
	Service Kind = iota
	// Helper belongs to a service, and starts and stops with it. The cluster works without it.
	Helper
	// OnDemand is started by a service when it is needed, and ends by itself.
	OnDemand
)

// Unit is a unit of systemd.
type Unit struct {
	Name string
	Kind Kind
	// From names what it follows from: fields of the specification, or FromTemplates.
	From string
}

// File is a file or folder.
type File struct {
	// Path is absolute.
	Path string
	Dir  bool
	// Owner and Group are names; "" means root.
	Owner, Group string
	// Mode is what apply sets. 0 means 0755 for a folder and 0644 for a file.
	Mode fs.FileMode
	// MostMode is the widest mode that is safe, where that is more than Mode. 0 means Mode.
	MostMode fs.FileMode
	// Secret keeps the content out of plans.
	Secret bool
	// Optional: only some of the hosts have it.
	Optional bool
	// Configures is the unit whose configuration it is: the file is replaced whole, also one that
	// somebody else has written. "" for all other files.
	Configures string
	// From names what it is made from: fields of the specification, FromVault or FromTemplates.
	From string
}

// Port is a port that a unit listens on.
type Port struct {
	// Number is a TCP port. 0 means VRRP, which is an IP protocol of its own.
	Number int
	// Field is where the specification has the number; "" for VRRP.
	Field string
	// Unit listens, by one of Programs.
	Unit     string
	Programs []string
	// Local: on the loopback address only.
	Local bool
	// Clients are those on other hosts of the cluster that connect to it.
	Clients []Client
}

// VRRP tells whether it is the IP protocol 112, and no TCP port.
func (p Port) VRRP() bool { return p.Number == 0 }

// Client is a component that connects to a port from other hosts.
type Client struct {
	Component string
	// Purpose says what for, in a few words.
	Purpose string
}

// Place returns the file of this path with content, owned as the layout says. A path that is not
// listed gives a file that Ensure refuses.
func (l Layout) Place(path string, content []byte) remote.File {
	f, _ := find(l.Files, path)
	return remote.File{FileMeta: f.meta(), Content: content, Secret: f.Secret}
}

// Folder returns the folder of this path. A path that is not listed gives one that Ensure refuses.
func (l Layout) Folder(path string) remote.Dir {
	f, _ := find(l.Files, path)
	return remote.Dir{FileMeta: f.meta()}
}

func (f File) meta() remote.FileMeta {
	return remote.FileMeta{Path: f.Path, Mode: f.Mode, Owner: f.Owner, Group: f.Group}
}

func find(files []File, path string) (File, bool) {
	i := slices.IndexFunc(files, func(f File) bool { return f.Path == path })
	if i < 0 {
		return File{}, false
	}
	return files[i], true
}
