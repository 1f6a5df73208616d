package ssh

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// FuzzOutput cuts what a session prints into pieces anywhere: only what follows the mark's line is
// the command's own.
func FuzzOutput(f *testing.F) {
	f.Add("Welcome!\nno newline at the end:", "out\nput", uint8(1))
	f.Add("", "", uint8(3))
	f.Add("pgha-MARK", "pgha-MARK 1\n", uint8(7))
	f.Add("pgha-MARK pgha-MARK", "\n", uint8(255))
	f.Fuzz(func(t *testing.T, noise, out string, piece uint8) {
		const mark = "pgha-MARK"
		if strings.Contains(noise, mark+" ") {
			return // the mark is random: no shell prints it by itself
		}
		var got bytes.Buffer
		o := &output{w: &got, mark: mark}
		whole := noise + mark + " 4711\n" + out
		for rest := whole; rest != ""; {
			n := min(len(rest), int(piece)+1)
			if _, err := o.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if got.String() != out || !o.started() || o.processGroup() != "4711" {
			t.Errorf("%q in pieces of %d: %q of group %q", whole, int(piece)+1, got.String(),
				o.processGroup())
		}
	})
}

// FuzzKnownHosts reads a known_hosts file, or anything else: a host that is not in it stays unknown
// or changed, and is never taken for the right one.
func FuzzKnownHosts(f *testing.F) {
	f.Add("db1.example.com ssh-ed25519 " +
		"AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
	f.Add("|1|YWJj|ZGVm ssh-ed25519 " +
		"AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("@cert-authority *,!a ssh-rsa AAAA x\n@revoked * ssh-ed25519 " +
		"AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
	f.Add("* \n# comment\n\n[a]:22,*.b ssh-ed25519")
	shown, _, _, _, err := ssh.ParseAuthorizedKey(
		[]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"))
	if err != nil {
		f.Fatal(err)
	}
	file := filepath.Join(f.TempDir(), "known_hosts")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "EBAQEB") {
			return // the key itself
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := Config{Name: "db1", Address: "192.0.2.1", Port: 22, KnownHostsFiles: []string{file}}
		p, err := newHostKeyPolicy(&cfg)
		if err != nil {
			return
		}
		_ = p.algorithms()
		err = p.check(net.JoinHostPort("192.0.2.1", "22"), nil, shown)
		if !errors.Is(err, ErrHostKeyUnknown) && !errors.Is(err, ErrHostKeyChanged) {
			t.Errorf("a key that is not on record: %v", err)
		}
	})
}
