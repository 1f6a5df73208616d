package lb_test

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/testpki"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/pki"
)

// issue makes a REST API certificate for these DNS names and this address.
func issue(t *testing.T, address string, names ...string) *pki.Leaf {
	t.Helper()
	leaf, err := testpki.CA(t).Issue(pki.Request{
		CommonName: "Patroni", DNSNames: names, IPs: []netip.Addr{netip.MustParseAddr(address)},
		Usage: pki.ServerUsage,
	})
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// reference are the hosts of the reference procedure.
func reference(t *testing.T) lb.Options {
	return lb.Options{
		PatroniCA: testpki.CA(t).CertPEM(),
		Backends: []lb.Backend{
			{Name: "postgresql-01", Address: "192.168.0.203"},
			{Name: "postgresql-02", Address: "192.168.0.204"},
			{Name: "postgresql-03", Address: "192.168.0.205"},
		},
	}
}

func haproxy(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("haproxy is not installed here")
	}
	return path
}

// relocate makes a rendered configuration usable by this process: its files below dir, no chroot,
// its log on standard output. What is left is what the hosts get.
func relocate(t *testing.T, cfg, ca []byte, dir string) string {
	t.Helper()
	caFile := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(caFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(cfg)) {
		switch word := strings.TrimSpace(line); {
		case strings.HasPrefix(word, "chroot "), strings.HasPrefix(word, "user "),
			strings.HasPrefix(word, "group "):
			continue
		}
		line = strings.ReplaceAll(line, "log /dev/log ", "log stdout format raw ")
		line = strings.ReplaceAll(line, "/etc/haproxy/certs/patroni-ca.crt", caFile)
		out.WriteString(strings.ReplaceAll(line, "/run/haproxy/admin.sock",
			filepath.Join(dir, "s")))
	}
	path := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
