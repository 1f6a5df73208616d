package site

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestNote runs note.sh: everybody may read the note, and one that cannot be written whole does not
// take the place of the former.
func TestNote(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pgha", "state")
	keep := func(text string) scripttest.Result {
		return scripttest.Run{With: "sh", Script: keepNote, Args: []string{file}, Stdin: text}.Do(t)
	}
	for _, text := range []string{"generation 1\n", "generation 2\n"} {
		if r := keep(text); r.Code != 0 {
			t.Fatal(r)
		}
		if got, err := os.ReadFile(file); string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.Mkdir(file+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if r := keep("generation 3\n"); r.Code == 0 {
		t.Error("a note that could not be written is no error")
	}
	if got, _ := os.ReadFile(file); string(got) != "generation 2\n" {
		t.Errorf("the former note is %q", got)
	}
}

// TestShareScript runs share.sh: both files are whole and nobody else reads the copy; where the
// copy cannot be written whole the former one stays, with its record.
func TestShareScript(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pgha", "state.age")
	share := func(text string) scripttest.Result {
		return scripttest.Run{With: "sh", Script: shareScript, Args: []string{file},
			Stdin: text}.Do(t)
	}
	is := func(path, want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", path, got, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, text := range []string{`{"generation":1,"x":"a\\b"}` + "\none\n\ntwo", "{}\nthree\n"} {
		if r := share(text); r.Code != 0 {
			t.Fatal(r)
		}
		record, copied, _ := strings.Cut(text, "\n")
		is(file, copied)
		is(file+".json", record+"\n")
	}
	if err := os.Mkdir(file+".json.new", 0o700); err != nil {
		t.Fatal(err)
	}
	if r := share("{}\nfour\n"); r.Code == 0 {
		t.Error("a record that could not be written is no error")
	}
	is(file, "three\n")
	is(file+".json", "{}\n")
}
