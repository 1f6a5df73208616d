package preflight

import (
	_ "embed"
	"slices"
	"strconv"
)

//go:embed look.sh
var lookScript string

//go:embed forwarding.sh
var forwardingScript string

//go:embed arp.pl
var arpScript string

//go:embed reach.pl
var reachScript string

// Placeholders in Want.Repositories and Want.Downloads that each host fills in.
const (
	// Codename is that of the host's release, as in /etc/os-release.
	Codename = "{codename}"
	// Architecture is the host's, by Debian's name.
	Architecture = "{architecture}"
)

// CLibrary is the package of the C library, which sorts text: Host.Candidates has its version.
const CLibrary = "libc6"

// Want is what the cluster needs of one host, by its specification. Fields that hold names of the
// specification's fields are for the remedies.
type Want struct {
	// Host is the host's name. Database, Etcd and Balancer say what is to run there: a member of
	// Patroni's, one of etcd's, HAProxy.
	Host                     string
	Database, Etcd, Balancer bool
	// Address is the host's own, by the specification.
	Address string
	// Peers are the hosts that this one opens connections to.
	Peers []Peer
	// Fences are addresses that the host must be able to let nothing out to; none without
	// patroni.fast_failover.
	Fences []string
	Ports  []Port
	// Data are the data directories.
	Data []Data
	// Begun is the file that says that the data was restored for the cluster to begin with.
	Begun string
	// Packages must be installed. EtcdVersion must be in /usr/local/bin; "" where etcd is not
	// downloaded.
	Packages    []string
	EtcdVersion string
	// Repositories are the URLs of InRelease files of repositories that apply adds, Downloads those
	// of archives.
	Repositories, Downloads []string
	// Locales and Zones are names that settings use.
	Locales, Zones []Setting
	// VIP is the virtual IP on a balancer, "" without one; Interface is where it goes, "" for that
	// of Address.
	VIP, Interface string
	// Files are those that apply replaces whole; Units those that it starts.
	Files []File
	Units []string
	// User is who logs in by SSH.
	User string
}

// Peer is another host of the cluster.
type Peer struct{ Name, Address string }

// Port is a TCP port that a service of the cluster listens on.
type Port struct {
	Number int
	// Field is where the specification has it.
	Field string
	// Unit is the service's.
	Unit string
}

// Data is a data directory.
type Data struct {
	Path, Field string
	// Etcd is set for etcd's; else it is PostgreSQL's.
	Etcd bool
}

// Setting is a value with the field of the specification that it stands in.
type Setting struct{ Value, Field string }

// File is a file that apply replaces whole, and the unit that reads it.
type File struct{ Path, Unit string }

// FilePaths are the paths of Files.
func (w Want) FilePaths() []string {
	var paths []string
	for _, f := range w.Files {
		paths = append(paths, f.Path)
	}
	return paths
}

// need is how much a file system must have left where the cluster writes.
type need struct {
	path        string
	kib, inodes int64
	// bare: of interest while packages are missing. services: what runs writes there, apply does
	// not.
	bare, services bool
}

// needs are the folders that are written to. Packages take room only where they have yet to be
// installed: PostgreSQL's with python and their dependencies some 300 MB in 8000 files, HAProxy and
// keepalived some 40 MB (Debian 12 to 14, amd64).
func (w Want) needs() []need {
	list := []need{
		{path: "/etc", kib: 1 << 10, inodes: 100}, {path: "/run", kib: 1 << 10, inodes: 50},
		{path: "/tmp", kib: 1 << 10, inodes: 10, bare: true},
		{path: "/usr/local", kib: 1 << 10, inodes: 10},
		{path: "/var/log", kib: 16 << 10, inodes: 50, services: true},
	}
	usr, cache := need{path: "/usr", kib: 100 << 10, inodes: 1500, bare: true},
		need{path: "/var/cache", kib: 50 << 10, inodes: 100, bare: true}
	if w.Database {
		usr.kib, usr.inodes, cache.kib = 500<<10, 10000, 150<<10
	}
	list = append(list, usr, cache, need{path: "/var/lib", kib: 50 << 10, inodes: 1000, bare: true})
	for _, d := range w.Data {
		list = append(list, need{path: d.Path, kib: 64 << 10, inodes: 1500, services: true})
	}
	return list
}

// SpaceAt returns what the file system has left that a folder is in; known is false where that was
// not asked for, or df did not answer for all.
func (w Want) SpaceAt(h Host, path string) (s Space, known bool) {
	needs := w.needs()
	i := slices.IndexFunc(needs, func(n need) bool { return n.path == path })
	if i < 0 || len(h.Spaces) != len(needs) {
		return Space{}, false
	}
	return h.Spaces[i], true
}

// Question is the command that makes a host answer; Read understands the answer. It takes a tenth
// of a second on a host where everything is installed, and up to 12 s on one where sources of
// packages do not answer.
//
// The zero Want asks nothing.
func (w Want) Question() []string {
	if w.Host == "" {
		return []string{"true"}
	}
	argv := []string{"sh", "-c", lookScript, "look", "own", w.Address, "etcd", w.EtcdVersion,
		"vip", w.VIP, "interface", w.Interface, "arp", arpScript, "reach", reachScript}
	add := func(key string, values ...string) {
		for _, v := range values {
			argv = append(argv, key, v)
		}
	}
	for _, p := range w.Ports {
		add("port", strconv.Itoa(p.Number)+":"+p.Unit)
	}
	for _, d := range w.Data {
		add("data", d.Path)
	}
	for _, n := range w.needs() {
		add("write", n.path)
	}
	for _, p := range w.Peers {
		add("peer", p.Address)
	}
	add("fence", w.Fences...)
	for _, z := range w.Zones {
		add("zone", z.Value)
	}
	for _, f := range w.Files {
		add("file", f.Path)
	}
	add("unit", w.Units...)
	add("package", w.Packages...)
	if w.Database {
		add("package", CLibrary)
	}
	add("repository", w.Repositories...)
	add("download", w.Downloads...)
	if len(w.Locales) > 0 {
		add("locales", "yes")
	}
	return argv
}

// ForwardingQuestion is the command that prints the lines of Host.Forwarding, for a host whose sshd
// forwards nothing.
func (w Want) ForwardingQuestion() []string {
	return []string{"sh", "-c", forwardingScript, "forwarding", w.User}
}
