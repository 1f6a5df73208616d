package spec_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/spec"
)

// files are what the specs under test name, with their modes.
var files = []struct {
	name, content string
	mode          os.FileMode
}{
	{"key", "-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o600},
	{"open-key", "-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o644},
	{"key.pub", "ssh-ed25519 AAAA\n", 0o644},
	{"repository.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n", 0o644},
	{"empty", "", 0o600},
	{"etcd.tar.gz", "\x1f\x8b", 0o644},
	{"password", "correct horse battery\n", 0o600},
	{"short", "hunter2\n", 0o600},
	{"two-lines", "correct horse\nbattery staple\n", 0o600},
	{"spaced", " correct horse battery\n", 0o600},
	{"accented", "contraseña correcta 密码\n", 0o600},
	{"ligature", "ﬁrst-class battery\n", 0o600},
	{"decomposed", "contrasen\u0303a correcta\n", 0o600},
	{"invisible", "correct\u00adhorse battery\n", 0o600},
	{"tabbed", "correct\thorse battery\n", 0o600},
	{"identity", "# created by age-keygen\nAGE-SECRET-KEY-1EXAMPLE\n", 0o600},
	{"open-identity", "AGE-SECRET-KEY-1EXAMPLE\n", 0o640},
	{"long", strings.Repeat("x", 70000), 0o600},
}

// folder returns a new folder with the files.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := os.WriteFile(path, []byte(f.content), f.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, f.mode); err != nil { // whatever the umask is
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWrong goes through testdata/wrong.txtar: every second file is what Parse says of the one
// before it.
func TestWrong(t *testing.T) {
	t.Parallel()
	const archive = "testdata/wrong.txtar"
	text, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	// Even parts are the comment and the files' contents, odd ones their names.
	parts := split(string(text))
	dir := folder(t)
	for i := 1; i+3 < len(parts); i += 4 {
		wrong, want := parts[i+1], &parts[i+3]
		t.Run(parts[i], func(t *testing.T) {
			s, err := spec.Parse(filepath.Join(dir, "pgha.yaml"), []byte(wrong))
			if s != nil || err == nil {
				t.Fatal("accepted")
			}
			checkErrors(t, err)
			got := strings.ReplaceAll(err.Error(), dir+"/", "") + "\n"
			if golden.Update() {
				*want = got
			} else if diff := cmp.Diff(*want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if golden.Update() {
		if err := os.WriteFile(archive, []byte(unsplit(parts)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var fileHeader = regexp.MustCompile(`(?m)^-- (.+) --\n`)

// split takes an archive in the txtar format apart: the comment, then each file's name and
// contents.
func split(text string) []string {
	var parts []string
	end := 0
	for _, m := range fileHeader.FindAllStringSubmatchIndex(text, -1) {
		parts = append(parts, text[end:m[0]], text[m[2]:m[3]])
		end = m[1]
	}
	return append(parts, text[end:])
}

func unsplit(parts []string) string {
	var b strings.Builder
	b.WriteString(parts[0])
	for i := 1; i+1 < len(parts); i += 2 {
		b.WriteString("-- " + parts[i] + " --\n" + parts[i+1])
	}
	return b.String()
}

// checkErrors wants errors that every caller can use: sorted, each with a position, a problem and a
// remedy.
func checkErrors(t *testing.T, err error) {
	t.Helper()
	var all *spec.Errors
	if !errors.As(err, &all) || len(all.List) == 0 {
		t.Fatalf("%T is not *spec.Errors with a list", err)
	}
	if !errors.Is(err, spec.ErrInvalid) {
		t.Error("not ErrInvalid")
	}
	for i, e := range all.List {
		if e.File == "" || e.Line < 1 || e.Column < 1 || e.Problem == "" || e.Remedy.IsZero() {
			t.Errorf("incomplete: %#v", e)
		}
		if strings.ContainsAny(e.Error(), "\n\r") {
			t.Errorf("more than one line: %q", e)
		}
		if i > 0 && (e.Line < all.List[i-1].Line || e.Line == all.List[i-1].Line &&
			e.Column < all.List[i-1].Column) {
			t.Errorf("out of order: %v", e)
		}
	}
}
