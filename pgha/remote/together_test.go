package remote_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/remote"
)

// cutOff ends its context with the last put that it lets through.
type cutOff struct {
	remote.Executor
	left   int
	cancel func()
}

func (c *cutOff) Put(ctx context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	if c.left--; c.left < 0 {
		return false, context.Cause(ctx)
	}
	changed, err := c.Executor.Put(ctx, r, meta)
	if c.left == 0 {
		c.cancel()
	}
	return changed, err
}

// pairIn writes an old pair and returns the new one, with a file before them that is as it should
// be.
func pairIn(t *testing.T, dir string) remote.Together {
	t.Helper()
	for name, old := range map[string]string{"ca.crt": "same", "server.crt": "old",
		"server.key": "old"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(old), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	file := func(name, content string) remote.File {
		return remote.File{FileMeta: mine(t, filepath.Join(dir, name), 0o640),
			Content: []byte(content), Secret: true}
	}
	return remote.Together{file("ca.crt", "same"), file("server.crt", "new"),
		file("server.key", "new")}
}

// filesIn are the files of a folder, with their content.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = string(content)
	}
	return found
}

// TestTogetherIsNeverHalf cuts the work off at each point: both files are old, or both are new, and
// nothing else is left.
func TestTogetherIsNeverHalf(t *testing.T) {
	t.Parallel()
	for puts, want := range []string{0: "old", 1: "old", 2: "new"} {
		dir := t.TempDir()
		pair := pairIn(t, dir)
		ctx, cancel := context.WithCancel(t.Context())
		target := localTarget()
		target.Executor = &cutOff{Executor: target.Executor, left: puts, cancel: cancel}
		if puts == 0 {
			target.Executor.(*cutOff).cancel = func() {}
		}
		_, err := target.Ensure(ctx, pair)
		if (err == nil) != (want == "new") && !errors.Is(err, context.Canceled) {
			t.Errorf("after %d files: %v", puts, err)
		}
		cancel()
		if diff := cmp.Diff(map[string]string{
			"ca.crt": "same", "server.crt": want, "server.key": want,
		}, filesIn(t, dir)); diff != "" {
			t.Errorf("cut off after %d files:\n%s", puts, diff)
		}
	}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair := pairIn(t, dir)
	target := localTarget()
	planned, err := target.Preview(t.Context(), pair)
	if err != nil || len(planned) != 2 || filesIn(t, dir)["server.crt"] != "old" {
		t.Errorf("planned %v, %v, files %v", planned, err, filesIn(t, dir))
	}
	done, err := target.Ensure(t.Context(), pair)
	if err != nil || cmp.Diff(lines(planned), lines(done)) != "" ||
		!done.Touched(filepath.Join(dir, "server.key")) {
		t.Errorf("planned %v, did %v, %v", planned, done, err)
	}
	if again, err := target.Ensure(t.Context(), pair); err != nil || again.Any() {
		t.Errorf("the second time changed %v, %v", again, err)
	}
	if text := strings.Join(lines(done), " "); strings.Contains(text, "ca.crt") ||
		strings.Contains(text, "pgha-new") {
		t.Errorf("changes: %s", text)
	}
}
