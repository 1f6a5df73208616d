package spec

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/scalar"
	"github.com/pgha/toolkit/pgha/errs"
)

// Role is what a host is for.
type Role string

// The roles of hosts.
const (
	// RoleDatabase hosts run PostgreSQL and Patroni, and etcd where no host has RoleEtcd.
	RoleDatabase Role = "database"
	// RoleEtcd hosts run etcd. A host that has no other role is a witness: it votes on who leads,
	// and holds no data of the databases.
	RoleEtcd Role = "etcd"
	// RoleBalancer hosts run HAProxy and, when there is a virtual IP, keepalived.
	RoleBalancer Role = "balancer"
)

// Host is one machine of the cluster.
type Host struct {
	// Name of the host, unique in the spec. No default.
	Name string `yaml:"name"`
	// Address is the IP address under which the cluster's hosts reach each other, or a name that
	// has exactly one: it is looked up on this machine with every command, and the hosts are given
	// the IP address. No default.
	//
	// Resolve puts the address in the name's place.
	Address string `yaml:"address"`
	// Role is RoleDatabase, RoleEtcd or RoleBalancer. Default: none; a host has either Role or
	// Roles.
	Role Role `yaml:"role,omitempty"`
	// Roles are what a host is for that has more than one role, such as [database, etcd]. Once any
	// host has RoleEtcd, here or as its Role, etcd runs on the hosts that have it and on no other.
	// With [database, balancer] HAProxy and PostgreSQL need different ports. Default: none.
	Roles []Role `yaml:"roles,omitempty,flow"`
	// Member is the name of the host's Patroni and etcd members. Default: Name; a balancer has
	// none.
	Member string `yaml:"member,omitempty"`
	// Priority of a balancer: the highest that is healthy holds the virtual IP; 1 to 254, unique.
	// Default: 100, 90, 80 and so on in the order of the spec; a database host has none.
	Priority int `yaml:"priority,omitempty"`
	// Interface carries the virtual IP on a balancer. Default: "", which means the one that has
	// Address.
	Interface string `yaml:"interface,omitempty"`
	// Tags are Patroni's tags of a database host: nofailover, noloadbalance, clonefrom, nosync,
	// nostream (true or false), failover_priority, sync_priority (numbers), replicatefrom (a
	// member), and tags of your own. Default: clonefrom: true, so that new members copy from a
	// replica where one runs and not from the leader; no other.
	Tags map[string]any `yaml:"tags,omitempty"`
	// DNSNames are further names by which clients may reach the host; they go into its
	// certificates. Default: none.
	DNSNames []string `yaml:"dns_names,omitempty"`
	// SSH is what differs from the cluster's SSH settings.
	//
	// Spec.SSHOf joins the two.
	SSH HostSSH `yaml:"ssh,omitempty"`
}

// NoJump as a host's Jump connects without the cluster's jump host.
const NoJump = "none"

// HostSSH is what one host's SSH settings are.
type HostSSH struct {
	// User to log in as. Default: the cluster's.
	User string `yaml:"user,omitempty"`
	// Port of sshd. Default: the cluster's.
	Port int `yaml:"port,omitempty"`
	// HostKey is the fingerprint of the host's key, "SHA256:" and 43 characters, as ssh-keygen -l
	// shows it. Default: "", which means that the known_hosts file decides.
	HostKey string `yaml:"host_key,omitempty"`
	// Jump is the host to connect through, or NoJump. Default: the cluster's.
	Jump string `yaml:"jump,omitempty"`
	// Address is the name or IP address for SSH where it is not the host's Address. Default: that.
	Address string `yaml:"address,omitempty"`
}

// SSHOf returns the SSH settings of a host with everything that it leaves to the cluster filled in.
// Jump is "" where none is used; HostKey is "" where none is given.
func (s *Spec) SSHOf(h Host) HostSSH {
	o := h.SSH
	o.User = cmp.Or(o.User, s.SSH.User)
	o.Port = cmp.Or(o.Port, s.SSH.Port)
	o.Jump = cmp.Or(o.Jump, s.SSH.Jump)
	o.Address = cmp.Or(o.Address, h.Address)
	if o.Jump == NoJump {
		o.Jump = ""
	}
	return o
}

// JumpHost is a host to connect through.
type JumpHost struct {
	// User to log in as; "" where none is named, which means the user of the host behind it.
	User string
	// Address is a name or an IP address, without brackets.
	Address string
	// Port of sshd; 22 where none is named.
	Port int
}

// ParseJump reads "user@host:port" as Jump has it; user and port may be left out, and an IPv6
// address with a port stands in brackets: "admin@[2001:db8::1]:22". The error says what to write
// instead.
func ParseJump(text string) (JumpHost, error) {
	j := JumpHost{Port: 22}
	rest := text
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		j.User, rest = text[:at], text[at+1:]
		if !userSyntax.MatchString(j.User) {
			return j, errors.New("write " + jumpForm)
		}
	}
	j.Address = rest
	if inner, ok := strings.CutPrefix(rest, "["); ok && strings.HasSuffix(inner, "]") {
		j.Address = strings.TrimSuffix(inner, "]")
	} else if host, port, err := net.SplitHostPort(rest); err == nil {
		n, fault := scalar.Whole(port)
		if fault != nil || n < 1 || n > 65535 {
			return j, errors.New("write a port from 1 to 65535, as in " + jumpForm)
		}
		j.Address, j.Port = host, int(n)
	}
	if _, err := netip.ParseAddr(j.Address); err != nil && !isHostName(j.Address) {
		return j, errors.New("write " + jumpForm)
	}
	return j, nil
}

const jumpForm = "user@host:port, such as admin@bastion.example.com:22"

// ErrUnknownHost is what errors.Is finds where no host or member has the name that was asked for.
var ErrUnknownHost = errs.New(errs.NotFound, "unknown host")

// Has tells whether the specification gives the host the role. Which hosts run etcd, Spec.Runs
// knows.
func (h Host) Has(role Role) bool { return h.Role == role || slices.Contains(h.Roles, role) }

// With is the host with a role more; it has it once.
func (h Host) With(role Role) Host {
	if !h.Has(role) {
		h.Role, h.Roles = "", append(slices.Clone(h.listed()), role)
	}
	return h
}

// RoleNames returns the host's roles as people read them: "database", "database, etcd".
func (h Host) RoleNames() string {
	var names []string
	for _, role := range h.listed() {
		names = append(names, string(role))
	}
	return strings.Join(names, ", ")
}

// listed are the roles that the specification gives the host.
func (h Host) listed() []Role {
	if len(h.Roles) > 0 {
		return h.Roles
	}
	return []Role{h.Role}
}

// Runs tells whether the host runs what the role stands for. That is so where the host has the
// role; where no host of the specification has RoleEtcd, every database host runs etcd.
func (s *Spec) Runs(h Host, role Role) bool {
	if role == RoleEtcd && !s.namesEtcd() {
		role = RoleDatabase
	}
	return h.Has(role)
}

// namesEtcd tells whether the specification says which hosts run etcd.
func (s *Spec) namesEtcd() bool {
	return slices.ContainsFunc(s.Hosts, func(h Host) bool { return h.Has(RoleEtcd) })
}

// Databases returns the hosts with RoleDatabase in the spec's order.
func (s *Spec) Databases() []Host { return s.running(RoleDatabase) }

// EtcdHosts returns the hosts that run etcd, as Runs has it, in the spec's order.
func (s *Spec) EtcdHosts() []Host { return s.running(RoleEtcd) }

// Balancers returns the hosts with RoleBalancer in the spec's order.
func (s *Spec) Balancers() []Host { return s.running(RoleBalancer) }

// MemberHosts returns the hosts that have a member of Patroni's or of etcd's, in the spec's order:
// databases and those that run etcd.
func (s *Spec) MemberHosts() []Host { return s.running(RoleDatabase, RoleEtcd) }

// running returns the hosts that run what any of the roles stands for.
func (s *Spec) running(roles ...Role) []Host {
	return slices.DeleteFunc(slices.Clone(s.Hosts), func(h Host) bool {
		return !slices.ContainsFunc(roles, func(role Role) bool { return s.Runs(h, role) })
	})
}

// Host returns the host with that name, or the one whose member has it. Any other name is
// ErrUnknownHost; the error suggests the nearest one.
func (s *Spec) Host(name string) (Host, error) {
	var names []string
	for _, h := range s.Hosts {
		if h.Name == name || h.Member != "" && h.Member == name {
			return h, nil
		}
		names = append(names, h.Name)
		if h.Member != "" && h.Member != h.Name {
			names = append(names, h.Member)
		}
	}
	return Host{}, fmt.Errorf("%w %q; %s", ErrUnknownHost, name, didYouMean(name, names))
}
