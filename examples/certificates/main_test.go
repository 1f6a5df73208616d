package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/pki"
)

func TestProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(t.TempDir(), "certificates")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program,
		".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), program, dir).CombinedOutput(); err != nil ||
		len(out) != 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	files := map[string][]byte{}
	for name, mode := range map[string]os.FileMode{"ca.key": 0o600, "ca.crt": 0o644,
		"db.key": 0o600, "db.crt": 0o644} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&^mode != 0 {
			t.Errorf("%s has mode %o, want at most %o", name, info.Mode().Perm(), mode)
		}
		if files[name], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pki.LoadCA(files["ca.crt"], files["ca.key"]); err != nil {
		t.Error(err)
	}
	if _, err := pki.ParseLeaf(files["db.crt"], files["db.key"]); err != nil {
		t.Error(err)
	}
	opts := pki.VerifyOptions{Usage: pki.ServerUsage, Name: "db.example.com"}
	if err := pki.Verify(files["db.crt"], files["ca.crt"], opts); err != nil {
		t.Error(err)
	}
}

func TestProgramCompilesNoGRPC(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "github.com/pgha/toolkit/pgha/pki\n") ||
		strings.Contains(string(out), "grpc") {
		t.Errorf("dependencies:\n%s", out)
	}
}
