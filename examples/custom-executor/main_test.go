package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "example")
	var out bytes.Buffer
	if err := run(t.Context(), &out, dir); err != nil {
		t.Fatal(err)
	}
	want := "localhost reads  : sh -s --\n" +
		"localhost changes: install -d -m 755 -o root -g root -- " + dir + "\n" +
		"would be: directory " + dir + " created\n" +
		"would be: file " + dir + "/greeting created\n"
	if got := out.String(); got != want {
		t.Errorf("it printed\n%swant\n%s", got, want)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("planning changed the machine: %v", err)
	}
}
