package preflight

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestLookScript runs look.sh on this machine, with systemd, dpkg and apt that are silent, and
// reads its answer as of a host.
func TestLookScript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	scripttest.Write(t, dir, "full/x", "x")
	scripttest.Write(t, dir, "data/PG_VERSION", "18\n")
	scripttest.Write(t, dir, "data/global/pg_control", "\x01\x02\x00\x00\x00\x00\x00\x80rest")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	silent := map[string]string{"systemctl": "exit 1", "systemd-detect-virt": "exit 1",
		"apt-cache":  "exit 1",
		"apt-get":    "exit 1",
		"dpkg-query": "exit 1", "timedatectl": "exit 1", "curl": "exit 1"}
	r := scripttest.Run{With: "sh", Script: lookScript, Fakes: silent,
		Args: []string{"own", "127.0.0.1", "data", dir + "/full", "data", dir + "/none", "data", dir + "/data", "package",
			"nosuch"}}.Do(t)
	h := Read(r.Stdout)
	for path, want := range map[string]string{
		dir + "/full": "directory\t" + dir + "/full\tdirectory\t",
		dir + "/none": "directory\t" + dir + "/none\tmissing",
	} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("of %s nothing is said in\n%s\n%s", path, r.Stdout, r.Stderr)
		}
	}
	if d := h.Directories[dir+"/data"]; d.Version != "18" || d.Identifier != "9223372036854776321" {
		t.Errorf("the data directory is %+v", d)
	}
	if !strings.Contains(r.Stdout, "missing\tnosuch") || len(h.Listeners) == 0 && exists("ss") {
		t.Errorf("%+v of\n%s", h.Listeners, r.Stdout)
	}
}

// TestFencesAreTried runs look.sh with kernels that refuse, and with one that takes a route, in a
// network of its own if this machine lends one.
func TestFencesAreTried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ip   string
		want map[string]string
	}{
		"a kernel that takes it": {`case "$2" in get) exit 2 ;; esac`, nil},
		"a container without the right": {`case "$2" in replace) echo "RTNETLINK answers: ` +
			`Operation not permitted" >&2; exit 2 ;; esac`, map[string]string{
			"10.0.0.2": "it refuses a route that lets nothing out: RTNETLINK answers: Operation " +
				"not permitted"}},
		"rules that come first": {`:`, map[string]string{"10.0.0.2": "packets go out although a " +
			"route forbids it: other rules come first (ip rule)"}},
		"a route of its own": {`case "$2$4" in show10.0.0.3/32) echo "10.0.0.3 via 10.0.0.9 dev ` +
			`wg0" ;; get*) exit 2 ;; esac`, map[string]string{"10.0.0.3": "it has a route of its " +
			"own to 10.0.0.3: 10.0.0.3 via 10.0.0.9 dev wg0"}},
		"a fence that is there": {`case "$2" in show) echo "prohibit $4" ;; get) exit 2 ;; esac`,
			nil},
		"no ip": {`exit 127`, map[string]string{
			"10.0.0.2": "it refuses a route that lets nothing out: ip is missing"}},
	} {
		r := scripttest.Run{With: "sh", Script: lookScript, Args: []string{"own", "127.0.0.1",
			"fence", "10.0.0.2", "fence", "10.0.0.3"}, Fakes: map[string]string{
			"ip": `[ "$1" = route ] || exit 1; ` + c.ip, "systemctl": "exit 1", "ss": "exit 1"}}.Do(t)
		h := Read(r.Stdout)
		if diff := cmp.Diff(c.want, h.Unfenced); diff != "" {
			t.Errorf("%s (-want +got):\n%s%s", name, diff, r.Stderr)
		}
		found := Judge(Want{Host: "db1", Fences: []string{"10.0.0.2", "10.0.0.3"}}, h)
		stopped := slices.ContainsFunc(found, func(f Finding) bool {
			return f.About == "patroni.fast_failover" && !f.Warning
		})
		if stopped != (len(c.want) > 0) {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// TestFencesInTheKernel is the same with a kernel, of the families that there are: the route is
// tried and gone again.
func TestFencesInTheKernel(t *testing.T) {
	t.Parallel()
	if exec.CommandContext(t.Context(), "unshare", "-rn", "ip", "link", "set", "lo", "up").Run() != nil {
		t.Skip("no network of its own, or no ip")
	}
	out, err := exec.CommandContext(t.Context(), "unshare", "-rn", "sh", "-c",
		`ip link set lo up; sh -c "$0" look own 127.0.0.1 fence 10.0.0.2 fence fd00::2; `+
			`ip route show type prohibit; ip -6 route show type prohibit`, lookScript).Output()
	if err != nil || len(Read(string(out)).Unfenced) > 0 || strings.Contains(string(out),
		"prohibit") {
		t.Errorf("%v\n%s", err, out)
	}
}

func exists(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// TestForwardingScript runs forwarding.sh on the files of an sshd and of a user.
func TestForwardingScript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home := dir + "/home"
	run := func() scripttest.Result {
		return scripttest.Run{With: "sh", Script: forwardingScript, Args: []string{"admin"},
			Fakes: map[string]string{"getent": "echo admin:x:1000:1000::" + home + ":/bin/sh"},
			Paths: map[string]string{"/etc/ssh/": dir + "/ssh/"}}.Do(t)
	}
	if r := run(); r.Stdout != "" {
		t.Errorf("without any file: %+v", r)
	}
	scripttest.Write(t, dir, "ssh/sshd_config", "Port 22\n#AllowTcpForwarding no\n  "+
		"allowtcpforwarding no\n")
	scripttest.Write(t, dir, "ssh/sshd_config.d/10-hard.conf", "PermitOpen none\n")
	scripttest.Write(t, home, ".ssh/authorized_keys",
		"ssh-ed25519 AAAA plain\nno-pty,no-port-forwarding ssh-ed25519 AAAA other\n")
	want := dir + "/ssh/sshd_config:3:  allowtcpforwarding no\n" + dir +
		"/ssh/sshd_config.d/10-hard.conf:1:PermitOpen none\n" +
		home + "/.ssh/authorized_keys:2:,no-port-forwarding\n"
	if r := run(); r.Stdout != want {
		t.Errorf("got\n%swant\n%s%s", r.Stdout, want, r.Stderr)
	}
}

// TestReachScript runs reach.pl: an open port, a refused one, a proxy that stands in for the host,
// and URLs that lead nowhere.
func TestReachScript(t *testing.T) {
	t.Parallel()
	open, closed := port(t), port(t)
	refused := closed.Addr().String()
	closed.Close()
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"open":        {[]string{"http://" + open.Addr().String() + "/debian"}, ""},
		"with a user": {[]string{"http://me:secret@" + open.Addr().String()}, ""},
		"refused":     {[]string{"https://" + refused + "/x"}, "Connection refused"},
		"by the proxy": {[]string{"http://" + refused,
			"http://" + open.Addr().String()}, ""},
		"the proxy refuses": {[]string{"http://" + open.Addr().String(), refused},
			"Connection refused"},
		"no name of a resolver": {[]string{"http://nowhere.invalid/"},
			"nowhere.invalid cannot be resolved"},
		"no URL": {[]string{"///"}, "no host in the URL"},
	} {
		r := scripttest.Run{With: "perl", Script: reachScript, Args: c.args}.Do(t)
		if !strings.Contains(r.Stdout+r.Stderr, c.says) || (r.Code == 0) != (c.says == "") ||
			strings.Contains(r.Stdout+r.Stderr, "secret") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func port(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestARPScript runs arp.pl, as root on the loopback interface as if it were Ethernet: silence, its
// own answer, and that of another host.
func TestARPScript(t *testing.T) {
	t.Parallel()
	lo, err := net.InterfaceByName("lo")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("packets are for root")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"lo/type": "1", "lo/address": "02:00:00:00:00:01", "lo/ifindex": "1", "tun/type": "65534",
	} {
		scripttest.Write(t, dir, name, text+"\n")
	}
	if lo.Index != 1 {
		t.Skip("the loopback interface is not the first")
	}
	ask := func(address, device string) scripttest.Result {
		return scripttest.Run{With: "perl", Script: arpScript, Args: []string{address, device},
			Paths: map[string]string{"/sys/class/net/": dir + "/"}}.Do(t)
	}
	const reply = `socket(my $s, 17, 2, unpack('S', pack('n', 0x0806))) or die $!;
		for (1 .. 100) { send($s, pack('n n C C n H12 C4 H12 C4', 1, 0x0800, 6, 4, 2, '0200000000ff', 203, 0, 113, 9, '020000000001', 0, 0, 0, 0), 0,
			pack('S n i S C C a8', 17, 0x0806, 1, 1, 0, 6, "\xff" x 6)) or die $!; select(undef, undef, undef, 0.05) }`
	other := exec.CommandContext(t.Context(), "perl", "-e", reply)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	for name, c := range map[string][3]string{
		"another host has it": {"203.0.113.9", "lo", "02:00:00:00:00:ff\n"},
		"nobody has it":       {"203.0.113.10", "lo", ""},
		"no Ethernet":         {"203.0.113.9", "tun", ""},
		"no such interface":   {"203.0.113.9", "eth77", ""},
		"an address of IPv6":  {"2001:db8::1", "lo", ""},
	} {
		if r := ask(c[0], c[1]); r.Stdout != c[2] || r.Code != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
