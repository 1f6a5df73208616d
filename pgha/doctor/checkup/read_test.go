package checkup

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestReaders hands each reader what programs print on a bad day. A reader takes what it
// understands and makes nothing up.
func TestReaders(t *testing.T) {
	t.Parallel()
	var long = strings.Repeat("x ", 300)
	for name, c := range map[string]struct {
		read func(*doctor.Host, remote.Result)
		out  string
		exit int
		host doctor.Host // before
		want doctor.Host // after
	}{
		"units": {read: readUnits,
			out: "Id=etcd.service\nLoadState=loaded\nActiveState=active\nMainPID=7\nResult=success\n\n" +
				"Id=gone.service\nLoadState=not-found\nMainPID=\n\nLoadState=loaded\n\nId=cut",
			want: doctor.Host{Units: map[string]doctor.Unit{
				"etcd.service": {Load: "loaded", Active: "active", Result: "success", PID: 7},
				"gone.service": {Load: "not-found"}, "cut": {}}}},
		"systemd does not answer": {read: readUnits, out: "Failed to connect to bus\n", exit: 1,
			want: doctor.Host{Units: map[string]doctor.Unit{}}},
		"journals": {read: readJournals, out: "lost line\n== a.service\none\n\ntwo\n== " +
			"b.service\n== c.service\nthree",
			want: doctor.Host{Journals: map[string][]string{"a.service": {"one", "two"},
				"c.service": {"three"}}}},
		"disks": {read: readDisks,
			out: "Filesystem Type 1K-blocks Avail Inodes IFree Mounted on\n/dev/sda ext4 100 40 " +
				"10 5 /srv/my data\n" +
				"proc proc 0 0 0 0 /proc\n/dev/sdb ext4 - - - - /mnt\n/dev/sdc ext4 1",
			want: doctor.Host{Disks: []doctor.Disk{
				{
					Mount: "/srv/my data", Source: "/dev/sda", Type: "ext4", SizeBytes: 102400,
					FreeBytes: 40960, Inodes: 10, InodesFree: 5,
				},
				{Mount: "/mnt", Source: "/dev/sdb", Type: "ext4"}}}},
		"the last mount counts": {read: readMounts,
			out: "/dev/sda / ext4 ro 0 0\n/dev/sda / ext4 rw,relatime 0 0\n/dev/sdb /data ext4 " +
				"rw 0 0\n/dev/sdb /data ext4 ro,errors=remount-ro 0 0\nproc /proc proc ro 0 " +
				"0\ncut /x",
			host: doctor.Host{Disks: []doctor.Disk{{Mount: "/"}, {Mount: "/data"}}},
			want: doctor.Host{Disks: []doctor.Disk{{Mount: "/"},
				{Mount: "/data", ReadOnly: true}}}},
		"a read-only mount that df leaves out": {read: readMounts,
			out: "/dev/sdc /var/lib/etcd ext4 ro 0 0\n",
			want: doctor.Host{
				Disks: []doctor.Disk{{Mount: "/var/lib/etcd", Source: "/dev/sdc", Type: "ext4",
					ReadOnly: true}},
			}},
		"listeners": {read: readListeners,
			out: `LISTEN 0 4096 [::]:2379 [::]:* users:(("etcd",pid=7,fd=3))` + "\n" +
				"LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\nLISTEN 0\nLISTEN 0 128 127.0.0.1:x *:*\n",
			want: doctor.Host{Listeners: []doctor.Listener{{Port: 2379, Program: "etcd", PID: 7},
				{Port: 22}}}},
		"a fence": {read: readFence, out: `{"leader": "pg1", "at": 100, "keep": 80}` +
			"\n" + `{"addresses": ["10.0.0.9"]}` + "\nprohibit 10.0.0.1 \nprohibit fd00::1 dev lo metric 1024 pref medium\ncut\n",
			want: doctor.Host{Fence: &doctor.Fence{Leader: "pg1", Since: time.Unix(100, 0),
				Until: time.Unix(180, 0), Aside: []string{"10.0.0.9"},
				Prohibited: []string{"10.0.0.1", "fd00::1"}}}},
		"no fence": {read: readFence, out: "\n\n", want: doctor.Host{Fence: &doctor.Fence{}}},
		"addresses": {read: readAddresses,
			out: "2: eth0    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0\n2: eth0 inet6 " +
				"fe80::1/64 scope link\n2: eth0 link/ether x y\n3: lo",
			want: doctor.Host{Addresses: map[string]string{"10.0.0.1": "eth0", "fe80::1": "eth0"}}},
		"rules that refuse": {read: readFirewall,
			out: "table inet filter {\n\tchain input {\n\t\ttcp dport 5432 drop # handle 7\n" +
				"\t\ttcp dport 22 accept # handle 8\n\t\tip protocol vrrp reject\n",
			want: doctor.Host{Firewall: []doctor.FirewallRule{
				{Family: "inet", Table: "filter", Chain: "input", Handle: "7",
					Text: "tcp dport 5432 drop"}}}},
		"no nftables": {read: readFirewall, out: "sh: nft: not found\n", exit: 127,
			want: doctor.Host{}},
		"suspended processes": {read: readProcesses,
			out: "7 T etcd\n8 Tl postgres\n9 T vi\n10 S haproxy\n11 T\n",
			want: doctor.Host{Stopped: []doctor.Process{{PID: 7, Program: "etcd"},
				{PID: 8, Program: "postgres"}}}},
		"files": {read: readFiles, out: "600 root root /a b\n640 root etcd\n\n",
			want: doctor.Host{Files: map[string]doctor.File{"/a b": {Mode: "600", Owner: "root",
				Group: "root"}}}},
		"packages": {read: readPackages,
			out:  "patroni 4.1.5-1 installed\nhaproxy  not-installed\nkeepalived 2.3 config-files\n",
			want: doctor.Host{Packages: map[string]string{"patroni": "4.1.5-1"}}},
		"python is missing": {read: readPrograms, out: "", exit: 127,
			host: doctor.Host{Data: &doctor.Data{}, Patroni: &doctor.Patroni{},
				Etcd: &doctor.Etcd{}},
			want: doctor.Host{Data: &doctor.Data{},
				Patroni: &doctor.Patroni{Error: "python3 did not answer: unexpected end of " +
					"JSON input"},
				Etcd: &doctor.Etcd{Error: "python3 did not answer: unexpected end of JSON input"}}},
		"one program answers": {read: readPrograms,
			host: doctor.Host{Data: &doctor.Data{}, Patroni: &doctor.Patroni{},
				Etcd: &doctor.Etcd{}},
			out: `{"patroni":{"error":"refused"},"etcd":{"id":"7"},"files":{"etcd_data":true,"certificates":[{"name":"x"}]}}`,
			want: doctor.Host{Data: &doctor.Data{EtcdData: true},
				Patroni: &doctor.Patroni{Error: "refused"},
				Etcd:    &doctor.Etcd{ID: "7"}, Certificates: []doctor.Certificate{{Name: "x"}}}},
		"no control file": {read: readControl, out: "pg_controldata: error: could not open file",
			exit: 1,
			host: doctor.Host{Data: &doctor.Data{}}, want: doctor.Host{Data: &doctor.Data{}}},
		"a control file": {read: readControl, host: doctor.Host{Data: &doctor.Data{}},
			out:  "Database system identifier:           77\nDatabase cluster state:               in production\n",
			want: doctor.Host{Data: &doctor.Data{SystemID: "77", ControlState: "in production"}}},
		"PostgreSQL hangs": {
			read: readSQL, exit: 124,
			want: doctor.Host{SQL: &doctor.SQL{Error: "no answer within 4 s"}},
		},
		"PostgreSQL refuses": {
			read: readSQL, exit: 2, out: "FATAL:  sorry,\n too many",
			want: doctor.Host{SQL: &doctor.SQL{Error: "FATAL: sorry, too many"}},
		},
		"PostgreSQL says half": {
			read: readSQL, out: `{"recovery": tr`,
			want: doctor.Host{
				SQL: &doctor.SQL{Error: "unreadable answer: invalid character '\\x00' in literal " +
					"true (expecting 'u')"},
			},
		},
		"the login is refused": {
			read: readReplicationLogin, exit: 2, out: "FATAL: no",
			host: doctor.Host{SQL: &doctor.SQL{}},
			want: doctor.Host{SQL: &doctor.SQL{ReplicationLogin: "FATAL: no"}},
		},
		"the login hangs": {
			read: readReplicationLogin, exit: 124, host: doctor.Host{SQL: &doctor.SQL{}},
			want: doctor.Host{SQL: &doctor.SQL{ReplicationLogin: "no answer within 4 s"}},
		},
		"the server is down anyway": {
			read: readReplicationLogin, exit: 2, out: "FATAL: no",
			host: doctor.Host{SQL: &doctor.SQL{Error: "down"}},
			want: doctor.Host{SQL: &doctor.SQL{Error: "down"}},
		},
		"haproxy.cfg is invalid": {
			read: readHAProxyCheck, exit: 1, out: long,
			host: doctor.Host{HAProxy: &doctor.HAProxy{}},
			want: doctor.Host{HAProxy: &doctor.HAProxy{ConfigError: strings.Repeat("x ", 150) +
				"..."}},
		},
		"haproxy fails without words": {
			read: readHAProxyCheck, exit: 139, host: doctor.Host{HAProxy: &doctor.HAProxy{}},
			want: doctor.Host{HAProxy: &doctor.HAProxy{ConfigError: "exit code 139"}},
		},
		"servers": {read: readHAProxyStat, host: doctor.Host{HAProxy: &doctor.HAProxy{}},
			out: "# pxname,svname,status,check_status\npostgres_write,FRONTEND,OPEN,\n" +
				"postgres_write,pg1,UP,L7OK\npostgres_write,pg2,DOWN,* L4CON\n" +
				"postgres_read,BACKEND,UP,\nstats,pg1,UP,\npostgres_read,pg3\n",
			want: doctor.Host{HAProxy: &doctor.HAProxy{Servers: map[string]string{
				"postgres_write/pg1": "UP L7OK", "postgres_write/pg2": "DOWN L4CON",
				"postgres_read/pg3": ""}}}},
		"haproxy is silent": {read: readHAProxyStat, exit: 2, out: "No such file or directory\n",
			host: doctor.Host{
				HAProxy: &doctor.HAProxy{},
			},
			want: doctor.Host{
				HAProxy: &doctor.HAProxy{Error: "No such file or directory",
					Servers: map[string]string{}},
			}},
		"haproxy says nothing": {read: readHAProxyStat,
			host: doctor.Host{HAProxy: &doctor.HAProxy{}},
			want: doctor.Host{HAProxy: &doctor.HAProxy{Error: "unreadable answer",
				Servers: map[string]string{}}}},
	} {
		h := c.host
		c.read(&h, remote.Result{Stdout: []byte(c.out), ExitCode: c.exit})
		if name == "PostgreSQL says half" {
			if h.SQL.Error == "" || h.SQL.Recovery {
				t.Errorf("%s: %+v", name, h.SQL)
			}
			continue
		}
		if diff := cmp.Diff(c.want, h); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestClockOffset: a clock is wrong only by what lies outside of question and answer.
func TestClockOffset(t *testing.T) {
	t.Parallel()
	asked, answered := time.Unix(1000, 0), time.Unix(1003, 0)
	for out, want := range map[string]float64{
		"1000": 0, "1001.5\n": 0, "1003.0": 0, "999.5": -0.5, "1007": 4, "": 0, "date: no": 0,
	} {
		if got := clockOffset([]byte(out), asked, answered); got != want {
			t.Errorf("%q: %g, want %g", out, got, want)
		}
	}
}
