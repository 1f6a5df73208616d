package power

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/scripttest"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
)

// destroyPlace is a host's files in a folder, with a systemctl that writes down what it is told.
type destroyPlace struct {
	t   *testing.T
	dir string
}

func newDestroyPlace(t *testing.T) destroyPlace {
	t.Helper()
	p := destroyPlace{t, t.TempDir()}
	for name, text := range map[string]string{
		"etc/haproxy/haproxy.cfg":                  "x",
		"etc/haproxy/haproxy.cfg.pgha-orig-201":    "somebody else's",
		"etc/haproxy/errors/503.http":              "x",
		"etc/keepalived/keepalived.conf":           "x",
		"etc/pgha only/a file":                     "x",
		"info/keepalived.list":                     "/.\n" + p.at("etc/keepalived") + "\n",
		"etc/systemd/system/etcd.service.d/x.conf": "x",
	} {
		if err := os.MkdirAll(filepath.Dir(p.at(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p.at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p destroyPlace) at(name string) string { return filepath.Join(p.dir, name) }

func (p destroyPlace) run(word string) scripttest.Result {
	p.t.Helper()
	var list []string
	for _, line := range []string{
		"unit haproxy.service", "unit gone.service", "file etc/haproxy/haproxy.cfg",
		"file etc/keepalived/keepalived.conf", "file etc/pgha only/a file", "file etc/absent",
		"file etc/systemd/system/etcd.service.d/x.conf", "dir etc/systemd/system/etcd.service.d",
		"dir etc/pgha only", "dir etc/keepalived", "dir etc/haproxy", "dir etc/absent.d",
	} {
		kind, name, _ := strings.Cut(line, " ")
		if kind != "unit" {
			name = p.at(name)
		}
		list = append(list, kind+" "+name)
	}
	systemctl := `case "$1 $2" in
"is-enabled haproxy.service") [ -e ` + p.at("disabled") + ` ] && echo disabled || echo enabled;;
"is-enabled "*) echo not-found; exit 4;;
"disable --quiet") echo "$3" >>` + p.at("disabled") + `;;
esac
`
	return scripttest.Run{With: "sh", Script: destroyScript,
		Args:  []string{word, strings.Join(list, "\n")},
		Fakes: map[string]string{"systemctl": systemctl},
		Paths: map[string]string{"/var/lib/dpkg/info": p.at("info")}}.Do(p.t)
}

// TestDestroyScript looks without a trace, then removes what is listed, and nothing the second
// time. Files of others, folders that packages own and those that are not empty stay.
func TestDestroyScript(t *testing.T) {
	t.Parallel()
	p := newDestroyPlace(t)
	in := func(text string) string { return strings.ReplaceAll(text, "AT/", p.dir+"/") }
	files := in(`unit haproxy.service
kept AT/etc/haproxy/haproxy.cfg.pgha-orig-201
file AT/etc/haproxy/haproxy.cfg
file AT/etc/keepalived/keepalived.conf
file AT/etc/pgha only/a file
file AT/etc/systemd/system/etcd.service.d/x.conf
`)
	if r := p.run("look"); r.Code != 0 || r.Stdout != files ||
		slices.Contains(r.Calls, "systemctl daemon-reload") {
		t.Errorf("look: %+v, want\n%s", r, files)
	}
	want := files + in("dir AT/etc/systemd/system/etcd.service.d\ndir AT/etc/pgha only\n")
	if r := p.run("remove"); r.Code != 0 || r.Stdout != want ||
		!slices.Contains(r.Calls, "systemctl daemon-reload") {
		t.Errorf("remove: %+v, want\n%s", r, want)
	}
	var left []string
	_ = filepath.WalkDir(p.at("etc"), func(path string, _ os.DirEntry, err error) error {
		left = append(left, strings.TrimPrefix(path, p.dir))
		return err
	})
	if diff := cmp.Diff([]string{"/etc", "/etc/haproxy", "/etc/haproxy/errors",
		"/etc/haproxy/errors/503.http", "/etc/haproxy/haproxy.cfg.pgha-orig-201",
		"/etc/keepalived", "/etc/systemd", "/etc/systemd/system"}, left); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	if r := p.run("remove"); r.Code != 0 ||
		r.Stdout != in("kept AT/etc/haproxy/haproxy.cfg.pgha-orig-201\n") {
		t.Errorf("once more: %+v", r)
	}
}

// TestBelongingsGoInOrder: units before files, files before folders, folders before those that they
// are in, and the note that says whose host it is behind all other files.
func TestBelongingsGoInOrder(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	for _, h := range sp.Hosts {
		list := belongings(&site.Site{Spec: sp}, h)
		kinds := []string{"unit", "file", "dir"}
		at, gone := 0, []string{}
		for _, line := range list[:len(list)-3] {
			kind, path, _ := strings.Cut(line, " ")
			if slices.Index(kinds, kind) < at {
				t.Errorf("%s: %s comes too late", h.Name, line)
			}
			at = slices.Index(kinds, kind)
			for _, before := range gone {
				if kind == "dir" && strings.HasPrefix(path, before+"/") {
					t.Errorf("%s: %s is to go behind %s, which it is in", h.Name, path, before)
				}
			}
			if kind == "dir" {
				gone = append(gone, path)
			}
		}
		if !slices.Contains(list[len(list)-3:], "file "+vault.NoteFile) {
			t.Errorf("%s: the note does not go last: %v", h.Name, list[len(list)-3:])
		}
	}
}
