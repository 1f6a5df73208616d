package preflight

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// wanted is what the hosts of testdata were asked for.
func wanted(database bool) Want {
	w := Want{Host: "h", Database: database, User: "root", Address: "192.168.0.200"}
	if !database {
		w.VIP = "192.168.0.210"
		w.Ports = []Port{
			{5432, "balancer.write_port", "haproxy.service"},
			{5433, "balancer.read_port", "haproxy.service"},
			{7000, "balancer.stats_port", "haproxy.service"},
		}
		w.Peers = []Peer{{"pg1", "192.168.0.203"}}
		w.Files = []File{
			{"/etc/haproxy/haproxy.cfg", "haproxy.service"},
			{"/etc/keepalived/keepalived.conf", "keepalived.service"},
		}
		w.Units = []string{"haproxy.service", "keepalived.service"}
		return w
	}
	w.Ports = []Port{{5432, "postgresql.port", "patroni.service"},
		{8008, "patroni.rest_port", "patroni.service"},
		{2379, "etcd.client_port", "etcd.service"}, {2380, "etcd.peer_port", "etcd.service"}}
	w.Data = []Data{
		{"/var/lib/postgresql/data", "postgresql.data_dir", false},
		{"/var/lib/etcd", "etcd.data_dir", true},
	}
	w.Peers = []Peer{{"pg1", "192.168.0.203"}, {"pg2", "192.168.0.204"}, {"pg3", "192.168.0.205"}}
	w.Locales = []Setting{{"C.UTF-8", "postgresql.locale"}}
	w.Zones = []Setting{{"Europe/Madrid", "timezone"}}
	w.Files = []File{
		{configPath, "patroni.service"}, {"/etc/etcd/etcd.env", "etcd.service"},
		{"/etc/systemd/system/etcd.service", "etcd.service"},
	}
	w.Units = []string{"etcd.service", "patroni.service"}
	return w
}

func recorded(t *testing.T, name string) Host {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	return Read(string(text))
}

// check holds findings to the words that each must hold, in order; "!" at the front is a warning's.
func check(t *testing.T, name string, found []Finding, want ...string) {
	t.Helper()
	if len(found) != len(want) {
		t.Errorf("%s: found %d, want %d:\n%+v", name, len(found), len(want), found)
		return
	}
	for i, f := range found {
		words, warning := strings.CutPrefix(want[i], "!")
		if !strings.Contains(f.Problem+"; "+f.Remedy.String(), words) || f.Warning != warning ||
			f.Remedy.IsZero() {
			t.Errorf("%s: found %+v, want %q (warning %v) with a remedy", name, f, words, warning)
		}
	}
}

// TestRecorded judges what spoiled hosts of a lab answered (Debian testing, iproute2 6.17, systemd
// 258).
func TestRecorded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, address string
		database      bool
		want          []string
	}{
		{"foreign-services", "192.168.0.203", true, []string{
			"port 5432 (postgresql.port) is in use by postgres (process 755 of root, " +
				"shop.service): /run/postgres /run/l.py 5432, which is not this cluster's; stop " +
				"it for good if nobody needs it: systemctl disable --now shop.service",
			"port 8008 (patroni.rest_port) is in use by python3",
			"port 2379 (etcd.client_port) is in use by etcd (process 757 of root, " +
				"etcd-other.service)",
			"/var/lib/postgresql/data (postgresql.data_dir) holds the data of a PostgreSQL 17 " +
				"that is not this cluster's; if nobody needs it move it away: mv " +
				"/var/lib/postgresql/data /var/lib/postgresql/data.old",
			"/var/lib/etcd (etcd.data_dir) holds the data of an etcd member",
			"it cannot get " +
				"https://github.com/etcd-io/etcd/releases/download/v3.6.10/etcd-v3.6.10-linux-amd64.tar.gz: github.com cannot be resolved",
			"it cannot get https://apt.postgresql.org/pub/repos/apt/dists/forky-pgdg/InRelease: " +
				"Temporary failure resolving 'apt.postgresql.org'",
		}},
		{"foreign-address", "192.168.0.204", true, []string{
			"is a symbolic link to /srv/data",
			"its connections to pg3 (192.168.0.205) come from 192.168.0.77 (enp0s3), not from " +
				"its address 192.168.0.204",
			"a user etcd, but there is no group etcd",
			"!python3 (process 664, apt-daily-upgrade-x.service) is installing something and " +
				"holds /var/lib/dpkg/lock-frontend",
		}},
		{"full", "192.168.0.205", true, []string{
			"!PostgreSQL cluster 16-main of somebody else is set up here (data in " +
				"/var/lib/postgresql/16/main)",
			"is a mount point with lost+found in it",
			"only 1 MiB are free on /var/log, where 16 are needed",
			"only 19 inodes are free on /var/log",
			"only 20 MiB are free on /var/lib/postgresql/data, where 64 are needed",
		}},
		{"foreign-configuration", "192.168.0.200", false, nil},
		{"virtual-ip-by-hand", "192.168.0.201", false,
			[]string{"the file system of /etc is read-only"}},
		{"virtual-ip-claimed", "192.168.0.202", false, nil},
		{"member", "192.168.0.203", true, nil},
	} {
		w := wanted(tt.database)
		w.Address = tt.address
		h := recorded(t, tt.name)
		h.Member = tt.name == "member"
		check(t, tt.name, Judge(w, h), tt.want...)
		if got := Runs(w, h); got != h.Member {
			t.Errorf("%s: the cluster runs: %v", tt.name, got)
		}
	}
}

func TestForeignConfiguration(t *testing.T) {
	t.Parallel()
	h := recorded(t, "foreign-configuration")
	h.Foreign = []string{"/etc/haproxy/haproxy.cfg"}
	check(t, "installed only", Judge(wanted(false), h),
		"!/etc/haproxy/haproxy.cfg was written by somebody else: apply replaces it, and keeps a "+
			"copy beside it")
	h.Units["haproxy.service"] = Unit{Load: "loaded", Active: "active", File: "enabled"}
	check(t, "serving", Judge(wanted(false), h),
		"haproxy.service runs with a /etc/haproxy/haproxy.cfg that pgha did not write: apply "+
			"would end what it serves; stop it if nobody needs it: systemctl disable --now "+
			"haproxy.service", "!copy beside it")
	h.Member = true
	check(t, "the cluster's, replaced by hand", Judge(wanted(false), h), "!copy beside it")
}

func TestVirtualIP(t *testing.T) {
	t.Parallel()
	hosts := map[string]Host{
		"lb1": recorded(t, "foreign-configuration"), "lb2": recorded(t, "virtual-ip-by-hand"),
		"lb3": recorded(t, "virtual-ip-claimed"),
	}
	wants := []Want{{Host: "lb1"}, {Host: "lb2"}, {Host: "lb3"}}
	const byHand = "it has vip.address 192.168.0.210 on enp0s3, and keepalived does not run: " +
		"somebody gave it that; take it away, here and in the network's configuration: ip addr " +
		"del 192.168.0.210/24 dev enp0s3"
	check(t, "a balancer's, by hand", JudgeNetwork(wants, hosts, "192.168.0.210"), byHand)
	check(t, "another address", JudgeNetwork(wants, hosts, "192.168.0.211"))
	check(t, "a machine outside", JudgeNetwork([]Want{{Host: "lb1"}, {Host: "lb3"}}, hosts,
		"192.168.0.210"),
		"vip.address 192.168.0.210 is in use: a machine with the hardware address 02:00:c0:a8:00:c9")
	hosts["lb2"].Units["keepalived.service"] = Unit{Active: "active"}
	check(t, "keepalived's", JudgeNetwork(wants, hosts, "192.168.0.210"))
	check(t, "no virtual IP", JudgeNetwork(wants, hosts, ""))
}

// fit is a database host of which nothing is to be said; change spoils it.
func judged(database bool, change func(*Want, *Host)) []Finding {
	w := wanted(database)
	h := Read("net\t2: eth0    inet 192.168.0.200/24 scope global eth0\n" +
		"net\t192.168.0.203 dev eth0 src 192.168.0.200\n" +
		"net\t192.168.0.204 dev eth0 src 192.168.0.200\nnet\t192.168.0.205 dev eth0 src 192.168.0.200\n" +
		"locale\tC.utf8\n")
	for range w.needs() {
		h.Spaces = append(h.Spaces, Space{KiB: 100 << 20, Inodes: 1 << 20, InodesFree: 1 << 20,
			Mount: "/"})
	}
	h.Missing = []string{"patroni"}
	change(&w, &h)
	return Judge(w, h)
}

func listening(l Listener) func(*Want, *Host) {
	return func(_ *Want, h *Host) { h.Listeners = append(h.Listeners, l) }
}

// member makes the host one of the cluster, with everything installed.
func member(more ...func(*Want, *Host)) func(*Want, *Host) {
	return func(w *Want, h *Host) {
		h.Missing, h.Member, h.Ours = nil, true, []string{configPath}
		for _, m := range more {
			m(w, h)
		}
	}
}

func data(path string, d Directory) func(*Want, *Host) {
	return func(_ *Want, h *Host) { h.Directories[path] = d }
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const pgdata, etcdData = "/var/lib/postgresql/data", "/var/lib/etcd"
	own := Listener{Port: 5432, Program: "postgres", PID: 9, Unit: "patroni.service",
		Owner: "postgres"}
	for name, tt := range map[string]struct {
		change func(*Want, *Host)
		want   []string
	}{
		"nothing":            {func(*Want, *Host) {}, nil},
		"its own PostgreSQL": {member(listening(own)), nil},
		"Patroni's unit, but no member": {
			listening(own),
			[]string{
				"which is not this cluster's; stop it for good if nobody needs it: systemctl " +
					"disable --now patroni.service",
			},
		},
		"by hand on its own data": {
			member(listening(Listener{
				Port: 5432, Program: "postgres", PID: 9, Unit: "session-1.scope",
				Command: "postgres -D " + pgdata,
			})), nil,
		},
		"by hand on other data": {
			member(listening(Listener{
				Port: 5432, Program: "postgres", PID: 9, Unit: "session-1.scope",
				Command: "postgres -D /srv/x",
			})), []string{"kill 9, or set postgresql.port"},
		},
		"units unknown": {member(listening(Listener{Port: 2379, Program: "etcd", PID: 9})), nil},
		"units unknown, another program": {
			member(listening(Listener{Port: 2379, Program: "nginx", PID: 9})),
			[]string{"in use by nginx"},
		},
		"a container's port": {
			listening(Listener{Port: 5432, Program: "docker-proxy", PID: 9,
				Unit: "docker.service"}),
			[]string{"docker ps --filter publish=5432"},
		},
		"a socket of systemd's": {
			listening(Listener{Port: 2380, Program: "systemd", PID: 1, Unit: "init.scope"}),
			[]string{"systemctl list-sockets | grep :2380"},
		},
		"a process of another namespace": {
			listening(Listener{Port: 8008}),
			[]string{"in use by a process that the host does not show"},
		},
		"Debian's cluster on the port": {
			listening(Listener{
				Port: 5432, Program: "postgres", PID: 9, Unit: "postgresql@17-main.service",
			}), []string{"systemctl stop postgresql@17-main.service"},
		},
		"a user's service of a fitting name": {
			member(listening(Listener{Port: 8008, Program: "python3", PID: 9,
				Unit: "app.service"})),
			[]string{"port 8008"},
		},
		"two on one port": {listening2(5432), []string{"port 5432"}},
		"the cluster, left as plain PostgreSQL": {
			member(func(w *Want, h *Host) {
				w.Data = []Data{{Path: "/d"}}
				h.Clusters = []DebianCluster{{"18-main", false, "/d"}}
			}),
			[]string{"was left as plain PostgreSQL"},
		},
		"Debian's cluster elsewhere runs": {
			func(_ *Want, h *Host) { h.Clusters = []DebianCluster{{"17-main", true, "/d"}} },
			[]string{"17-main of somebody else runs here"},
		},
		"Debian's cluster on a member": {
			member(func(_ *Want, h *Host) {
				h.Clusters = []DebianCluster{{"17-main", true, "/d"}}
			}), nil,
		},
		"another cluster's host": {
			func(_ *Want, h *Host) { h.Stranger = true; h.Listeners = []Listener{own} }, nil,
		},
		"own data": {
			member(data(pgdata, Directory{Kind: "directory", Version: "18",
				Entries: "PG_VERSION base"})), nil,
		},
		"data of before Patroni was configured": {func(_ *Want, h *Host) {
			h.Member = true
			h.Directories[pgdata] = Directory{Kind: "directory", Version: "18"}
		}, []string{"PostgreSQL 18"}},
		"data that was restored to begin with": {func(w *Want, h *Host) {
			w.Begun, h.Ours, h.Member = "/var/lib/pgha/begins", []string{"/var/lib/pgha/begins"}, true
			h.Directories[pgdata] = Directory{Kind: "directory", Version: "18"}
		}, nil},
		"an empty folder":      {data(pgdata, Directory{Kind: "directory"}), nil},
		"an empty mount point": {data(pgdata, Directory{Kind: "directory", Mount: true}), nil},
		"a mount point with data": {
			data(pgdata, Directory{
				Kind: "directory", Mount: true, Version: "16", Entries: "PG_VERSION lost+found",
			}), []string{"empty it if nobody needs it, or set postgresql.data_dir to a folder " +
				"below it"},
		},
		"files of somebody else": {
			data(pgdata, Directory{Kind: "directory", Entries: "backup.tar notes"}),
			[]string{"is not empty, and what is in it is not this cluster's: backup.tar, notes"},
		},
		"a file": {data(pgdata, Directory{Kind: "file"}), []string{"is a file"}},
		"etcd on a mount point": {
			data(etcdData, Directory{Kind: "directory", Mount: true, Entries: "lost+found"}), nil,
		},
		"etcd's package was there": {data(etcdData,
			Directory{Kind: "directory", Entries: "default"}), nil},
		"etcd's own": {
			member(data(etcdData, Directory{Kind: "directory", Etcd: true, Entries: "member"})),
			nil,
		},
		"etcd's link": {
			member(data(etcdData, Directory{Kind: "link", Target: "/ssd/etcd"})),
			[]string{"set etcd.data_dir to /ssd/etcd"},
		},
		"no route": {
			func(_ *Want, h *Host) {
				delete(h.Routes, "192.168.0.204")
			}, []string{"no route to pg2 (192.168.0.204)"},
		},
		"a source of IPv6, written otherwise": {func(w *Want, h *Host) {
			w.Address, w.Peers = "fd00::0:1", []Peer{{"pg2", "fd00::2"}}
			h.Routes["fd00::2"] = Route{Source: "fd00::1"}
		}, nil},
		"ip did not answer": {func(_ *Want, h *Host) { h.Routes, h.Addresses = nil, nil }, nil},
		"no locale": {
			locale("de_DE.UTF-8"), []string{"localedef -i de_DE -f UTF-8 de_DE.UTF-8"},
		},
		"no locale, with a modifier": {
			locale("de_DE.ISO-8859-15@euro"),
			[]string{"localedef -i de_DE@euro -f ISO-8859-15 de_DE.ISO-8859-15@euro"},
		},
		"no locale, without a charset": {
			locale("de_DE"), []string{"localedef -i de_DE -f ISO-8859-1 de_DE"},
		},
		"a locale, written otherwise": {locale("C.utf-8"), nil},
		"no time zone": {
			zone("no"), []string{"it knows no time zone Mars/Base (timezone)"},
		},
		"a time zone":       {zone("yes"), nil},
		"no time zones yet": {zone("unknown"), nil},
		"forwarding forbidden": {
			forbidden("/etc/ssh/sshd_config:57:AllowTcpForwarding no"),
			[]string{"/etc/ssh/sshd_config:57:AllowTcpForwarding no; allow it for root"},
		},
		"forwarding forbidden by a later file": {
			forbidden("/etc/ssh/sshd_config:57:AllowTcpForwarding yes",
				"/etc/ssh/sshd_config.d/10-hard.conf:3:DisableForwarding yes"), []string{
				"PostgreSQL need: /etc/ssh/sshd_config.d/10-hard.conf:3:DisableForwarding " +
					"yes; allow",
			},
		},
		"forwarding forbidden for the key": {
			forbidden("/root/.ssh/authorized_keys:1:restrict"),
			[]string{"/root/.ssh/authorized_keys:1:restrict"},
		},
		"forwarding forbidden, nobody knows where": {forbidden(), []string{"sshd -T"}},
		"one of two sources is away": {
			sites(Site{
				"source", "http://a/InRelease", 0, "",
			}, Site{
				"source", "http://b/InRelease", 100,
				"Failed to fetch http://b/InRelease  Could not connect",
			}), []string{"!it cannot get http://b/InRelease: Could not connect"},
		},
		"the only source is away": {
			sites(Site{"source", "http://b/InRelease", 124, ""}),
			[]string{"http://b/InRelease: no answer within 12 seconds"},
		},
		"a repository without the release": {
			sites(Site{
				"repository", "https://u:secret@r/dists/x/InRelease", 100,
				"Failed to fetch https://u:secret@r/dists/x/InRelease  404  Not Found [IP: " +
					"1.2.3.4 443]",
			}), []string{"https://u:xxxxx@r/dists/x/InRelease: 404  Not Found"},
		},
		"a server that wants no HEAD": {
			sites(Site{"download", "https://d/e.tgz", 22,
				"curl: (22) The requested URL returned error: 403"}), nil,
		},
		"an archive that is not there": {
			sites(Site{
				"download", "https://d/e.tgz", 22,
				"curl: (22) The requested URL returned error: 404",
			}), []string{"set etcd.url, or etcd.source: archive"},
		},
		"a masked unit": {
			func(_ *Want, h *Host) {
				h.Units["etcd.service"] = Unit{Load: "masked", File: "masked"}
			},
			[]string{"!etcd.service is masked"},
		},
		"masked by pgha until it runs": {
			func(_ *Want, h *Host) {
				h.Units["patroni.service"] = Unit{Load: "masked", File: "masked-runtime"}
			}, nil,
		},
		"a unit file in front of the package's": {func(_ *Want, h *Host) {
			h.Units["patroni.service"] = Unit{Fragment: "/etc/systemd/system/patroni.service"}
		}, []string{"!mv /etc/systemd/system/patroni.service"}},
		"pgha's unit file": {func(_ *Want, h *Host) {
			h.Units["etcd.service"], h.Ours = Unit{
				Fragment: "/etc/systemd/system/etcd.service",
			}, []string{"/etc/systemd/system/etcd.service"}
		}, nil},
		"a full disk, bare": {
			full(func(s *Space) { s.KiB = 1 << 10 }), []string{"only 1 MiB are free on /, where"},
		},
		"no inodes": {
			full(func(s *Space) { s.InodesFree = 3 }), []string{"only 3 inodes are free on /"},
		},
		"a file system without inodes": {full(func(s *Space) {
			s.Inodes, s.InodesFree = 0,
				0
		}), nil},
		"services filled a member's disk": {member(onlyServices),
			[]string{"!only 1 MiB are free on /full"}},
		"df did not answer": {func(_ *Want, h *Host) { h.Spaces = nil }, nil},
		"a lock and a second of the same": {
			func(_ *Want, h *Host) {
				h.Locks = []Lock{{"/a", 7, "dpkg", ""}, {"/b", 7, "dpkg", ""}}
			},
			[]string{"!dpkg (process 7)"},
		},
		"a user whose group somebody deleted": {
			func(_ *Want, h *Host) { h.Users = []string{"postgres"} },
			[]string{"groupadd --system postgres && usermod --gid postgres postgres"},
		},
	} {
		check(t, name, judged(true, tt.change), tt.want...)
	}
}

func TestJudgeBalancer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*Want, *Host)
		want   []string
	}{
		"fit": {func(*Want, *Host) {}, nil},
		"its own HAProxy": {
			member(listening(Listener{Port: 7000, Program: "haproxy", PID: 9,
				Unit: "haproxy.service"})), nil,
		},
		"somebody's HAProxy": {
			listening(Listener{Port: 5433, Program: "haproxy", PID: 9, Unit: "haproxy.service"}),
			[]string{"port 5433 (balancer.read_port)"},
		},
		"the statistics' port": {
			listening(Listener{Port: 7000, Program: "node", PID: 9}),
			[]string{"balancer.stats_port"},
		},
		"/32": {
			network("192.168.0.200/32"),
			[]string{"vip.address 192.168.0.210 is not in the network 192.168.0.200/32 of eth0"},
		},
		"/32, interface named": {
			func(w *Want, h *Host) { network("192.168.0.200/32")(w, h); w.Interface = "eth0" }, nil,
		},
		"another network": {network("192.168.0.200/29"),
			[]string{"is not in the network 192.168.0.200/29"}},
		"address of a NAT": {network("10.0.0.9/24"),
			[]string{"no interface has its address 192.168.0.200"}},
		"no such interface": {
			func(w *Want, _ *Host) { w.Interface = "eth7" }, []string{"there is no interface eth7"},
		},
		"source of a balancer": {
			func(_ *Want, h *Host) { h.Routes["192.168.0.203"] = Route{Source: "10.9.9.9"} },
			[]string{"!come from 10.9.9.9"},
		},
		"a foreign unit's file": {
			func(_ *Want, h *Host) { h.Foreign = []string{"/etc/keepalived/keepalived.conf"} },
			[]string{"!keepalived.conf"},
		},
	} {
		check(t, name, judged(false, tt.change), tt.want...)
	}
}

func listening2(port int) func(*Want, *Host) {
	return func(_ *Want, h *Host) {
		h.Listeners = []Listener{{Port: port, Program: "a", PID: 2}, {Port: port, Program: "b", PID: 3}}
	}
}

func locale(name string) func(*Want, *Host) {
	return func(w *Want, _ *Host) { w.Locales = []Setting{{name, "postgresql.locale"}} }
}

func zone(answer string) func(*Want, *Host) {
	return func(w *Want, h *Host) {
		w.Zones, h.Zones["Mars/Base"] = []Setting{{"Mars/Base", "timezone"}}, answer
	}
}

func forbidden(lines ...string) func(*Want, *Host) {
	return func(_ *Want, h *Host) { h.Forbidden, h.Forwarding = "sshd forbids it", lines }
}

func sites(list ...Site) func(*Want, *Host) { return func(_ *Want, h *Host) { h.Sites = list } }

func full(change func(*Space)) func(*Want, *Host) {
	return func(_ *Want, h *Host) {
		for i := range h.Spaces {
			change(&h.Spaces[i])
		}
	}
}

func onlyServices(w *Want, h *Host) {
	for i, n := range w.needs() {
		if n.services {
			h.Spaces[i] = Space{KiB: 1 << 10, Inodes: 1, InodesFree: 1 << 20, Mount: "/full"}
		}
	}
}

func network(prefix string) func(*Want, *Host) {
	return func(_ *Want, h *Host) {
		routes := h.Routes
		*h = Read("net\t2: eth0    inet " + prefix + " scope global eth0\n")
		h.Routes = routes
	}
}

func TestReadForgives(t *testing.T) {
	t.Parallel()
	h := Read("listener\nlistener\tnonsense\tx\ndirectory\t/x\nspace\tdf: broken\nnet\t\n" +
		"net\tunreachable default\nsite\nunit\t\nzone\nlock\n\x00\n")
	if len(h.Listeners) != 2 || h.Spaces != nil || len(h.Routes) != 0 {
		t.Errorf("read %+v", h)
	}
	if got := Judge(wanted(true), h); slices.ContainsFunc(got, func(f Finding) bool { return f.Problem == "" }) {
		t.Errorf("found %+v", got)
	}
}

func TestReadCandidates(t *testing.T) {
	t.Parallel()
	policy := "== policy\npatroni:\n  Installed: (none)\n  Candidate: 4.1.5-1\n  Version table:\n" +
		"     4.1.5-1 500\nhaproxy:\n  Installed: 3.2.26-1\n  Candidate: (none)\n== \n"
	for _, text := range []string{policy, "candidate\tpatroni\t4.1.5-1\n"} {
		if got := Read(text).Candidates; len(got) != 1 || got["patroni"] != "4.1.5-1" {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestQuestionIsEmptyForNobody(t *testing.T) {
	t.Parallel()
	if got := (Want{}).Question(); !slices.Equal(got, []string{"true"}) {
		t.Errorf("asks %v", got)
	}
}
