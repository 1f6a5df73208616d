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

// documents are the project's documents, seen from this folder.
var documents = []string{"../README.md", "../ARCHITECTURE.md", "../CONTRIBUTING.md", "../CHANGELOG.md", "../examples/README.md", "../docs/operating.md", "../docs/why.md"}

var (
	linkPattern   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	pathPattern   = regexp.MustCompile("(?:`|\\s|\\()(\\./)?((?:pgha|cmd|internal|examples)/[a-zA-Z0-9_./-]*[a-zA-Z0-9_])")
	targetPattern = regexp.MustCompile(`\bmake ([a-z-]+)`)
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

// TestDocumentsNameWhatIsThere checks every relative link, every path of the module and every make target.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	makefile := read(t, "../Makefile")
	for _, document := range documents {
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
		if links == 0 && !strings.HasSuffix(document, "CHANGELOG.md") {
			t.Errorf("no link found in %s: does this test still read it?", document)
		}
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
