package status

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadServices(t *testing.T) {
	t.Parallel()
	got := readServices("db1", []string{"etcd.service", "patroni.service", "gone.service"},
		"Id=etcd.service\nActiveState=active\nUnitFileState=enabled\n\n"+
			"Id=patroni.service\nActiveState=failed\nUnitFileState=disabled\n")
	want := []ServiceStatus{{Host: "db1", Unit: "etcd.service", Active: "active", AtBoot: true},
		{Host: "db1", Unit: "patroni.service", Active: "failed"},
		{Host: "db1", Unit: "gone.service"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestReadDisks reads what the programs say here, and that two folders of one disk are one.
func TestReadDisks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	below := filepath.Join(dir, "with a space")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(dir, "gone")
	out, err := exec.Command("stat", "-f", "-c", "%i %S %b %c %a %d %n", "--", below, dir,
		gone).Output()
	if err == nil {
		t.Error("a folder that is not there is no failure")
	}
	got := readDisks("db1", string(out), "")
	if len(got) != 1 || got[0].Path != below || got[0].Size <= 0 || got[0].Free <= 0 ||
		got[0].Free > got[0].Size {
		t.Errorf("%+v of %q", got, out)
	}
	out, err = exec.Command("sh", "-c", notReadOnly, "look", dir, gone, "/proc").Output()
	if err != nil || strings.TrimSpace(string(out)) != "" &&
		strings.TrimSpace(string(out)) != "/proc" {
		t.Errorf("%q, %v", out, err)
	}
	got = readDisks("db1", "f 4096 100 0 1 0 /data\nf 4096 100 0 2 0 /data/pg_wal\n"+
		"0 512 7 9 7 9 /etcd\n0 512 7 9 6 9 /other\n", "/etcd\n")
	want := []DiskStatus{{Host: "db1", Path: "/data", Size: 409600, Free: 4096},
		{Host: "db1", Path: "/etcd", Size: 3584, Free: 3584, Inodes: 9, InodesFree: 9,
			ReadOnly: true},
		{Host: "db1", Path: "/other", Size: 3584, Free: 3072, Inodes: 9, InodesFree: 9}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for file, text := range map[string]string{one: "-----BEGIN: x\n\nend\n", two: "2\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, _ := exec.Command("grep", "-H", "", "--", one, two, filepath.Join(dir, "gone")).Output() //nolint:errcheck // one is gone
	want := map[string][]byte{one: []byte("-----BEGIN: x\n\nend\n"), two: []byte("2\n")}
	if diff := cmp.Diff(want, readFiles(string(out))); diff != "" {
		t.Error(diff)
	}
}
