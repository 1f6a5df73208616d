package preflight

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/output"
)

// Host is what a host answered.
type Host struct {
	Listeners   []Listener
	Directories map[string]Directory
	// Spaces are in the order of the paths that were asked for; nil when df did not answer for all
	// of them.
	Spaces []Space
	// ReadOnly are folders that root cannot write to.
	ReadOnly  []string
	Addresses []Address
	// MACs are the hardware addresses of the host's interfaces.
	MACs []string
	// Routes maps the address of a peer to the way there; an address without a way is missing.
	Routes map[string]Route
	// Unfenced says why the host could not let nothing out to an address, by the address.
	Unfenced map[string]string
	Locales  []string
	// Zones maps names of time zones to "yes", "no" or, where no time zone data is installed yet,
	// "unknown".
	Zones map[string]string
	// Forwarding are lines of sshd's configuration and of authorized_keys about it, as
	// FILE:LINE:TEXT.
	Forwarding []string
	Units      map[string]Unit
	// Users and Groups of those that the cluster's services run as.
	Users, Groups []string
	Clusters      []DebianCluster
	Locks         []Lock
	// Candidates maps a package to the version that is installed or, where one is missing, those
	// that apt would install.
	Candidates map[string]string
	// Missing are packages that are not installed, "etcd" for a missing program.
	Missing []string
	Sites   []Site
	// Claimed is the hardware address that answers for the virtual IP, "" for none.
	Claimed string
	// Ours are files that say that pgha wrote them; Foreign are files of Want.Files that neither
	// pgha nor a package wrote.
	Ours, Foreign []string
	// Forbidden is why sshd opens no connections for the tool, "" when it does.
	Forbidden string
	// Member is set when the host trusts this cluster's authority; Stranger when it trusts
	// another's.
	Member, Stranger bool
	// Cluster is the system identifier of the cluster's data, as etcd knows it; "" where it does
	// not say. Set by the caller.
	Cluster string
}

// Listener is a process that listens on a TCP port. Only for the cluster's ports more than Local
// and Program is known.
type Listener struct {
	// Local is the address and port, as ss prints it.
	Local   string
	Port    int
	Program string
	PID     int
	// Unit is the systemd unit that the process belongs to, Owner its user, Command its command
	// line, cut.
	Unit, Owner, Command string
}

// Directory is what is at the path of a data directory.
type Directory struct {
	// Kind is "missing", "link", "file" or "directory".
	Kind string
	// Target is where a link leads.
	Target string
	// Mount is set for a mount point.
	Mount bool
	// Version is PostgreSQL's, of the data in it; Etcd is set for the data of an etcd member.
	Version string
	Etcd    bool
	// Identifier is the system identifier of PostgreSQL's data, "" where there is none.
	Identifier string
	// Entries are the first six names in it, divided by blanks.
	Entries string
}

// Space is what a file system has left.
type Space struct {
	KiB, Inodes, InodesFree int64
	Mount                   string
}

// Address is one address of an interface.
type Address struct {
	Interface string
	Prefix    netip.Prefix
}

// Route is the way to a peer.
type Route struct{ Via, Interface, Source string }

// Unit is a systemd unit's state, in systemd's words.
type Unit struct{ Load, Active, File, Fragment string }

// DebianCluster is a cluster of PostgreSQL that Debian's tools keep, such as "17-main".
type DebianCluster struct {
	Name   string
	Active bool
	Data   string
}

// Lock is a lock of apt's or dpkg's with the process that holds it.
type Lock struct {
	File          string
	PID           int
	Program, Unit string
}

// Site is a place that was tried: Kind "repository" (one that apply adds), "source" (one that apt
// has) or "download".
type Site struct {
	Kind, URL string
	// Code is the exit code of apt's helper or curl, and Error its last words.
	Code  int
	Error string
}

// Read understands the answer to Want.Question: lines that begin with their key and a tab, and
// lines as a program printed them, between "== KEY" and "== ". What it does not know it passes
// over: a host may run programs of any version.
func Read(out string) Host {
	h := Host{Directories: map[string]Directory{}, Routes: map[string]Route{},
		Zones: map[string]string{},
		Units: map[string]Unit{}, Candidates: map[string]string{}}
	var spaces []Space
	whole := true
	var units, policy strings.Builder
	section := ""
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			section = name
			continue
		}
		key, rest := section, line
		if section == "" {
			key, rest, _ = strings.Cut(line, "\t")
		}
		f := strings.Split(rest+strings.Repeat("\t", 6), "\t")
		switch key {
		case "listener":
			h.Listeners = append(h.Listeners, listener(f))
		case "directory":
			h.Directories[f[0]] = directory(f[1:])
		case "space":
			s, ok := space(rest)
			if strings.HasSuffix(rest, "Mounted on") {
				continue // df's heading
			}
			spaces, whole = append(spaces, s), whole && ok
		case "readonly":
			h.ReadOnly = append(h.ReadOnly, f[0])
		case "net":
			h.network(rest)
		case "fence":
			if h.Unfenced == nil {
				h.Unfenced = map[string]string{}
			}
			h.Unfenced[f[0]] = strings.TrimSpace(f[1])
		case "locale":
			h.Locales = append(h.Locales, f[0])
		case "zone":
			h.Zones[f[0]] = f[1]
		case "unit":
			units.WriteString(rest + "\n")
		case "passwd":
			h.Users = append(h.Users, upToColon(rest))
		case "group":
			h.Groups = append(h.Groups, upToColon(rest))
		case "cluster":
			h.Clusters = append(h.Clusters, DebianCluster{Name: f[0], Active: f[1] == "active",
				Data: f[2]})
		case "lock":
			h.Locks = append(h.Locks, Lock{File: f[0], PID: number(f[1]), Program: f[2],
				Unit: f[3]})
		case "candidate":
			h.Candidates[f[0]] = f[1]
		case "policy":
			policy.WriteString(rest + "\n")
		case "missing":
			h.Missing = append(h.Missing, f[0])
		case "site":
			h.Sites = append(h.Sites, Site{Kind: f[0], URL: f[1], Code: number(f[2]), Error: f[3]})
		case "claimed":
			h.Claimed = f[0]
		case "ours":
			h.Ours = append(h.Ours, f[0])
		}
	}
	if whole {
		h.Spaces = spaces
	}
	h.readUnits(units.String())
	h.readPolicy(policy.String())
	return h
}

// Ports maps the ports that somebody listens on to the program, "" when that is unknown.
func (h Host) Ports() map[int]string {
	m := map[int]string{}
	for _, l := range h.Listeners {
		if _, known := m[l.Port]; !known || l.Program != "" {
			m[l.Port] = l.Program
		}
	}
	return m
}

// listener has the port 0 where what stands there is none.
func listener(f []string) Listener {
	port, ok := output.Port(f[0])
	if !ok {
		port = 0
	}
	return Listener{Local: f[0], Port: port, Program: f[1], PID: number(f[2]),
		Unit: f[3], Owner: f[4], Command: strings.TrimSpace(f[5])}
}

func directory(f []string) Directory {
	d := Directory{Kind: f[0]}
	if d.Kind == "link" {
		d.Target = f[1]
		return d
	}
	d.Mount, d.Version, d.Etcd, d.Entries = f[1] != "", f[2], f[3] != "", strings.TrimSpace(f[4])
	d.Identifier = f[5]
	return d
}

// space reads a line of df; a file system without a number of inodes, such as btrfs, has "-" or 0.
func space(line string) (Space, bool) {
	f := strings.Fields(line)
	if len(f) < 4 {
		return Space{}, false
	}
	kib, err := strconv.ParseInt(f[0], 10, 64)
	return Space{KiB: kib, Inodes: int64(number(f[1])), InodesFree: int64(number(f[2])),
		Mount: strings.Join(f[3:], " ")}, err == nil
}

// network reads a line of ip -o: an address, a link or a route.
func (h *Host) network(line string) {
	f := strings.Fields(line)
	after := func(word string) string {
		if i := slices.Index(f, word); i >= 0 && i+1 < len(f) {
			return f[i+1]
		}
		return ""
	}
	switch {
	case len(f) >= 4 && strings.HasSuffix(f[0], ":") && (f[2] == "inet" || f[2] == "inet6"):
		if p, err := netip.ParsePrefix(f[3]); err == nil {
			h.Addresses = append(h.Addresses, Address{f[1], p})
		}
	case after("link/ether") != "":
		h.MACs = append(h.MACs, after("link/ether"))
	case len(f) > 1 && after("dev") != "":
		to := f[0]
		if to == "local" {
			to = f[1]
		}
		if _, err := netip.ParseAddr(to); err == nil {
			h.Routes[to] = Route{Via: after("via"), Interface: after("dev"), Source: after("src")}
		}
	}
}

func (h *Host) readUnits(show string) {
	for block := range strings.SplitSeq(show, "\n\n") {
		kv := map[string]string{}
		for line := range strings.Lines(block) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			kv[k] = v
		}
		if kv["Id"] != "" {
			h.Units[kv["Id"]] = Unit{kv["LoadState"], kv["ActiveState"], kv["UnitFileState"],
				kv["FragmentPath"]}
		}
	}
}

// readPolicy reads apt-cache policy; a package without a candidate is left out.
func (h *Host) readPolicy(policy string) {
	name := ""
	for line := range strings.Lines(policy) {
		if !strings.HasPrefix(line, " ") {
			name = strings.TrimSuffix(strings.TrimSpace(line), ":")
			continue
		}
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: "); ok && v != "(none)" {
			h.Candidates[name] = v
		}
	}
}

func upToColon(line string) string {
	name, _, _ := strings.Cut(line, ":")
	return name
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
