package remotetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
)

func testPut(t *testing.T, e remote.Executor) {
	dir, meta := ownDir(t, e)
	steps := []struct {
		name, content string
		mode          fs.FileMode
		changed       bool
	}{
		{"new", "one", 0o640, true}, {"equal", "one", 0o640, false},
		{"other content", "two\x00\xff\n", 0o640, true},
		{"other mode", "two\x00\xff\n", 0o600, true}, {"empty", "", 0o600, true},
		{"big", strings.Repeat("x", 3<<20), 0o600, true},
	}
	for _, s := range steps {
		meta.Path, meta.Mode = dir+"/file", s.mode
		changed, err := e.Put(t.Context(), strings.NewReader(s.content), meta)
		if err != nil || changed != s.changed {
			t.Errorf("%s: Put = %v, %v; want %v", s.name, changed, err, s.changed)
		}
		if got := read(t, e, meta.Path); got != s.content {
			t.Errorf("%s: %d bytes came back, want %d", s.name, len(got), len(s.content))
		}
		if got, want := stat(t, e, "%a", meta.Path), fmt.Sprintf("%o", s.mode); got != want {
			t.Errorf("%s: mode %s, want %s", s.name, got, want)
		}
	}
	onlyFiles(t, e, dir, "file")
	for _, bad := range []string{"relative", dir + "/../x", ""} {
		if _, err := e.Put(t.Context(), strings.NewReader(""),
			remote.FileMeta{Path: bad}); err == nil {
			t.Errorf("Put(%q) succeeded", bad)
		}
	}
	meta.Path = dir + "/no/such/folder"
	if _, err := e.Put(t.Context(), strings.NewReader(""), meta); err == nil {
		t.Error("Put into a missing folder succeeded")
	}
}

func testPutOwner(t *testing.T, e remote.Executor) {
	dir := tempDir(t, e)
	if stat(t, e, "%U", dir) != "root" {
		t.Skip("giving files away takes root on the host")
	}
	meta := remote.FileMeta{Path: dir + "/file", Owner: "nobody", Group: "daemon"}
	for _, want := range []bool{true, false} {
		if changed, err := e.Put(t.Context(), strings.NewReader("x"), meta); err != nil ||
			changed != want {
			t.Errorf("Put = %v, %v; want %v", changed, err, want)
		}
	}
	if got := stat(t, e, "%U %G %a", meta.Path); got != "nobody daemon 644" {
		t.Errorf("owner, group and mode are %q", got)
	}
}

// A reader that fails must not leave half a file in place.
func testPutFailingReader(t *testing.T, e remote.Executor) {
	dir, meta := ownDir(t, e)
	meta.Path = dir + "/file"
	if _, err := e.Put(t.Context(), strings.NewReader("complete"), meta); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the source broke")
	_, err := e.Put(t.Context(), io.MultiReader(strings.NewReader("half"),
		failingReader{broken}), meta)
	if !errors.Is(err, broken) {
		t.Errorf("err = %v, want %v", err, broken)
	}
	if got := read(t, e, meta.Path); got != "complete" {
		t.Errorf("the file holds %q", got)
	}
}

// Nor must a Put that is given up.
func testPutCanceled(t *testing.T, e remote.Executor) {
	dir, meta := ownDir(t, e)
	meta.Path = dir + "/file"
	if _, err := e.Put(t.Context(), strings.NewReader("complete"), meta); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	content, feed := io.Pipe()
	go func() {
		_, _ = io.WriteString(feed, strings.Repeat("half", 1<<16))
		cancel()
	}()
	defer func() { _ = feed.Close() }()
	if _, err := e.Put(ctx, content, meta); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
	if got := read(t, e, meta.Path); got != "complete" {
		t.Errorf("the file holds %d bytes of something else", len(got))
	}
}

func testOddPaths(t *testing.T, e remote.Executor) {
	dir, meta := ownDir(t, e)
	for _, name := range []string{"with space", "quo'te", `dou"ble`, "new\nline", "-dash", "$(id)",
		"é✓", `back\slash`, "st*r"} {
		meta.Path = dir + "/" + name
		if changed, err := e.Put(t.Context(), strings.NewReader(name), meta); err != nil ||
			!changed {
			t.Errorf("Put %q = %v, %v", name, changed, err)
			continue
		}
		if got := read(t, e, meta.Path); got != name {
			t.Errorf("Get %q = %q", name, got)
		}
	}
}

// ownDir makes a folder and the owner and group that files in it can have without root.
func ownDir(t *testing.T, e remote.Executor) (string, remote.FileMeta) {
	t.Helper()
	dir := tempDir(t, e)
	owner, group, _ := strings.Cut(stat(t, e, "%U %G", dir), " ")
	return dir, remote.FileMeta{Owner: owner, Group: group}
}

func stat(t *testing.T, e remote.Executor, format, path string) string {
	t.Helper()
	res, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"stat", "-c", format, "--", path}})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(res.Stdout))
}

// onlyFiles fails unless the folder holds just these, so no temporary file is left.
func onlyFiles(t *testing.T, e remote.Executor, dir string, want ...string) {
	t.Helper()
	res, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"ls", "-A", "--", dir}})
	if got := strings.Fields(string(res.Stdout)); err != nil ||
		strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s holds %q, %v; want %q", dir, got, err, want)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
