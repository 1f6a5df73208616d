package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// scripts are the folders of the scripts that go to hosts.
type scripts []string

// add takes note of a file that is a script for hosts. The recipes of the lab's image run on the
// machine that builds it, and not on a host.
func (s *scripts) add(path string) {
	kind := filepath.Ext(path)
	ours := strings.HasPrefix(path, "pgha/") || strings.HasPrefix(path, "internal/")
	if ours && (kind == ".sh" || kind == ".py" || kind == ".pl") &&
		!strings.HasPrefix(path, "pgha/lab/") {
		*s = append(*s, path)
	}
}

// embedded finds the variables that hold embedded files.
var embedded = regexp.MustCompile(`//go:embed (\S+)\n\s*(?:var )?(\w+)`)

// untested are the scripts that no test of their package names: neither the file, nor the variable
// that holds it. By convention a test that names a script runs it; nothing here proves that it
// does.
func (s scripts) untested() []string {
	var found []string
	for _, path := range s {
		if !tested(path) {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return found
}

func tested(path string) bool {
	dir := filepath.Dir(path)
	if code, _ := filepath.Glob(dir + "/*.go"); len(code) == 0 {
		dir = filepath.Dir(dir)
	}
	files, _ := filepath.Glob(dir + "/*.go")
	names := []string{filepath.Base(path)}
	var tests strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if strings.HasSuffix(file, "_test.go") {
			tests.Write(text)
			continue
		}
		for _, m := range embedded.FindAllSubmatch(text, -1) {
			if filepath.Join(dir, string(m[1])) == path {
				names = append(names, string(m[2]))
			}
		}
	}
	for _, name := range names {
		if regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(tests.String()) {
			return true
		}
	}
	return false
}
