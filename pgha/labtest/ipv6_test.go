package labtest

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// TestIPv6 holds a cluster on hosts without any address of IPv4 to the same promises.
func TestIPv6(t *testing.T) {
	t.Parallel()
	s := newSite(t, startLab(t, lab.Options{Name: "e2e-ipv6", Installed: true, IPv6: true}),
		func(text string) string { return longPrefix(t, text) })
	for _, h := range s.Hosts() {
		if out := s.mustInHost(t, h.Name, "ip -4 -o address show scope global"); out != "" {
			t.Fatalf("%s has an address of IPv4: %s", h.Name, out)
		}
	}
	if n := applyCLI(t, s); n == 0 {
		t.Fatal("a fresh apply reported no changes")
	}
	for _, h := range s.databases() {
		if out := s.mustInHost(t, h.Name, withoutByteCode); out != "" {
			t.Errorf("%s: modules of Python that were not compiled:\n%s", h.Name, out)
		}
	}
	s.verify(t)
	checkWhole(t, s.status(t))
	runPart(t, "one spelling", func(t *testing.T) { testSpelling(t, s) })
	runPart(t, "psql", func(t *testing.T) { testPsql(t, s) })
	runPart(t, "url", func(t *testing.T) { testURL(t, s) })
	runPart(t, "source address", func(t *testing.T) { testSource(t, s) })
	runPart(t, "switchover", func(t *testing.T) {
		if got := s.cli(t, "switchover", "--yes"); got.code != 0 {
			t.Errorf("switchover: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
		s.awaitHealthy(t)
	})
	runPart(t, "power loss", func(t *testing.T) { testPowerLoss(t, s) })
	for _, args := range [][]string{{"preflight"}, {"doctor"}, {"advise"}} {
		if got := s.cli(t, args...); got.code != 0 {
			t.Errorf("%v: exit code %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
	}
}

// longPrefix gives the virtual IP the length that makes it look like a host's own address.
func longPrefix(t *testing.T, text string) string {
	t.Helper()
	return edited(t, text, "vip: {", "vip: {prefix_length: 64, ")
}

// withoutByteCode prints the modules that a package brought and its maintainer's script should have
// compiled.
const withoutByteCode = `cd /usr/lib/python3/dist-packages && find . -name '*.py' | while read -r f; do
	name=${f##*/}; ls "${f%/*}/__pycache__/${name%.py}".*.pyc >/dev/null 2>&1 || echo "$f"; done`

// testSpelling writes the same addresses otherwise: nothing changes.
func testSpelling(t *testing.T, s site) {
	other := newSite(t, s.Lab, func(text string) string {
		return strings.ReplaceAll(longPrefix(t, text), "fd00:192:168::", "FD00:0192:168:0::")
	})
	other.applyNothing(t)
}

// testURL logs in with the form that most drivers take.
func testURL(t *testing.T, s site) {
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("psql is not installed: apt-get install postgresql-client")
	}
	var conn pgha.Connection
	if err := json.Unmarshal([]byte(s.cli(t, "connection", "--output", "json").stdout),
		&conn); err != nil {
		t.Fatal(err)
	}
	got := s.cli(t, "lab", "run", "--", "psql", "-X", "-At", "-c", "SELECT 1", "-d", conn.URL)
	if got.code != 0 || got.stdout != "1\n" {
		t.Errorf("psql with %s: exit code %d\n%s%s", conn.URL, got.code, got.stdout, got.stderr)
	}
}

// testSource wants the holder of the virtual IP to go on calling others from its own address: a
// session from the virtual one would end when that moves.
func testSource(t *testing.T, s site) {
	holder, err := s.Host(s.awaitHealthy(t).VIP.Holders[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range s.databases() {
		out := s.mustInHost(t, holder.Name, "ip -6 route get "+h.Address)
		if !strings.Contains(out, " src "+holder.Address+" ") {
			t.Errorf("the way from %s to %s: %s", holder.Name, h.Name, out)
		}
	}
}
