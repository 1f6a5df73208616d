package inspect

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/output"
	"github.com/pgha/toolkit/pgha/preflight"
)

// FuzzFacts reads what the programs of a host print, or anything else.
func FuzzFacts(f *testing.F) {
	f.Add("ID=debian\nVERSION_ID=\"13\"\n")
	f.Add("listener\t[::]:8008\tpatroni\t5\nlistener\t*:x\ty\nlistener\t80085\n")
	f.Add(
		"== policy\npatroni:\n  Installed: (none)\n  Candidate: 4.1.5-1\n== \ncandidate\thaproxy\t3.2\n")
	f.Add("Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 10 5 " +
		"9223372036854775807 50% /\n")
	f.Add("=\n\"\n: \n \n[:")
	f.Fuzz(func(t *testing.T, text string) {
		host := preflight.Read(text)
		for port := range host.Ports() {
			if port < 0 || port > 65535 {
				t.Errorf("port %d", port)
			}
		}
		for name, version := range host.Candidates {
			if strings.Contains(name, "\n") || strings.Contains(version, "\n") {
				t.Errorf("%q: %q", name, version)
			}
		}
		if n, err := freeBytes(text); n < 0 || err != nil && n != 0 {
			t.Errorf("%d bytes are free, %v", n, err)
		}
		_ = output.KeyValues(text)
	})
}
