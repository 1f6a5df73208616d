package vip_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestValidateScript runs validate.sh with a keepalived that accepts, refuses, or is ended by
// SIGTERM as version 2.2 is by a script of a user other than root: only then is a copy tested that
// has root in that user's place, and the copy's verdict counts.
func TestValidateScript(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("validate.sh")
	if err != nil {
		t.Fatal(err)
	}
	const config = "global_defs {\n  script_user keepalived_script\n}\n"
	// The tested file is the third argument.
	const termedByUser = `grep -q 'script_user root' "$3" || exit 143; `
	for name, c := range map[string]struct {
		keepalived string
		code       int
		tests      int
	}{
		"accepts":                       {"exit 0", 0, 1},
		"refuses":                       {"exit 4", 4, 1},
		"ended, and the copy is good":   {termedByUser + "exit 0", 0, 2},
		"ended, and the copy is bad":    {termedByUser + "exit 4", 4, 2},
		"ended whatever the user is":    {"exit 143", 143, 2},
		"ended by another signal alone": {"exit 137", 137, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			scripttest.Write(t, dir, "keepalived.conf", config)
			file := filepath.Join(dir, "keepalived.conf")
			r := scripttest.Run{
				With: "sh", Script: string(script), Args: []string{file},
				Fakes: map[string]string{"keepalived": c.keepalived},
			}.Do(t)
			if r.Code != c.code || len(r.Calls) != c.tests ||
				r.Calls[0] != "keepalived -t -f "+file {
				t.Fatalf("exit code %d, calls %q; want %d and %d calls", r.Code, r.Calls, c.code,
					c.tests)
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != config {
				t.Errorf("the file is changed: %q, %v", text, err)
			}
			copies := slices.DeleteFunc(r.Calls, func(call string) bool {
				return strings.HasSuffix(call, " "+file)
			})
			for _, call := range copies {
				path := strings.Fields(call)[3]
				if _, err := os.Stat(path); !os.IsNotExist(err) {
					t.Errorf("the copy %s is left behind", path)
				}
			}
		})
	}
}
