package remote_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/remote"
)

// TestPutClearsUp removes what an earlier put left whose process is gone, as after a loss of power,
// and nothing else. put.sh runs here as on a host.
func TestPutClearsUp(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const gone = 1 << 30 // above any pid_max
	for _, name := range []string{
		fmt.Sprintf(".pgha.%d.abcDEF12", gone),
		fmt.Sprintf(".pgha.%d.abcDEF12", os.Getpid()),
		fmt.Sprintf(".pgha.%d.tooLONG123", gone),
		".pgha", "pgha.yaml",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	meta := remote.FileMeta{Path: filepath.Join(dir, "new"), Mode: 0o600, Owner: me.Username,
		Group: group.Name}
	if changed, err := new(remote.Local).Put(t.Context(), strings.NewReader("whole"),
		meta); err != nil || !changed {
		t.Fatalf("put: %v, %v", changed, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{
		".pgha", fmt.Sprintf(".pgha.%d.tooLONG123", gone),
		fmt.Sprintf(".pgha.%d.abcDEF12", os.Getpid()),
		"new", "pgha.yaml",
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPutGivesUp ends a put whose input stays open and brings nothing more, as sshd leaves it when
// the network is gone: the temporary file goes, and the file that was there stays.
func TestPutGivesUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdin, more, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	if _, err := more.WriteString("half of the new"); err != nil {
		t.Fatal(err)
	}
	put := exec.CommandContext(t.Context(), "sh", "put.sh", path, "600", "root", "root", "1")
	put.Stdin = stdin
	said, err := put.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 74 ||
		!strings.Contains(string(said), "nothing for 1 s") {
		t.Errorf("%v\n%s", err, said)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "old" {
		t.Errorf("the file is now %q, %v", content, err)
	}
}

// TestPutTakesLargeFiles puts more than the host reads at once, to the byte.
func TestPutTakesLargeFiles(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 1<<20 - 64, 1<<20 - 1, 1 << 20, 3<<20 + 5} {
		path := filepath.Join(t.TempDir(), "file")
		content := bytes.Repeat([]byte("\x00\xffpgha\n"), size/7+1)[:size]
		meta := remote.FileMeta{Path: path, Mode: 0o600, Owner: me.Username, Group: group.Name}
		if changed, err := new(remote.Local).Put(t.Context(), bytes.NewReader(content),
			meta); err != nil || !changed {
			t.Fatalf("put of %d bytes: %v, %v", size, changed, err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("of %d bytes %d arrived, %v", size, len(got), err)
		}
	}
}
