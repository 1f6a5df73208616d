package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
	"github.com/pgha/toolkit/pgha"
)

// TestRelease packs a release with a stub in the place of the Go tool, because a program for
// release takes minutes to build: the archive and the package hold what the documents say, the
// checksums fit, and a second run gives the same bytes.
func TestRelease(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip(err)
	}
	tools := t.TempDir()
	stub := "#!/bin/sh\n" +
		"while [ \"$1\" != -o ]; do shift; done\n" +
		"printf '#!/bin/sh\\necho stub %s\\n' \"$GOOS $GOARCH $CGO_ENABLED\" >\"$2\"\n"
	scripttest.Program(t, tools, "go", stub)
	build := func() string {
		out := filepath.Join(t.TempDir(), "release")
		cmd := exec.CommandContext(t.Context(), "../../scripts/release.sh")
		cmd.Env = append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"), "OUT="+out,
			"PLATFORMS=linux/amd64")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return out
	}
	out := build()
	sums, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = out
	if text, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	if again, err := os.ReadFile(filepath.Join(build(), "SHA256SUMS")); err != nil ||
		string(again) != string(sums) {
		t.Errorf("a second run gives %s (%v), the first %s", again, err, sums)
	}

	name := "pgha-cli_" + pgha.Version + "_linux_amd64"
	checkHolds(t, archived(t, filepath.Join(out, name+".tar.gz")), name+"/pgha-cli",
		name+"/README.md",
		name+"/docs/README.md", name+"/completion/completion.fish", name+"/LICENSE")
	root := t.TempDir()
	deb := filepath.Join(out, "pgha-cli_"+pgha.Version+"_amd64.deb")
	if text, err := exec.CommandContext(t.Context(), "dpkg-deb", "--extract", deb,
		root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if text, err := exec.CommandContext(t.Context(),
		filepath.Join(root, "usr/bin/pgha-cli")).Output(); err != nil ||
		string(text) != "stub linux amd64 0\n" {
		t.Errorf("%q, %v", text, err)
	}
	for _, file := range []string{
		"bash-completion/completions/pgha-cli", "fish/vendor_completions.d/pgha-cli.fish",
		"zsh/vendor-completions/_pgha-cli", "doc/pgha-cli/copyright", "doc/pgha-cli/docs/doctor.md",
	} {
		if info, err := os.Stat(filepath.Join(root, "usr/share", file)); err != nil ||
			info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
}

// archived lists what an archive holds.
func archived(t *testing.T, file string) string {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	plain, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	var names strings.Builder
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 {
			t.Errorf("%s belongs to %d:%d", h.Name, h.Uid, h.Gid)
		}
		names.WriteString(h.Name + "\n")
	}
}

func checkHolds(t *testing.T, names string, want ...string) {
	t.Helper()
	for _, name := range want {
		if !strings.Contains(names, name+"\n") {
			t.Errorf("%s is missing among\n%s", name, names)
		}
	}
}
