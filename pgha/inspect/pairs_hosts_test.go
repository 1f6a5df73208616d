package inspect

import (
	"net/netip"
	"time"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/preflight"
)

// on changes what lies on one host.
func on(host string, f func(*preflight.Host)) func(*seen) {
	return func(s *seen) { s.change(host, func(facts *preflight.Facts) { f(&facts.Premises) }) }
}

// bareOn changes what lies on one host of six that have nothing of the cluster.
func bareOn(host string, f func(*preflight.Host)) func(*seen) {
	return func(s *seen) {
		*s = seen{facts: s.facts}
		for name := range s.facts {
			s.change(name, func(facts *preflight.Facts) {
				facts.EtcdCA, facts.Running.Etcd, facts.Running.Server, facts.Running.Patroni = "",
					nil, nil, nil
				facts.Running.Data, facts.Running.Databases, facts.Running.Keepalived,
					facts.Listeners = nil,
					nil, nil, nil
			})
		}
		on(host, f)(s)
	}
}

func told(host string, f func(*preflight.Facts)) func(*seen) {
	return func(s *seen) { s.change(host, f) }
}

// comes makes one member a host that has nothing yet, with another C library than the others.
func comes(host, version string) func(*seen) {
	return func(s *seen) {
		for name := range s.facts {
			s.change(name, func(f *preflight.Facts) {
				if f.Candidates["libc6"] = "2.41-12"; name == host {
					f.Candidates["libc6"] = version
					f.EtcdCA, f.Running, f.Listeners = "", change.Host{}, nil
				}
			})
		}
	}
}

func listens(l preflight.Listener) func(*preflight.Host) {
	return func(h *preflight.Host) { h.Listeners = append(h.Listeners, l) }
}

func lies(path string, d preflight.Directory) func(*preflight.Host) {
	return func(h *preflight.Host) { h.Directories = map[string]preflight.Directory{path: d} }
}

// hostPairs are hosts on which something is that the cluster would meet: found before anything is
// changed.
func hostPairs() []specPair {
	const data, store = "/var/lib/postgresql/data", "/var/lib/etcd"
	return []specPair{
		{
			name: "more sessions than files", after: "balancer: {max_connections: 12000}",
			hosts:   told("lb2", func(f *preflight.Facts) { f.OpenFiles = 20000 }),
			refused: "HAProxy on lb2 wants 24100 open files; it may have 20000",
			way:     "write 9950 or less",
		},
		{
			name: "as many sessions as files", after: "balancer: {max_connections: 9950}",
			hosts: told("lb2", func(f *preflight.Facts) { f.OpenFiles = 20000 }),
			does:  "balancer.max_connections: reload",
		},
		{
			name: "a container's port",
			hosts: bareOn("pg2", listens(preflight.Listener{Port: 8008, Program: "docker-proxy",
				PID: 77})),
			refused: "port 8008 (patroni.rest_port) is in use by docker-proxy",
			way:     "docker ps --filter publish=8008",
		},
		{
			name: "a socket unit's port",
			hosts: bareOn("lb1", listens(preflight.Listener{Port: 5432, Program: "systemd",
				PID: 1})),
			refused: "port 5432 (balancer.write_port) is in use by systemd",
			way:     "systemctl list-sockets | grep :5432",
		},
		{
			name: "a service's port",
			hosts: bareOn("lb2", listens(preflight.Listener{
				Port: 7000, Program: "afs3", PID: 812, Unit: "afs3.service",
			})), refused: "balancer.stats_port", way: "systemctl disable --now afs3.service",
		},
		{
			name: "a user's process",
			hosts: bareOn("pg3", listens(preflight.Listener{
				Port: 2380, Program: "node", PID: 4711, Owner: "dev", Unit: "user@1000.service",
			})), refused: "node (process 4711 of dev", way: "kill 4711",
		},
		{
			name: "a new port for clients that somebody has", after: "balancer: {read_port: 6433}",
			hosts: on("lb3", listens(preflight.Listener{
				Port: 6433, Program: "pgbouncer", PID: 9, Unit: "pgbouncer.service",
			})), refused: "port 6433 (balancer.read_port) is in use by pgbouncer",
			way: "or set balancer.read_port to another port",
		},
		{
			name: "a backup where data belongs",
			hosts: bareOn("pg1", lies(data, preflight.Directory{
				Kind: "directory", Entries: "base.tar.gz pg_wal.tar.gz",
			})), refused: "is not empty, and what is in it is not this cluster's: base.tar.gz",
			way: "mv " + data,
		},
		{
			name: "an older PostgreSQL's data",
			hosts: bareOn("pg2", lies(data, preflight.Directory{
				Kind: "directory", Version: "13", Entries: "PG_VERSION",
			})), refused: "holds the data of a PostgreSQL 13",
			way: "set postgresql.data_dir to another path",
		},
		{
			name:    "a file where etcd's data belongs",
			hosts:   bareOn("pg3", lies(store, preflight.Directory{Kind: "file"})),
			refused: store + " (etcd.data_dir) is a file", way: "move it away",
		},
		{
			name: "a mount point with an etcd in it",
			hosts: bareOn("pg1", lies(store, preflight.Directory{
				Kind: "directory", Mount: true, Etcd: true, Entries: "lost+found member",
			})), refused: "holds the data of an etcd member", way: "to a folder below it",
		},
		{
			name:    "a read-only /etc",
			hosts:   on("pg2", func(h *preflight.Host) { h.ReadOnly = []string{"/etc"} }),
			refused: "the file system of /etc is read-only", way: "mount -o remount,rw /etc",
		},
		{name: "no way to a member", hosts: on("lb1", func(h *preflight.Host) {
			h.Addresses, h.Routes = []preflight.Address{
				{Interface: "eth0", Prefix: netip.MustParsePrefix("10.0.0.21/24")},
			}, map[string]preflight.Route{}
			for _, reached := range []string{"10.0.0.12", "10.0.0.13", "10.0.0.22", "10.0.0.23"} {
				h.Routes[reached] = preflight.Route{Interface: "eth0"}
			}
		}), refused: "it has no route to pg1 (10.0.0.11)", way: "ip route get 10.0.0.11"},
		{
			name:    "messages in a language that a host has not",
			after:   "postgresql: {parameters: {lc_messages: fr_FR.UTF-8}}",
			hosts:   on("pg3", func(h *preflight.Host) { h.Locales = []string{"C", "C.utf8"} }),
			refused: "it has no locale fr_FR.UTF-8 (postgresql.parameters.lc_messages)",
			way:     "localedef -i fr_FR",
		},
		{
			name:  "the log in a zone that a host has not",
			after: "postgresql: {parameters: {log_timezone: US/Eastern}}",
			hosts: on("pg1", func(h *preflight.Host) {
				h.Zones = map[string]string{"US/Eastern": "no"}
			}),
			refused: "it knows no time zone US/Eastern", way: "tzdata-legacy",
		},
		{
			name: "a zone that one balancer has not", after: "timezone: America/Argentina/Ushuaia",
			hosts: on("lb2", func(h *preflight.Host) {
				h.Zones = map[string]string{
					"America/Argentina/Ushuaia": "no",
				}
			}), refused: "it knows no time zone America/Argentina/Ushuaia (timezone)",
			way: "timedatectl list-timezones",
		},
		{name: "the virtual IP on a host by hand", hosts: bareOn("lb2", func(h *preflight.Host) {
			h.Addresses = []preflight.Address{
				{Interface: "eth0", Prefix: netip.MustParsePrefix("10.0.0.22/24")},
				{Interface: "eth0", Prefix: netip.MustParsePrefix("10.0.0.30/24")},
			}
		}), refused: "it has vip.address 10.0.0.30 on eth0",
			way: "ip addr del 10.0.0.30/24 dev eth0"},
		{
			name: "a new virtual IP that a printer has", after: "vip: {address: 10.0.0.31}",
			hosts:   on("lb1", func(h *preflight.Host) { h.Claimed = "00:11:22:33:44:55" }),
			refused: "vip.address 10.0.0.31 is in use", way: "set vip.address to a free one",
		},
		{name: "an interface that a balancer has not", after: "hosts: {lb1: {interface: bond0}}",
			hosts: on("lb1", func(h *preflight.Host) {
				h.Addresses = []preflight.Address{{Interface: "eth0",
					Prefix: netip.MustParsePrefix("10.0.0.21/24")}}
			}), refused: "there is no interface bond0", way: "ip -br addr"},
		{
			name:    "a system that is too old",
			hosts:   told("lb3", func(f *preflight.Facts) { f.Release = "11" }),
			refused: "debian 11 is not supported", way: "use Debian 12, 13",
		},
		{
			name: "another distribution",
			hosts: told("pg1", func(f *preflight.Facts) {
				f.Distribution, f.Release = "rocky",
					"9.4"
			}),
			refused: "rocky 9.4 is not supported", way: "use Debian",
		},
		{
			name:    "a container without systemd",
			hosts:   told("pg2", func(f *preflight.Facts) { f.Init = false }),
			refused: "PID 1 is not systemd", way: "systemd units",
		},
		{
			name: "a host more, of another release", before: "postgresql: {locale: de_DE.UTF-8}",
			hosts: comes("pg3", "2.36-9+deb12u10"),
			refused: "it has glibc 2.36, and pg1 has 2.41: locale de_DE.UTF-8 sorts text otherwise " +
				"there",
			way: "install the release there that pg1 has",
		},
		{
			name:  "a host more, of another release, where nothing is sorted",
			hosts: comes("pg3", "2.36-9+deb12u10"), does: "nothing",
			warns: "C.UTF-8, sorts by code point",
		},
		{
			name: "a host more, of another revision", before: "postgresql: {locale: fr_FR.UTF-8}",
			hosts: comes("pg3", "2.41-13"), does: "nothing",
		},
		{
			name:    "a clock of yesterday",
			hosts:   told("pg3", func(f *preflight.Facts) { f.ClockOffset = -24 * time.Hour }),
			refused: "the clock is off by -24h", way: "chrony",
		},
		{
			name:    "a Patroni that is too old for it",
			hosts:   told("pg1", func(f *preflight.Facts) { f.Candidates["patroni"] = "3.0.2-1" }),
			refused: "older than 4.0", way: "postgresql.source: pgdg",
		},
		{
			name:    "packages that nobody offers",
			hosts:   told("lb1", func(f *preflight.Facts) { delete(f.Candidates, "keepalived") }),
			refused: "apt offers no keepalived", way: "run apt-get update",
		},
		{name: "a repository behind a wall", before: "postgresql: {source: pgdg}",
			hosts: on("pg2", func(h *preflight.Host) {
				h.Sites = []preflight.Site{
					{
						Kind: "repository", URL: "https://pg.example/InRelease", Code: 100,
						Error: "https://pg.example/InRelease Could not resolve",
					},
				}
			}), refused: "it cannot get https://pg.example/InRelease: Could not resolve",
			way: "set postgresql.repository"},
		{
			name: "a user whose group is gone",
			hosts: on("pg1", func(h *preflight.Host) {
				h.Users, h.Groups = []string{"postgres"},
					[]string{"root"}
			}),
			refused: "postgres", way: "groupadd --system postgres",
		},
	}
}

// ownedPairs are what others keep on a host: announced, waited for, kept, never taken.
func ownedPairs() []specPair {
	foreign := func(path string) func(*preflight.Host) {
		return func(h *preflight.Host) { h.Foreign = []string{path} }
	}
	return []specPair{
		{name: "somebody installs something", hosts: on("pg1", func(h *preflight.Host) {
			h.Locks = []preflight.Lock{
				{File: "/var/lib/dpkg/lock-frontend", PID: 99, Program: "packagekitd",
					Unit: "packagekit.service"},
			}
		}), warns: "packagekitd (process 99, packagekit.service) is installing something",
			does: "nothing"},
		{name: "somebody installs something on two locks",
			hosts: on("lb2", func(h *preflight.Host) {
				h.Locks = []preflight.Lock{
					{File: "/var/lib/apt/lists/lock", PID: 7, Program: "aptitude"},
					{File: "/var/cache/apt/archives/lock", PID: 7, Program: "aptitude"},
				}
			}), warns: "aptitude (process 7) is installing something", does: "nothing"},
		{
			name:  "a Patroni of somebody's own making",
			hosts: bareOn("pg3", foreign("/etc/patroni/config.yml")),
			warns: "/etc/patroni/config.yml", does: "nothing",
		},
		{
			name:  "an etcd unit of somebody's own making",
			hosts: bareOn("pg2", foreign("/etc/systemd/system/etcd.service")),
			warns: "/etc/systemd/system/etcd.service", does: "nothing",
		},
		{
			name:  "an environment of etcd's by hand",
			hosts: bareOn("pg1", foreign("/etc/etcd/etcd.env")),
			warns: "/etc/etcd/etcd.env", does: "nothing",
		},
		{name: "a masked unit", hosts: on("lb3", func(h *preflight.Host) {
			h.Units = map[string]preflight.Unit{"haproxy.service": {Load: "masked", File: "masked"}}
		}), warns: "haproxy.service is masked", does: "nothing"},
		{name: "a unit in front of the package's", hosts: on("pg2", func(h *preflight.Host) {
			h.Units = map[string]preflight.Unit{
				"patroni.service": {Load: "loaded",
					Fragment: "/etc/systemd/system/patroni.service"},
			}
		}), warns: "/etc/systemd/system/patroni.service", does: "nothing"},
		{name: "Debian's own cluster runs", hosts: bareOn("pg1", func(h *preflight.Host) {
			h.Clusters = []preflight.DebianCluster{{Name: "15-shop", Active: true,
				Data: "/var/lib/postgresql/15/shop"}}
		}), refused: "15-shop", way: "15-shop"},
		{name: "the data of another etcd below this cluster's Patroni",
			hosts: bareOn("pg2", func(h *preflight.Host) {
				h.Directories = map[string]preflight.Directory{
					"/var/lib/etcd": {Kind: "directory", Etcd: true, Entries: "member"},
				}
			}), refused: "holds the data of an etcd member that is not this cluster's",
			way: "mv /var/lib/etcd /var/lib/etcd.old"},
		{
			name:    "a member of a cluster with another authority",
			hosts:   told("pg3", func(f *preflight.Facts) { f.EtcdCA = theirCA }),
			refused: "it belongs to a cluster with another certificate authority",
			way:     "restore it from its backup",
		},
	}
}
