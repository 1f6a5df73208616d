package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "report.html")
	if err := os.WriteFile(file, []byte("older"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(file, sample(1)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 || info.Size() == 0 {
			t.Errorf("%s has mode %s and %d bytes", e.Name(), info.Mode(), info.Size())
		}
	}
	want := []string{
		"report.html", "report.leadership.csv", "report.members.csv", "report.outcomes.csv",
		"report.reads.csv", "report.writes.csv",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range want[1:] {
		if !strings.Contains(string(page), `href="./`+name+`"`) {
			t.Errorf("the page does not lead to %s", name)
		}
	}
}

func TestWriteLeavesWhatWasThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// A folder where a CSV file should go cannot be replaced; the page comes after it and stays as
	// it was.
	if err := os.Mkdir(filepath.Join(dir, "r.writes.csv"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "r.html")
	if err := os.WriteFile(file, []byte("older"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(file, sample(1)); err == nil || !strings.Contains(err.Error(), "r.writes.csv") {
		t.Errorf("got error %v", err)
	}
	if page, err := os.ReadFile(file); err != nil || string(page) != "older" {
		t.Errorf("the page is now %.20q, %v", page, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".report-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := Write(filepath.Join(dir, "missing", "r.html"), sample(1)); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
