package spec_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/spec"
)

// TestFilesThatAnswer: sudo's password is read from a file of this user's that nobody else reads,
// with one line in it.
func TestFilesThatAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		uid  int // 0 leaves the file this user's
		want string
	}{
		"as it should be":  {"hunter2\n", 0o600, 0, ""},
		"for reading only": {"hunter2", 0o400, 0, ""},
		"read by the group": {
			"hunter2\n", 0o640, 0,
			"ssh.sudo_password_file: SECRET may be read by others (mode 0640); run chmod 600 SECRET",
		},
		"read by everybody":    {"hunter2\n", 0o644, 0, "(mode 0644); run chmod 600 SECRET"},
		"written by the group": {"hunter2\n", 0o620, 0, "(mode 0620)"},
		"another user's": {
			"hunter2\n", 0o600, 12345,
			"SECRET belongs to another user; run chown " + strconv.Itoa(os.Geteuid()) +
				" SECRET, or name a file",
		},
		"empty":         {"", 0o600, 0, "is empty"},
		"an empty line": {"\n", 0o600, 0, "is empty"},
		"two lines": {"hunter2\nhunter3\n", 0o600, 0,
			"the text in SECRET has more than one line"},
		"a password of zeros": {"hunter2\x00\n", 0o600, 0, "NUL character"},
		"a folder":            {"", 0o700 | os.ModeDir, 0, "SECRET is not a file"},
	} {
		path := filepath.Join(t.TempDir(), "secret")
		if c.mode.IsDir() {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		} else if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		if c.uid != 0 {
			if os.Geteuid() != 0 {
				continue // only root gives files away
			}
			if err := os.Chown(path, c.uid, c.uid); err != nil {
				t.Fatal(err)
			}
		}
		_, err := spec.Parse("pgha.yaml",
			[]byte("version: 1\nhosts: [{name: a, address: 10.0.0.1, role: database}]\nssh: "+
				"{sudo_password_file: "+
				path+"}\n"))
		if want := strings.ReplaceAll(c.want, "SECRET", path); (err == nil) != (want == "") ||
			err != nil && (!strings.Contains(err.Error(), want) ||
				strings.Contains(err.Error(), "hunter")) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
