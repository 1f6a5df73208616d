package provision

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

var update = flag.Bool("update", false, "write testdata/rendered*.sum")

// TestRenderedFiles compares every file and folder that apply writes on bare hosts, and every
// change that it reports, with testdata/rendered.sum. What is made by chance (certificates, keys,
// passwords) counts by its name in the state directory. A difference is a change of what users
// have on their hosts: give it a line in CHANGELOG.md, then run with -update.
func TestRenderedFiles(t *testing.T) {
	t.Parallel()
	compareRendered(t, "testdata/rendered.sum", "few", "many")
}

// TestRenderedLayouts does the same for hosts that run etcd without a database, a database without
// etcd, and HAProxy beside both.
func TestRenderedLayouts(t *testing.T) {
	t.Parallel()
	compareRendered(t, "testdata/rendered-layouts.sum", "witness", "apart",
		"combined")
}

func compareRendered(t *testing.T, golden string, names ...string) {
	t.Helper()
	var got []string
	for _, name := range names {
		for _, line := range rendered(t, name) {
			got = append(got, name+" "+line)
		}
	}
	text := strings.Join(got, "\n") + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil { //nolint:gosec // no secret
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), text); diff != "" {
		t.Errorf("apply writes something else (-golden +now):\n%s", diff)
	}
}

// readSpec reads one of this test's specifications; its state directory is temporary.
func readSpec(t *testing.T, name string) *spec.Spec {
	t.Helper()
	file := filepath.Join("testdata", "rendered-"+name+".yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := spec.Parse(file, bytes.ReplaceAll(text, []byte("STATE"),
		[]byte(t.TempDir()+"/state")))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// rendered runs the phases of an apply on bare hosts.
func rendered(t *testing.T, name string) []string {
	t.Helper()
	sp := readSpec(t, name)
	state, err := vault.OpenState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	c := &site.Site{Spec: sp, Connections: map[string]*remote.Target{}, State: state,
		Log: slog.New(slog.DiscardHandler), Facts: map[string]preflight.Facts{}}
	cr, err := vault.LoadCredentials(t.Context(), state, sp)
	if err != nil {
		t.Fatal(err)
	}
	c.Hold(cr)
	mask := masked(t, sp.StateDir)
	var hosts []*sitetest.Recording
	for i, h := range sp.Hosts {
		r := &sitetest.Recording{Name: h.Name, Mask: mask, Answers: map[string]string{
			"timedatectl show '--property=Timezone' --value": "Etc/UTC",
			"ip -j addr show": `[{"ifname":"eth0","addr_info":[{"local":"` + h.Address +
				`","prefixlen":24}]}]`,
			"sh -c '. /etc/os-release && echo $VERSION_CODENAME'": "trixie",
		}}
		hosts = append(hosts, r)
		c.Facts[h.Name] = preflight.Facts{Watchdog: i%2 == 0}
		c.Connections[h.Name] = &remote.Target{Host: remote.Host{Name: h.Name, Address: h.Address},
			Executor: r}
	}
	phases := StandardPhases()
	for i, p := range phases {
		if p.Name == engine.PreflightName || p.Name == "ready" { // they write nothing
			phases[i].Run = func(context.Context, *engine.Run) error { return nil }
		}
	}
	var mu sync.Mutex
	var lines []string
	out := &event.Emitter{Log: c.Log, Observer: func(e event.Event) {
		if e.Change != nil && e.Change.Kind != "file" && e.Change.Kind != "directory" {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, "change "+e.Change.String()+" "+e.Change.Host)
		}
	}}
	if err := engine.RunPhases(t.Context(), c, phases, out, false); err != nil {
		t.Fatal(err)
	}
	for _, r := range hosts {
		lines = append(lines, r.Written()...)
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(place(a), place(b)) })
	return lines
}

// place sorts lines by host, then path.
func place(line string) string {
	fields := strings.Fields(line)
	slices.Reverse(fields)
	return strings.Join(fields, " ")
}

// digestLine is a digest over certificates, which differ from run to run.
var digestLine = regexp.MustCompile(`PGHA_CONFIGURATION="[0-9a-f]{16}"`)

// masked replaces each file of the state directory, where it is found in content, by its name.
func masked(t *testing.T, dir string) func([]byte) []byte {
	t.Helper()
	type secret struct {
		name    string
		content []byte
	}
	var secrets []secret
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || name == "lock" {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		if utf8.Valid(content) { // the last byte of what is no text may look like a space
			content = bytes.TrimSpace(content)
		}
		if len(content) > 16 {
			secrets = append(secrets, secret{name, content})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(secrets, func(a, b secret) int {
		return cmp.Or(len(b.content)-len(a.content), strings.Compare(a.name, b.name))
	})
	return func(content []byte) []byte {
		for _, s := range secrets {
			content = bytes.ReplaceAll(content, s.content, []byte("<"+s.name+">"))
		}
		return digestLine.ReplaceAll(content, []byte(`PGHA_CONFIGURATION="..."`))
	}
}
