package change

// Running is what the hosts and etcd say of the cluster, as far as they could be asked. The zero
// value is a cluster that is still to be made, of which nothing is refused.
type Running struct {
	// Hosts by their names in the specification. One that is not in it was not asked.
	Hosts map[string]Host
	// Store is what etcd knows; nil where none runs, or none answers on the specification's port.
	Store *Store
}

// Host is what one host says. Each part is nil, or empty, where there is nothing of it on the host.
type Host struct {
	// Etcd is what its member runs with.
	Etcd *Etcd
	// Server is the postmaster that runs on the data directory that Patroni uses.
	Server *Server
	// Patroni is what Patroni was started with last, as far as its file tells; nil before it has
	// had any data.
	Patroni *Patroni
	// Data are the data directories that hold a cluster, by their paths: the one that Patroni uses
	// and the specification's.
	Data map[string]Data
	// Databases is what PostgreSQL says itself, and InUse what it has; nil where it does not
	// answer.
	Databases *Databases
	InUse     *InUse
	// Plugins are the output plugins of the specification's slots that PostgreSQL of its version
	// has; nil where that is not installed.
	Plugins []string
	// Refused are the lines of its files that PostgreSQL does not take; nil where it does not say.
	Refused []string
	// Keepalived is what the balancer's file says.
	Keepalived *Keepalived
	// MACs are the addresses of the host's network interfaces, in lower case.
	MACs []string
	// Heard are the network interfaces of others that answer for the virtual IP.
	Heard []string
}

// Etcd is what a member runs with; where it is stopped, what it will run with on the data that it
// has.
type Etcd struct {
	Name, DataDir        string
	ClientPort, PeerPort int
	// Peers are the members' peer URLs by name, as the member was told when it was configured.
	Peers map[string]string
}

// Server is a running postmaster.
type Server struct {
	DataDir string
	Port    int
	// Scope is its cluster_name, which Patroni sets.
	Scope string
}

// Patroni is the part of config.yml that is read when Patroni starts.
type Patroni struct {
	Scope, Namespace, Name, DataDir string
	RESTPort, Port                  int
	Superuser, Replication, Rewind  string
	// Written are the parameters that the last apply wrote into the DCS, Slots the names of the
	// replication slots.
	Written map[string]string
	Slots   []string
}

// Data is a data directory of PostgreSQL's.
type Data struct {
	// Version is the major version that it belongs to.
	Version int
	// SystemIdentifier names the cluster, in decimal; "" where its control file can't be read.
	SystemIdentifier string
	// Checksums tells whether its pages have them; nil where its control file can't be read.
	Checksums *bool
}

// Databases is what PostgreSQL knows of itself.
type Databases struct {
	Encoding, Locale string
	// Roles are those of the specification's three that exist.
	Roles []string
	// Lacking is what the roles of replication and of pg_rewind may not do and must, in words.
	Lacking []string
}

// Keepalived is what a balancer's keepalived.conf says.
type Keepalived struct {
	Address  string
	RouterID int
	// Source is the address that it speaks from.
	Source string
	// Peers are the other balancers' addresses.
	Peers []string
}

// Store is what etcd knows.
type Store struct {
	// Version of the member that was asked, "3.6.10".
	Version string
	Members []StoreMember
	// Alarms are those that are raised: etcd takes no writes then.
	Alarms []StoreAlarm
	// Scopes are the clusters of Patroni's that it holds.
	Scopes []Scope
}

// StoreMember is a member of etcd's.
type StoreMember struct {
	// Name is "" until the member has started for the first time.
	Name     string
	PeerURLs []string
	// Learner is a member that does not vote.
	Learner bool
}

// StoreAlarm is what a member of etcd's has raised: "NOSPACE", "CORRUPT".
type StoreAlarm struct{ Member, Name string }

// Scope is a cluster of Patroni's.
type Scope struct {
	// Namespace and Name as in the specification: "/service/" and the cluster's name.
	Namespace, Name string
	// SystemIdentifier is what every member's data has to be of.
	SystemIdentifier string
	// Members are those that were seen within the last ttl.
	Members []ScopeMember
}

// ScopeMember is a member of Patroni's that lives.
type ScopeMember struct {
	Name string
	// PostgreSQL and REST are its addresses, "192.168.0.203:5432".
	PostgreSQL, REST string
}
