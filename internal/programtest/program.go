// Package programtest tries the examples as their users do: built, and given a wrong command line.
package programtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Refusal is a command line that the program must refuse with these words. BROKEN stands for a
// specification with a misspelt field.
type Refusal struct {
	Args []string
	Want string
}

// Refuses builds the program in the current folder and wants each command line refused.
func Refuses(t *testing.T, refusals map[string]Refusal) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program,
		".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("version: 1\nhostss: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, r := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := make([]string, len(r.Args))
			for i, arg := range r.Args {
				args[i] = strings.ReplaceAll(arg, "BROKEN", broken)
			}
			want := strings.ReplaceAll(r.Want, "BROKEN", broken)
			out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("got %v and %q, want failure and %q", err, out, want)
			}
		})
	}
}
