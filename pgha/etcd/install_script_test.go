package etcd

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestInstallScript runs install.sh: what it puts into place has the right checksum and runs, and
// where it refuses the programs that are there stay and nothing is left behind.
func TestInstallScript(t *testing.T) {
	t.Parallel()
	archive := release(t, "3.6.16")
	sum := sha256.Sum256(archive)
	right := hex.EncodeToString(sum[:])
	const url = "https://example.org/v3.6.16/etcd.tar.gz"
	const download = `while [ $# -gt 2 ]; do [ "$1" = -o ] && to=$2; shift; done; [ "$1" = -o ] && to=$2; `
	for name, c := range map[string]struct {
		version, sum string
		url, fetch   string // what curl does with the file $to; its address is the last argument
		says         string // of a refusal; "" is success
	}{
		"laid there": {version: "3.6.16", sum: right},
		"another version": {version: "3.6.17", sum: right,
			says: "holds no etcd 3.6.17 that runs on this host"},
		"a damaged archive": {
			version: "3.6.16", sum: strings.Repeat("0", 64),
			says: "is not " + strings.Repeat("0", 64),
		},
		"no download": {
			version: "3.6.16", sum: right, url: url, fetch: "echo 'curl: (6)' >&2; exit 6",
			says: "curl: (6)",
		},
		"no checksum in the list": {
			version: "3.6.16", url: url, fetch: `echo "abc  other.tar.gz" >"$to"`,
			says: "does not mention etcd.tar.gz",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			scripttest.Write(t, dir, "bin/etcd", "the former")
			scripttest.Write(t, dir, "cache/etcd.tar.gz", string(archive))
			r := scripttest.Run{With: "sh", Script: installScript, Args: []string{
				c.version, dir + "/cache/etcd.tar.gz", c.sum, c.url,
			},
				Fakes: map[string]string{
					"install": `for last; do :; done; eval "from=\${$(($# - 1))}"; cp "$from" "$last" && chmod 755 "$last"`,
					"curl":    download + c.fetch},
				Paths: map[string]string{"/usr/local/bin": dir + "/bin"}}.Do(t)
			if (r.Code == 0) != (c.says == "") || !strings.Contains(r.Stderr, c.says) {
				t.Errorf("%+v", r)
			}
			installed, err := os.ReadFile(dir + "/bin/etcd")
			if former := string(installed) == "the former"; err != nil || former != (c.says != "") {
				t.Errorf("etcd is %q, %v", installed, err)
			}
			left, _ := filepath.Glob(dir + "/*/*")
			hidden, _ := filepath.Glob(dir + "/bin/.*")
			want := 1 // etcd
			if c.says == "" {
				want = 2 // and etcdctl
			}
			if len(left) != want || len(hidden) > 0 {
				t.Errorf("left are %v and %v", left, hidden)
			}
		})
	}
}

// release makes the archive of a release whose etcd says this version.
func release(t *testing.T, version string) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, program := range []string{"etcd", "etcdctl"} {
		scripttest.Write(t, dir, "etcd-v/"+program, "#!/bin/sh\necho 'etcd Version: "+version+"'\n")
	}
	if out, err := exec.CommandContext(t.Context(), "tar", "-czf", dir+"/a.tar.gz", "-C", dir,
		"etcd-v").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(dir + "/a.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	return text
}
