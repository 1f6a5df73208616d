package power

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestMark runs mark.sh: it writes the mark, replaces it, and removes it, also one that is not
// there.
func TestMark(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pgha", "reset")
	for _, text := range []string{"", "somebody at 9", "somebody at 10", "", ""} {
		r := scripttest.Run{With: "sh", Script: markScript, Args: []string{file}, Stdin: text}.Do(t)
		if r.Code != 0 || r.Stdout != "" {
			t.Fatalf("%q: %+v", text, r)
		}
		got, err := os.ReadFile(file)
		if text == "" && !errors.Is(err, fs.ErrNotExist) || text != "" && string(got) != text+"\n" {
			t.Errorf("%q: the file has %q, %v", text, got, err)
		}
	}
}
