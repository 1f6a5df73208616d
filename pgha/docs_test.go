package pgha_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents returns the project's documents, seen from this folder.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../examples/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no document at %s: %v", pattern, err)
		}
		all = append(all, found...)
	}
	return all
}

var (
	linkPattern = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	pathPattern = regexp.MustCompile(
		"(?:`|\\s|\\()(\\./)?((?:pgha|cmd|internal|examples)/[a-zA-Z0-9_./-]*[a-zA-Z0-9_])")
	targetPattern = regexp.MustCompile("(?m)(?:`|^\\s*)make ([a-z-]+)")
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mustExist(t *testing.T, document, what, path string) {
	t.Helper()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s names %s, which is not there", document, what)
	} else if err != nil {
		t.Error(err)
	}
}

// TestDocumentsNameWhatIsThere checks every relative link, every path of the module and every make
// target.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	makefile := read(t, "../Makefile")
	all := 0
	for _, document := range documents(t) {
		text := read(t, document)
		links := 0
		for _, m := range linkPattern.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			links++
			mustExist(t, document, m[1], filepath.Join(filepath.Dir(document), target))
		}
		for _, m := range pathPattern.FindAllStringSubmatch(text, -1) {
			mustExist(t, document, m[2], filepath.Join("..", m[2]))
		}
		for _, m := range targetPattern.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s says %q, and the Makefile has no such target", document, m[0])
			}
		}
		all += links
	}
	if all < 50 {
		t.Errorf("only %d links found: does this test still read them?", all)
	}
}

// TestREADMEShowsTheExample holds the program in the README to the one that is built and run.
func TestREADMEShowsTheExample(t *testing.T) {
	t.Parallel()
	_, after, _ := strings.Cut(read(t, "../README.md"), "```go\n")
	shown, _, _ := strings.Cut(after, "```\n")
	if program := read(t, "../examples/provision/main.go"); shown != program {
		t.Errorf("README.md and examples/provision/main.go differ:\n%s", shown)
	}
}
