// Package examples_test runs the examples that need hosts against a lab.
package examples_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/lab"
)

// TestOnLab provisions a lab with one example and gives it a database with the other, twice.
func TestOnLab(t *testing.T) {
	if os.Getenv("PGHA_LAB") != "1" {
		t.Skip("boots systemd hosts as root; set PGHA_LAB=1 to run it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	dir := t.TempDir()
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", dir, "./provision", "./custom-phase").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l, err := lab.Start(ctx, lab.Options{Name: "example"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	text, err := l.Spec()
	if err != nil {
		t.Fatal(err)
	}
	spec := filepath.Join(dir, "pgha.yaml")
	if err := os.WriteFile(spec, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(example string, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		code, err := l.Run(ctx, append([]string{filepath.Join(dir, example), spec}, args...), lab.Stdio{Out: &out, Err: &out})
		if err != nil || code != 0 {
			t.Fatalf("%s ended with %d, %v\n%s", example, code, err, &out)
		}
		return out.String()
	}
	if out := run("provision"); !strings.Contains(out, "\ntrue a row written through the address is read on every replica") {
		t.Errorf("provision verified nothing:\n%s", out)
	}
	if out := run("custom-phase", `it's "mine"`); !strings.HasSuffix(out, "command database it's \"mine\" created\n1 changes\n") {
		t.Errorf("first run of custom-phase:\n%s", out)
	}
	if out := run("custom-phase", `it's "mine"`); out != "0 changes\n" {
		t.Errorf("second run of custom-phase:\n%s", out)
	}
}
