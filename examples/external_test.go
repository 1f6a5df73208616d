package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestExternalModule builds and tests a program in a module of its own that provisions, plans,
// watches events and has a verb with a lock, a trail and a dry run. It needs nothing that only this
// module can import; the modules that it needs are those that this module was built with. TestOnLab
// runs it on hosts.
func TestExternalModule(t *testing.T) {
	t.Parallel()
	if out, err := inModule(t, externalModule(t), "test", "-count=1",
		"./...").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// externalModule makes a module outside this one that requires it, and returns its folder.
func externalModule(t *testing.T) string {
	t.Helper()
	repository, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/external")); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.sum": string(sums),
		"go.mod": "module example.org/external\n\ngo 1.26.0\n\nrequire github.com/pgha/toolkit " +
			"v0.1.0\n\n" +
			"replace github.com/pgha/toolkit => " + repository + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// inModule is a command of go in the folder of another module.
func inModule(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -trimpath", "GOWORK=off")
	return cmd
}
