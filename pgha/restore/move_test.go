package restore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// move runs move.sh with the account that it gives directories to as this one.
func move(t *testing.T, args ...string) scripttest.Result {
	t.Helper()
	return scripttest.Run{With: "sh", Script: moveScript, Args: args, Fakes: map[string]string{
		"install": `for last; do :; done; mkdir -p "$last"`,
		"cat":     `case $1 in /proc/*) echo postgres ;; *) /bin/cat "$@" ;; esac`,
	}}.Do(t)
}

// tree names what is in a folder.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func make1(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMove: each move is safe to repeat, loses nothing, and refuses while a server runs.
func TestMove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, kept, undone, copied := dir+"/data", dir+"/kept", dir+"/undone", dir+"/copy"
	make1(t, data+"/PG_VERSION", data+"/old")
	for range 2 {
		if got := move(t, "aside", data, kept); got.Code != 0 {
			t.Fatalf("%+v", got)
		}
	}
	if got := tree(t, dir); got != "data kept kept/PG_VERSION kept/old" {
		t.Errorf("aside: %s", got)
	}
	make1(t, copied+"/data/PG_VERSION", copied+"/log")
	for range 2 {
		if got := move(t, "place", copied, data); got.Code != 0 {
			t.Fatalf("%+v", got)
		}
	}
	if got := tree(t, dir); got != "data data/PG_VERSION kept kept/PG_VERSION kept/old" {
		t.Errorf("place: %s", got)
	}
	for range 2 {
		if got := move(t, "back", data, kept, undone); got.Code != 0 {
			t.Fatalf("%+v", got)
		}
	}
	if got := tree(t, dir); got != "data data/PG_VERSION data/old undone undone/PG_VERSION" {
		t.Errorf("back: %s", got)
	}
	make1(t, data+"/postmaster.pid")
	for _, args := range [][]string{{"aside", data, kept}, {"drop", data}} {
		if got := move(t, args...); got.Code == 0 || !strings.Contains(got.Stderr, "a PostgreSQL runs on") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := move(t, "drop", undone); got.Code != 0 || strings.Contains(tree(t, dir), "undone") {
		t.Errorf("drop: %+v", got)
	}
	// What is not filled in completely is not taken for it.
	if got := move(t, "place", copied, dir+"/empty"); got.Code == 0 {
		t.Error("nothing was put in place, without an error")
	}
}
