package trail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestAppend runs append.sh: lines are added, for root alone, and a file that has grown too large
// keeps its newest half, whole lines only.
func TestAppend(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "pgha", "operations.jsonl")
	add := func(line string) scripttest.Result {
		return scripttest.Run{With: "sh", Script: appendAudit, Args: []string{file}, Stdin: line,
			Paths: map[string]string{"/var/log": dir}}.Do(t)
	}
	for _, line := range []string{"{\"id\":1}\n", "{\"id\":2}\n"} {
		if r := add(line); r.Code != 0 {
			t.Fatal(r)
		}
	}
	if got := read(t, file); got != "{\"id\":1}\n{\"id\":2}\n" {
		t.Errorf("got %q", got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	old := "{\"old\":\"" + strings.Repeat("x", 999) + "\"}\n"
	scripttest.Write(t, dir, "pgha/operations.jsonl", strings.Repeat(old, 2_100_000/len(old)))
	if r := add("{\"id\":3}\n"); r.Code != 0 {
		t.Fatal(r)
	}
	got := read(t, file)
	if len(got) > 1_000_000 || !strings.HasPrefix(got, "{\"old\"") ||
		!strings.HasSuffix(got, old+"{\"id\":3}\n") {
		t.Errorf("%d bytes that begin with %.20q", len(got), got)
	}
}

// TestAppendWithoutAFolder: what cannot be written is an error.
func TestAppendWithoutAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	scripttest.Write(t, dir, "pgha", "a file where the folder belongs")
	r := scripttest.Run{With: "sh", Script: appendAudit,
		Args: []string{dir + "/pgha/operations.jsonl"}, Stdin: "{}\n",
		Paths: map[string]string{"/var/log": dir}}.Do(t)
	if r.Code == 0 {
		t.Errorf("%+v", r)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
