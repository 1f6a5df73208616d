package remote_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
)

// TestForeignFilesAreKept replaces files of many origins with one of pgha's, and runs foreign.sh
// for it.
func TestForeignFilesAreKept(t *testing.T) {
	t.Parallel()
	const ours = "# Written by pgha.\nnew\n"
	for name, tt := range map[string]struct {
		old, content string
		link, secret bool
		kept         bool
	}{
		"somebody's": {old: "frontend shop\n", content: ours, kept: true},
		"somebody's secret": {old: "password: x\n", content: ours, secret: true,
			kept: true},
		"empty":          {old: "", content: ours, kept: true},
		"binary":         {old: "a\x00b\xff", content: ours, kept: true},
		"another tool's": {old: "# Written by ansible\n", content: ours, kept: true},
		"a link to somebody's": {old: "frontend shop\n", content: ours, link: true,
			kept: true},
		"pgha's":                    {old: "# Written by pgha.\nold\n", content: ours},
		"pgha's, written otherwise": {old: "! Written by pgha. Changes are lost.\n", content: ours},
		"pgha's, changed by hand":   {old: "# Written by pgha.\nold\n# by hand\n", content: ours},
		"the same":                  {old: ours, content: ours},
		"a certificate, never signed": {
			old: "-----BEGIN CERTIFICATE-----\n", content: "-----BEGIN CERTIFICATE-----\nnew\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "a file")
			real := path
			if tt.link {
				real = filepath.Join(dir, "elsewhere")
				if err := os.Symlink(real, path); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(real, []byte(tt.old), 0o640); err != nil {
				t.Fatal(err)
			}
			f := remote.File{FileMeta: mine(t, path, 0o600), Content: []byte(tt.content),
				Secret: tt.secret}
			planned, err := localTarget().Preview(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if left, _ := filepath.Glob(path + ".pgha-orig-*"); len(left) > 0 {
				t.Errorf("planning left %v", left)
			}
			changes, err := localTarget().Ensure(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if len(changes) != len(planned) || len(changes) > 0 &&
				changes[0].String() != planned[0].String() {
				t.Errorf("planned %v, did %v", planned, changes)
			}
			copies, _ := filepath.Glob(path + ".pgha-orig-*")
			if len(copies) == 1 != tt.kept {
				t.Fatalf("copies: %v, kept wanted %v", copies, tt.kept)
			}
			if !tt.kept {
				return
			}
			if changes[0].Kind != "copy" || changes[0].Name != copies[0] ||
				!strings.Contains(changes[0].Action, path) {
				t.Errorf("the copy is not told: %v", changes[0])
			}
			if got, err := os.ReadFile(copies[0]); err != nil || string(got) != tt.old {
				t.Errorf("the copy holds %q, %v", got, err)
			}
			if again, err := localTarget().Ensure(t.Context(), f); err != nil || again.Any() {
				t.Errorf("the second time: %v, %v", again, err)
			}
		})
	}
}
