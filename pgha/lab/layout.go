package lab

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/layouts"
)

// The roles that a Host can have, as the cluster's spec spells them.
const (
	RoleBalancer = "balancer"
	RoleDatabase = "database"
	RoleEtcd     = "etcd"
)

const (
	hostInterface = "enp0s3"
	bridgeName    = "br0"
)

// network is what a lab's addresses are made of. All of them end in a number:
// 1 is this machine's end, on the bridge, 210 the virtual IP, and the hosts
// have those from 200 on.
type network struct{ start, bits string }

// The addresses of IPv4 are the reference procedure's own, those of IPv6
// unique local ones (RFC 4193) that end alike. No route leads out of a lab, so
// they clash neither with the machine's network nor with another lab.
func networkOf(ipv6 bool) network {
	if ipv6 {
		return network{start: "fd00:192:168::", bits: "/64"}
	}
	return network{start: "192.168.0.", bits: "/24"}
}

func (n network) host(i int) string { return n.start + strconv.Itoa(200+i) }
func (n network) machine() string   { return n.start + "1" }
func (n network) vip() string       { return n.start + "210" }

// machineOnly is the network of this machine's own address alone.
func (n network) machineOnly() string {
	a := netip.MustParseAddr(n.machine())
	return netip.PrefixFrom(a, a.BitLen()).String()
}

// assigned is an address with what iproute2 wants beside it. Nobody else can
// have an IPv6 address, so the second in which the kernel looks for another
// holder (RFC 4862) is left out.
func (n network) assigned(address string) string {
	if strings.Contains(address, ":") {
		return address + n.bits + " nodad"
	}
	return address + n.bits
}

func (n network) contains(a netip.Addr) bool {
	return netip.MustParsePrefix(n.machine() + n.bits).Masked().Contains(a)
}

// hostPlan is what never changes about a host.
type hostPlan struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	// Role is the first of its roles, Roles are all where there are several.
	Role   string   `json:"role"`
	Roles  []string `json:"roles,omitempty"`
	Member string   `json:"member,omitempty"`
}

// roles are what the host is for.
func (h hostPlan) roles() []string {
	if len(h.Roles) > 0 {
		return h.Roles
	}
	return []string{h.Role}
}

func (h hostPlan) has(role string) bool { return slices.Contains(h.roles(), role) }

// planLayout lays out the hosts of a layout on consecutive addresses.
func planLayout(l layouts.Layout, addresses network) []hostPlan {
	var hosts []hostPlan
	for i, h := range l.Hosts {
		plan := hostPlan{Name: h.Name, Address: addresses.host(i), Role: h.Roles[0],
			Member: h.Member}
		if len(h.Roles) > 1 {
			plan.Roles = h.Roles
		}
		hosts = append(hosts, plan)
	}
	return hosts
}

// planHosts lays out n hosts: balancers first, then databases, on
// consecutive addresses. With 0 databases it chooses how many.
func planHosts(n, databases int, addresses network) []hostPlan {
	if databases == 0 {
		databases = (n + 1) / 2
		if databases%2 == 0 {
			databases++
		}
	}
	hosts := make([]hostPlan, 0, n)
	for i := range n {
		role, number := RoleBalancer, i+1
		if balancers := n - databases; number > balancers {
			role, number = RoleDatabase, number-balancers
		}
		hosts = append(hosts, planHost(role, number, addresses.host(i)))
	}
	return hosts
}

// planHost is the host with this number among those of its role.
func planHost(role string, number int, address string) hostPlan {
	h := hostPlan{Address: address, Role: role, Name: fmt.Sprintf("haproxy-%02d", number)}
	if role == RoleDatabase {
		h.Name = fmt.Sprintf("postgres-%02d", number)
		h.Member = fmt.Sprintf("postgresql-%02d", number)
	}
	if role == RoleEtcd {
		h.Name = fmt.Sprintf("etcd-%02d", number)
	}
	return h
}

// cache knows where everything lies under Options.CacheDir.
type cache string

func (c cache) path(elem ...string) string {
	return filepath.Join(append([]string{string(c)}, elem...)...)
}

func (c cache) labs() string                { return c.path("labs") }
func (c cache) lab(name string) string      { return c.path("labs", name) }
func (c cache) image(id string) string      { return c.path("images", id) }
func (c cache) root(image string) string    { return filepath.Join(c.image(image), "root") }
func (c cache) building(id string) string   { return c.path("images", ".building-"+id) }
func (c cache) lock(what string) string     { return c.path("locks", what+".lock") }
func (c cache) labLock(name string) string  { return c.lock("lab-" + name) }
func (c cache) imageLock(id string) string  { return c.lock("image-" + id) }
func (c cache) buildLog(name string) string { return c.path("logs", name+".log") }

// Names of kernel objects. The same string names a host's network namespace
// and its control group; interfaces live inside the namespaces and carry the
// host's plain name, which fits IFNAMSIZ.
func lanNamespace(lab string) string        { return "pgha-" + lab + "-lan" }
func hostNamespace(lab, host string) string { return "pgha-" + lab + "-" + host }
func namespacePath(name string) string      { return "/run/netns/" + name }
