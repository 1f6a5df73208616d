package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFigures counts a small house: what is code, what is a test, and who has which methods.
func TestFigures(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for path, text := range map[string]string{
		"pgha/a/a.go": "package a\n\ntype T struct{}\n\nfunc (T) One() {}\nfunc (*T) Two() " +
			"{}\nfunc Three() {}\n",
		"pgha/a/b.go": "package a\n\n// pgha-cli is named here.\n" + "// " + strings.Repeat("x",
			120) + "\nfunc (t T) Four() {}\n",
		"pgha/a/a_test.go": "package a\n\n// pgha-cli may be named here.\n\nfunc (T) Five() {}\n",
		"cmd/c/c.go":       "package main\n\n// pgha-cli is at home here.\n\tfunc main() {}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := figures{files: map[string]int{}, lines: map[string]int{}, methods: map[string]int{},
		namesCLI: map[string]bool{}}
	for _, path := range []string{"pgha/a/a.go", "pgha/a/b.go", "pgha/a/a_test.go", "cmd/c/c.go"} {
		if err := f.add(path); err != nil {
			t.Fatal(err)
		}
	}
	if f.code != 7+5+4 || f.tests != 5 || f.all != 21 || f.wide != 1 {
		t.Errorf("%d lines of code, %d of tests, %d in all, %d wide", f.code, f.tests,
			f.all, f.wide)
	}
	if f.files["pgha/a"] != 2 || f.lines["pgha/a"] != 12 || f.methods["pgha/a.T"] != 3 {
		t.Errorf("%d files, %d lines, %d methods", f.files["pgha/a"], f.lines["pgha/a"],
			f.methods["pgha/a.T"])
	}
	if len(f.namesCLI) != 1 || !f.namesCLI["pgha/a/b.go"] {
		t.Errorf("files that name the CLI: %v", f.namesCLI)
	}
	if err := f.add("pgha/a/gone.go"); err == nil {
		t.Error("a file that is not there was counted")
	}
}

// TestUntestedScripts: a script counts as tested where a test of its package names the file, or the
// variable that holds it.
func TestUntestedScripts(t *testing.T) {
	t.Chdir(t.TempDir())
	for path, text := range map[string]string{
		"pgha/a/a.go": "package a\n\n//go:embed scripts/held.sh\nvar held " +
			"string\n\n//go:embed lone.py\nvar lone string\n",
		"pgha/a/a_test.go": "package a\n\n// runs named.pl, and held; alone is another word\n",
		"pgha/a/named.pl":  "", "pgha/a/lone.py": "", "pgha/a/scripts/held.sh": "",
		"pgha/lab/recipe.sh": "", "scripts/other.sh": "", "pgha/a/notes.txt": "",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var s scripts
	for _, path := range []string{"pgha/a/named.pl", "pgha/a/lone.py", "pgha/a/scripts/held.sh",
		"pgha/lab/recipe.sh",
		"scripts/other.sh", "pgha/a/notes.txt"} {
		s.add(path)
	}
	if got := strings.Join(s.untested(), " "); len(s) != 3 || got != "pgha/a/lone.py" {
		t.Errorf("%d scripts, untested: %s", len(s), got)
	}
}
