package psql

import (
	"os/exec"
	"testing"
)

// TestInMemory: a program that this one starts reads the file, as libpq does: its own alone.
func TestInMemory(t *testing.T) {
	t.Parallel()
	f, err := InMemory([]byte("*:*:*:app:secret\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, err := exec.CommandContext(t.Context(), "cat", PathOf(f)).CombinedOutput()
	if err != nil || string(out) != "*:*:*:app:secret\n" {
		t.Errorf("read %q, %v", out, err)
	}
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
