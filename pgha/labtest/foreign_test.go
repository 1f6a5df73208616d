package labtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestForeign prepares bare hosts with what somebody else may have on them: preflight finds all of
// it at once, for all hosts, and changes nothing. An installation waits for somebody else's.
func TestForeign(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Options{Name: "foreign"})
	s := newSite(t, l, func(text string) string {
		return edited(t, text, "postgresql: {version: 18,",
			"timezone: Europe/Madrid\npostgresql: {version: 18, parameters: {lc_time: xx_XX.UTF-8},")
	})
	for _, spoil := range spoilers {
		s.mustInHost(t, spoil.host, spoil.script)
	}
	const everything = "find /etc /var/lib /usr/local /srv -xdev -mindepth 1 -printf '%p %C@ " +
		"%s\\n' | grep -v -e /var/lib/systemd -e /var/lib/private | sort"
	before := map[string]string{}
	for _, h := range s.Hosts() {
		before[h.Name] = s.mustInHost(t, h.Name, everything)
	}
	got := s.cli(t, "preflight")
	if got.code == 0 || got.code == 64 {
		t.Errorf("preflight: exit code %d", got.code)
	}
	for _, spoil := range spoilers {
		for _, want := range spoil.want {
			// between the host and the words stands where the specification has the field
			said := func(line string) bool {
				return strings.Contains(line, spoil.host+": ") && strings.Contains(line, ": "+want)
			}
			if !slices.ContainsFunc(strings.Split(got.stdout+got.stderr, "\n"), said) {
				t.Errorf("preflight does not say %q of %s", want, spoil.host)
			}
		}
	}
	if t.Failed() {
		t.Log(got.stdout, got.stderr)
	}
	for _, h := range s.Hosts() {
		known := strings.Split(before[h.Name], "\n")
		for line := range strings.SplitSeq(s.mustInHost(t, h.Name, everything), "\n") {
			if !slices.Contains(known, line) {
				t.Errorf("preflight changed %s: %s", h.Name, line)
			}
		}
	}
	t.Run("an installation waits", func(t *testing.T) { testInstallationWaits(t, s) })
}

// spoilers are what is made on a host, and what preflight has to say of it.
var spoilers = []struct {
	host, script string
	want         []string
}{
	{"postgres-01",
		`rm /usr/share/zoneinfo/Europe/Madrid && cp /usr/bin/python3 /run/postgres && cp /usr/bin/python3 /run/etcd
		listen() { systemd-run -q --unit="$1" "$2" -c "import socket,time;s=socket.create_server(('',$3));time.sleep(3600)"; }
		listen shop.service /run/postgres 5432; listen web.service python3 8008; listen other.service /run/etcd 2379
		until [ "$(ss -H -ltn | grep -c -e :5432 -e :8008 -e :2379)" = 3 ]; do sleep 0.1; done
		mkdir -p /var/lib/postgresql/data /var/lib/etcd/member && echo 17 >/var/lib/postgresql/data/PG_VERSION`,
		[]string{"port 5432 (postgresql.port) is in use by postgres",
			"port 8008 (patroni.rest_port) is in use by python3",
			"port 2379 (etcd.client_port) is in use by etcd",
			"/var/lib/postgresql/data (postgresql.data_dir) holds the data of a PostgreSQL 17",
			"/var/lib/etcd (etcd.data_dir) holds the data of an etcd member",
			"it has no locale xx_XX.UTF-8 (postgresql.parameters.lc_time)",
			"it knows no time zone Europe/Madrid (timezone)"}},
	{"postgres-02",
		`mkdir -p /srv/data /var/lib/postgresql && ln -sfn /srv/data /var/lib/postgresql/data
		ip addr add 192.168.0.77/24 dev enp0s3 && ip route add 192.168.0.205/32 dev enp0s3 src 192.168.0.77
		useradd -M -g nogroup etcd`,
		[]string{"/var/lib/postgresql/data (postgresql.data_dir) is a symbolic link to /srv/data",
			"its connections to postgres-03 (192.168.0.205) come from 192.168.0.77",
			"somebody made a user etcd, but there is no group etcd"}},
	{"postgres-03", `mkdir -p /var/lib/postgresql/data /etc/postgresql/16/main
		mount -t tmpfs -o size=200M none /var/lib/postgresql/data && mkdir /var/lib/postgresql/data/lost+found
		mount -t tmpfs -o size=1M,nr_inodes=20 none /var/log
		echo "data_directory = '/var/lib/postgresql/16/main'" >/etc/postgresql/16/main/postgresql.conf`,
		[]string{"/var/lib/postgresql/data (postgresql.data_dir) is a mount point with " +
			"lost+found in it",
			"only 1 MiB are free on /var/log", "only 19 inodes are free on /var/log",
			"PostgreSQL cluster 16-main of somebody else is set up here"}},
	{"haproxy-01",
		`mkdir -p /etc/haproxy /etc/keepalived && echo 'listen shop' >/etc/haproxy/haproxy.cfg && echo 'vrrp_instance theirs {}' >/etc/keepalived/keepalived.conf
		systemd-run -q --unit=first-boot.service python3 -c "import fcntl,time;f=open('/var/lib/dpkg/lock-frontend','w');fcntl.lockf(f,fcntl.LOCK_EX);time.sleep(3600)"
		until grep -q "POSIX.*:$(stat -c %i /var/lib/dpkg/lock-frontend) " /proc/locks; do sleep 0.1; done`,
		[]string{
			"/etc/haproxy/haproxy.cfg was written by somebody else",
			"/etc/keepalived/keepalived.conf was written by somebody else", "python3 (process",
		}},
	{"haproxy-02",
		`ip addr add 192.168.0.210/24 dev enp0s3 && mount --bind /etc /etc && mount -o remount,bind,ro /etc`,
		[]string{
			"the file system of /etc is read-only",
			"it has vip.address 192.168.0.210 on enp0s3, and keepalived does not run",
		}},
	{"haproxy-03",
		`echo 'AllowTcpForwarding no' >/etc/ssh/sshd_config.d/hard.conf && systemctl reload ssh && sshd -T | grep -qix 'allowtcpforwarding no'`,
		[]string{
			"sshd does not forward connections, which all questions to etcd, Patroni and " +
				"PostgreSQL need: /etc/ssh/sshd_config.d/hard.conf:1:AllowTcpForwarding no",
		}},
}

// testInstallationWaits installs a package while somebody else holds dpkg's lock for some seconds.
func testInstallationWaits(t *testing.T, s site) {
	s.mustInHost(t, "haproxy-01", "systemctl stop first-boot.service")
	s.mustInHost(t, "haproxy-01",
		`systemd-run -q --unit=upgrade.service python3 -c "import fcntl,time;f=open('/var/lib/dpkg/lock','w');fcntl.lockf(f,fcntl.LOCK_EX);time.sleep(6)"
		until grep -q "POSIX.*:$(stat -c %i /var/lib/dpkg/lock) " /proc/locks; do sleep 0.1; done`)
	s.with(t, pgha.ConnectOptions{}, func(c *pgha.Cluster) {
		target, err := c.Target("haproxy-01")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := target.Ensure(t.Context(), remote.Packages{
			Names: []string{"haproxy"}, Quiet: []string{"haproxy.service"},
		}); err != nil {
			t.Fatal(err)
		}
	})
	if got := s.mustInHost(t, "haproxy-01",
		"cat /etc/haproxy/haproxy.cfg; systemctl is-active upgrade.service || true"); got != "listen shop\ninactive" {
		t.Errorf("the installation did not wait, or replaced a file of somebody else: %s", got)
	}
}
