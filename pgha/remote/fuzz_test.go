package remote

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

// FuzzOutput cuts what a session prints into pieces anywhere: only what follows the mark's line is the command's own.
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
			t.Errorf("%q in pieces of %d: %q of group %q", whole, int(piece)+1, got.String(), o.processGroup())
		}
	})
}

// FuzzBatch takes the answers to several questions apart, whatever they are.
func FuzzBatch(f *testing.F) {
	f.Add("one\n", "two", "\n")
	f.Add("", "\npgha-X 0\n", "pgha-MARK 0")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		const mark = "pgha-MARK"
		answers := []string{a, b, c}
		if strings.Contains(strings.Join(answers, "\n"), "\n"+mark+" ") {
			return // the mark is random
		}
		var out strings.Builder
		for _, answer := range answers {
			out.WriteString(answer + "\n" + mark + " 7\n")
		}
		results, err := splitBatch("host", []byte(out.String()), mark, 3)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if string(r.Stdout) != answers[i] || r.ExitCode != 7 {
				t.Errorf("answer %d is %q, exit status %d; want %q", i, r.Stdout, r.ExitCode, answers[i])
			}
		}
		_, _ = splitBatch("host", []byte(a+b+c), mark, 3)
	})
}

// FuzzObservation reads what stat, sha256sum, systemctl and dpkg-query print, or anything else.
func FuzzObservation(f *testing.F) {
	f.Add("regular file\t644\troot\troot\t1800000000.5\t/a b\x00", "e3b0  /a b\x00", "Id=x.service\nNames=x.service y.service\nActiveState=active\n\n", "pg\tinstalled\t1-1\n", "12.5 3")
	f.Add("\t\t\t\t\t\x00", "  \x00", "\n\n=\n", "\t\t\n", "x")
	f.Fuzz(func(t *testing.T, stats, sums, units, packages, clock string) {
		o := &observation{files: map[string]fileState{}, units: map[string]unitState{}, packages: map[string]packageState{}}
		o.readFiles(stats, sums)
		o.readUnits(units)
		o.readPackages(packages)
		o.epoch = seconds(clock)
		for name, file := range o.files {
			if strings.Contains(name, "\x00") {
				t.Errorf("file %q", name)
			}
			_ = o.newer([]string{name}, file.changed)
		}
	})
}

// FuzzKnownHosts reads a known_hosts file, or anything else: a host that is not in it stays unknown or changed, and is
// never taken for the right one.
func FuzzKnownHosts(f *testing.F) {
	f.Add("db1.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
	f.Add("|1|YWJj|ZGVm ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("@cert-authority *,!a ssh-rsa AAAA x\n@revoked * ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
	f.Add("* \n# comment\n\n[a]:22,*.b ssh-ed25519")
	shown, _, _, _, err := ssh.ParseAuthorizedKey([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"))
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
		cfg := SSHConfig{Name: "db1", Address: "192.0.2.1", Port: 22, KnownHostsFiles: []string{file}}
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
