package wholefile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pgha/toolkit/internal/wholefile"
)

func TestReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o640),
		os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	if err := wholefile.Replace(link, []byte("older"), []byte("new")); !errors.Is(err,
		wholefile.ErrChanged) {
		t.Errorf("a file that has changed: %v", err)
	}
	if err := wholefile.Replace(link, []byte("old"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	info, statErr := os.Lstat(file)
	if err != nil || statErr != nil || string(got) != "new" || info.Mode() != 0o640 {
		t.Errorf("%q, %v, %v %v", got, info.Mode(), err, statErr)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := wholefile.Replace(filepath.Join(dir, "none"), nil, []byte("x")); !errors.Is(err,
		fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
