package lb

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestRuntimeScript runs runtime.pl: the first socket must answer, another one may be missing.
func TestRuntimeScript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	admin, missing := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "none.sock")
	l, err := net.Listen("unix", admin)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			words, _ := io.ReadAll(conn)
			_, _ = io.WriteString(conn, "answer to "+string(words))
			conn.Close()
		}
	}()
	for name, c := range map[string]struct {
		args       []string
		want, says string
	}{
		"both answer": {
			[]string{admin, "show info", admin, "show proc"},
			"answer to show info\nanswer to show proc\n", "",
		},
		"the second is gone": {[]string{admin, "show info", missing, "show proc"},
			"answer to show info\n", ""},
		"the first is gone": {[]string{missing, "show info", admin, "show proc"}, "",
			"connect " + missing},
		"the name is too long": {[]string{dir + strings.Repeat("x", 120), "show info"}, "",
			"connect "},
	} {
		r := scripttest.Run{With: "perl", Script: runtimeScript, Args: c.args}.Do(t)
		if r.Stdout != c.want || !strings.Contains(r.Stderr, c.says) ||
			(r.Code == 0) != (c.says == "") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
