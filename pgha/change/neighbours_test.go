package change

import (
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestNeighboursScript runs neighbours.pl, as root on the loopback interface as if it were
// Ethernet.
func TestNeighboursScript(t *testing.T) {
	t.Parallel()
	lo, err := net.InterfaceByName("lo")
	if err != nil || lo.Index != 1 || os.Geteuid() != 0 {
		t.Skip("packets are for root")
	}
	dir := t.TempDir()
	scripttest.Write(t, dir, "lo/address", "02:00:00:00:00:01\n")
	scripttest.Write(t, dir, "lo/ifindex", "1\n")
	const reply = `socket(my $s, 17, 2, unpack('S', pack('n', 0x0806))) or die $!;
		for (1 .. 400) { for my $mac ('0200000000ff', '0200000000fe') { send($s, pack('n n C C n H12 C4 H12 C4', 1, 0x0800, 6, 4, 2, $mac, 203, 0, 113, 19,
			'020000000001', 0, 0, 0, 0), 0, pack('S n i S C C a8', 17, 0x0806, 1, 1, 0, 6, "\xff" x 6)) or die $! } select(undef, undef, undef, 0.01) }`
	others := exec.CommandContext(t.Context(), "perl", "-e", reply)
	if err := others.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = others.Process.Kill(); _ = others.Wait() }()
	for name, c := range map[string]struct{ address, route, want string }{
		"two have it": {
			"203.0.113.19", "echo '203.0.113.19 dev lo src 203.0.113.1 uid 0'",
			"02:00:00:00:00:fe\n02:00:00:00:00:ff\n",
		},
		"nobody has it": {"203.0.113.20", "echo '203.0.113.20 dev lo src 203.0.113.1 uid 0'", ""},
		"this host's own": {"203.0.113.19", "echo 'local 203.0.113.19 dev lo src 203.0.113.19 " +
			"uid 0'", ""},
		"behind a router": {
			"203.0.113.19", "echo '203.0.113.19 via 203.0.113.254 dev lo src 203.0.113.1 uid 0'",
			"",
		},
		"no way there": {"203.0.113.19", "echo 'RTNETLINK answers: Network is unreachable' " +
			">&2; exit 2", ""},
		"a vanished network": {"203.0.113.19",
			"echo '203.0.113.19 dev eth77 src 203.0.113.1 uid 0'", ""},
	} {
		r := scripttest.Run{With: "perl", Script: neighboursScript, Args: []string{c.address},
			Fakes: map[string]string{"ip": c.route},
			Paths: map[string]string{"/sys/class/net/": dir + "/"}}.Do(t)
		if r.Stdout != c.want || r.Code != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
