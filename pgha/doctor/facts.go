package doctor

import (
	"slices"
	"time"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/spec"
)

// Facts is everything that a diagnosis is made from: rules are functions of it alone. It holds no
// secret. Its JSON form is what the bundle carries and what tests replay.
type Facts struct {
	Time time.Time  `json:"time"`
	Spec *spec.Spec `json:"-"`
	// Layouts are what apply puts on each host, by its name.
	Layouts map[string]layout.Host `json:"-"`
	// Authorities are the certificates that the operator's state directory says the hosts have to
	// trust.
	Authorities Authorities `json:"authorities"`
	// StateTrouble is why nothing must be changed with the operator's state directory, with
	// StateRemedy; "" when it is the one that the hosts were last worked on with.
	StateTrouble string `json:"state_trouble,omitempty"`
	StateRemedy  string `json:"state_remedy,omitempty"`
	// Hosts are in the order of the spec.
	Hosts []*Host `json:"hosts"`
	// Problems is what keeps the cluster from being healthy, in status's words.
	Problems []string `json:"problems"`
	// Backups is what there is of backups; nil without them, or where the repository does not
	// answer.
	Backups *Backups `json:"backups,omitempty"`
	// Drift is what apply would change.
	Drift []Difference `json:"drift"`
	// Refused are differences between the specification and what runs that apply refuses to make.
	Refused []preflight.Finding `json:"refused,omitempty"`
	// Unknown lists what could not be looked at, with the reason.
	Unknown []string `json:"unknown,omitempty"`
	// LongTransaction is the age from which a transaction is reported.
	LongTransaction time.Duration `json:"long_transaction_ns"`
}

// Backups are a cluster's backups, as far as they are not as promised.
type Backups struct {
	// TooOld and Unproven are status's, and Said its words.
	TooOld   bool     `json:"too_old,omitempty"`
	Unproven bool     `json:"unproven,omitempty"`
	Said     []string `json:"said,omitempty"`
	// Missing is a segment that is not in the archive: from the newest backup nothing after Reaches
	// can be reached. "" where nothing is missing.
	Missing string    `json:"missing,omitempty"`
	Reaches time.Time `json:"reaches,omitzero"`
}

// Authorities are the certificates, in PEM, of the three authorities of a cluster. They are no
// secrets.
type Authorities struct {
	Etcd, Patroni, Postgres []byte
	// Chains are all authorities by the names that operators use, each with those above it.
	Chains map[string][]byte
}

// Difference is one thing that apply would change.
type Difference struct {
	Host string `json:"host"`
	// Kind is what it is: file, directory, unit, package, user, group or setting.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Action is what apply would do, such as updated or restarted.
	Action string `json:"action"`
	// Diff is a unified diff of a text file; empty for other kinds and for files with secrets.
	Diff string `json:"diff,omitempty"`
	// Came says in one line where the difference comes from; "" when that is not known.
	Came string `json:"came,omitempty"`
}

// Host is what one host said of itself.
type Host struct {
	Name    string    `json:"name"`
	Address string    `json:"address"`
	Member  string    `json:"member,omitempty"`
	Role    spec.Role `json:"role"`
	// Roles are those of a host that has several; Role is empty then.
	Roles []spec.Role `json:"roles,omitempty"`
	// Error is why the host could not be asked; everything below is empty then.
	Error string `json:"error,omitempty"`
	// Refused is what to do where the host answers and only does not let this program in, or shows
	// another SSH key than it should: what runs there may be well. "" for all other errors.
	Refused string `json:"refused,omitempty"`
	// Unanswered are looks that did not end in time, though the host answers.
	Unanswered []string `json:"unanswered,omitempty"`

	// StateNote is what the host remembers of the operator's state directory, UnfinishedReset tells
	// of a reset that was begun and not finished.
	StateNote       string `json:"state_note,omitempty"`
	UnfinishedReset string `json:"unfinished_reset,omitempty"`

	Clock     Clock               `json:"clock"`
	Units     map[string]Unit     `json:"units"`
	Journals  map[string][]string `json:"journals"`
	Disks     []Disk              `json:"disks"`
	Listeners []Listener          `json:"listeners"`
	// Addresses are the IP addresses of the host's interfaces, each with its interface.
	Addresses map[string]string `json:"addresses"`
	// Reach holds, for each address:port that the host has to reach, "ok" or what was met instead.
	Reach    map[string]string `json:"reach"`
	Firewall []FirewallRule    `json:"firewall,omitempty"`
	// Stopped are processes that are suspended (state T), of the cluster's programs.
	Stopped      []Process         `json:"stopped,omitempty"`
	Files        map[string]File   `json:"files"`
	Packages     map[string]string `json:"packages"`
	Certificates []Certificate     `json:"certificates,omitempty"`

	// Fence is what a database host says of fences; nil for others.
	Fence   *Fence   `json:"fence,omitempty"`
	Patroni *Patroni `json:"patroni,omitempty"`
	Etcd    *Etcd    `json:"etcd,omitempty"`
	SQL     *SQL     `json:"sql,omitempty"`
	Data    *Data    `json:"data,omitempty"`
	HAProxy *HAProxy `json:"haproxy,omitempty"`
}

// Clock is the host's clock.
type Clock struct {
	// OffsetSeconds is the host's clock minus this machine's, as far as one round trip can tell.
	OffsetSeconds float64 `json:"offset_seconds"`
	Synchronised  bool    `json:"synchronised"`
	// Container: the clock is the machine's below, which this host cannot set.
	Container bool `json:"container"`
}

// Unit is one systemd unit.
type Unit struct {
	Load    string `json:"load"`
	Active  string `json:"active"`
	Sub     string `json:"sub"`
	Enabled string `json:"enabled"`
	Result  string `json:"result"`
	PID     int    `json:"pid"`
	Exit    int    `json:"exit"`
}

// Disk is one mounted file system.
type Disk struct {
	Mount  string `json:"mount"`
	Source string `json:"source"`
	Type   string `json:"type"`
	// SizeBytes and FreeBytes as an ordinary user sees them.
	SizeBytes  int64 `json:"size_bytes"`
	FreeBytes  int64 `json:"free_bytes"`
	Inodes     int64 `json:"inodes"`
	InodesFree int64 `json:"inodes_free"`
	ReadOnly   bool  `json:"read_only"`
}

// Listener is a process that listens on a TCP port.
type Listener struct {
	Port    int    `json:"port"`
	Program string `json:"program"`
	PID     int    `json:"pid"`
}

// FirewallRule is one rule of nftables that refuses something.
type FirewallRule struct {
	Family string `json:"family"`
	Table  string `json:"table"`
	Chain  string `json:"chain"`
	Handle string `json:"handle"`
	Text   string `json:"text"`
}

// Process is one process.
type Process struct {
	PID     int    `json:"pid"`
	Program string `json:"program"`
}

// File is a file or folder; a missing one is not in the map.
type File struct {
	Mode  string `json:"mode"`
	Owner string `json:"owner"`
	Group string `json:"group"`
}

// Certificate is a certificate file of a host.
type Certificate struct {
	// Name says which certificate it is, such as "etcd server".
	Name string `json:"name"`
	PEM  string `json:"pem"`
	// Error is why the file could not be read.
	Error string `json:"error,omitempty"`
	// KeyMatches: the key beside it belongs to it.
	KeyMatches bool `json:"key_matches"`
}

// Patroni is what a host's own Patroni answers.
type Patroni struct {
	// Error is why there is no answer; everything else is empty then.
	Error          string   `json:"error,omitempty"`
	State          string   `json:"state"`
	Role           string   `json:"role"`
	Timeline       int64    `json:"timeline"`
	SystemID       string   `json:"system_id"`
	Version        string   `json:"version"`
	Paused         bool     `json:"paused"`
	PendingRestart []string `json:"pending_restart,omitempty"`
	// LastSeen is when Patroni last reached etcd.
	LastSeen int64 `json:"last_seen"`
	// Members is the cluster as this Patroni sees it: each member's role, state, timeline and lag.
	Members []Member `json:"members,omitempty"`
}

// Member is one member as Patroni lists it.
type Member struct {
	Name     string `json:"name"`
	Role     string `json:"role"`
	State    string `json:"state"`
	Timeline int64  `json:"timeline"`
	// Lag in bytes; -1 when unknown.
	Lag int64 `json:"lag"`
}

// Etcd is what a host's own etcd answers.
type Etcd struct {
	Error     string   `json:"error,omitempty"`
	ID        string   `json:"id"`
	ClusterID string   `json:"cluster_id"`
	Leader    string   `json:"leader"`
	Version   string   `json:"version"`
	DBSize    int64    `json:"db_size"`
	DBInUse   int64    `json:"db_in_use"`
	Quota     int64    `json:"quota"`
	Revision  int64    `json:"revision"`
	Alarms    []string `json:"alarms,omitempty"`
	// Members are the names of the members that it knows, by their ids.
	Members map[string]string `json:"members,omitempty"`
	// FsyncSeconds is the 99th percentile of syncing the log to disk since etcd started; 0 when
	// unknown.
	FsyncSeconds float64 `json:"fsync_seconds"`
}

// HAProxy is what a balancer's own HAProxy answers.
type HAProxy struct {
	Error string `json:"error,omitempty"`
	// ConfigError is what haproxy -c says of the file; "" when it is valid.
	ConfigError string `json:"config_error,omitempty"`
	// ReloadFailed is why the last reload could not start a worker; "" when it could.
	ReloadFailed string `json:"reload_failed,omitempty"`
	// Servers maps "proxy/server" to its status and last check: "DOWN L4CON".
	Servers map[string]string `json:"servers"`
}

// host returns the host or member of that name, nil when the spec has none.
func (f Facts) host(name string) *Host {
	for _, h := range f.Hosts {
		if h.Name == name || h.Member != "" && h.Member == name {
			return h
		}
	}
	return nil
}

// Runs tells whether the host runs what the role stands for, as the specification has it.
func (h *Host) Runs(sp *spec.Spec, role spec.Role) bool {
	return sp.Runs(spec.Host{Role: h.Role, Roles: h.Roles}, role)
}

// running returns the hosts that answered and run what any of the roles stands for.
func (f Facts) running(roles ...spec.Role) []*Host {
	var list []*Host
	for _, h := range f.Hosts {
		if h.Error == "" && slices.ContainsFunc(roles, func(role spec.Role) bool {
			return h.Runs(f.Spec, role)
		}) {
			list = append(list, h)
		}
	}
	return list
}

func (f Facts) databases() []*Host { return f.running(spec.RoleDatabase) }
func (f Facts) voters() []*Host    { return f.running(spec.RoleEtcd) }
func (f Facts) balancers() []*Host { return f.running(spec.RoleBalancer) }

// members returns the hosts that answered and have a member of Patroni's or of etcd's.
func (f Facts) members() []*Host { return f.running(spec.RoleDatabase, spec.RoleEtcd) }

// answering returns all hosts that answered.
func (f Facts) answering() []*Host {
	list := f.balancers()
	for _, h := range f.members() {
		if !slices.Contains(list, h) {
			list = append(list, h)
		}
	}
	return list
}

// at is an address of the host as others reach it.
func (h *Host) at(port int) string { return hostport.Join(h.Address, port) }

// active tells whether systemd has a unit up.
func (h *Host) active(unit string) bool {
	state := h.Units[unit].Active
	return state == "active" || state == "reloading"
}

// primary returns the host whose PostgreSQL takes writes, nil when there is none or more than one.
func (f Facts) primary() *Host {
	var found *Host
	for _, h := range f.databases() {
		if h.SQL != nil && h.SQL.Error == "" && !h.SQL.Recovery {
			if found != nil {
				return nil
			}
			found = h
		}
	}
	return found
}
