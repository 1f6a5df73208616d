package remote_test

import (
	"fmt"
	"os"
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
	meta := remote.FileMeta{Path: filepath.Join(dir, "new"), Mode: 0o600, Owner: me.Username, Group: group.Name}
	if changed, err := new(remote.Local).Put(t.Context(), strings.NewReader("whole"), meta); err != nil || !changed {
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
		".pgha", fmt.Sprintf(".pgha.%d.tooLONG123", gone), fmt.Sprintf(".pgha.%d.abcDEF12", os.Getpid()),
		"new", "pgha.yaml",
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
