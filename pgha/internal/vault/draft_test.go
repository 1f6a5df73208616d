package vault_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// tree is what a state directory holds, by name; nil for one that is not there.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(content)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// looking is a cluster without hosts, connected as plan and apply are.
func looking(t *testing.T, sp *spec.Spec) *site.Site {
	t.Helper()
	s, err := site.StateOf(t.Context(), sp, false)
	if err != nil {
		t.Fatal(err)
	}
	c, err := vault.LoadCredentials(t.Context(), s, sp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return (&site.Site{
		Spec: sp, State: s, Connections: map[string]*remote.Target{},
		Log: slog.New(slog.DiscardHandler),
	}).Hold(c)
}

// applied is what an apply makes of the state directory.
func applied(t *testing.T, sp *spec.Spec) {
	t.Helper()
	c := looking(t, sp)
	if err := engine.SaveState(t.Context(), (&job.Job{Site: c, Out: &event.Emitter{Log: c.Log}}),
		nil); err != nil {
		t.Fatal(err)
	}
	if err := c.State.Close(); err != nil {
		t.Fatal(err)
	}
}

func identityOf(t *testing.T, dir string) lineage.State {
	t.Helper()
	id, err := (&vault.State{Dir: dir, ReadOnly: true}).Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestLookingWritesNothing(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	if c := looking(t, sp); len(c.Credentials().Superuser.Reveal()) < 20 ||
		tree(t, sp.StateDir) != nil {
		t.Errorf("a look made %v", slices.Sorted(maps.Keys(tree(t, sp.StateDir))))
	}
	applied(t, sp)
	before := tree(t, sp.StateDir)
	if len(before) < 30 {
		t.Fatalf("an apply wrote only %d files", len(before))
	}
	other := *sp
	other.Hosts = slices.Clone(sp.Hosts)
	// what a colleague proposes: other certificates
	other.Hosts[2].DNSNames = []string{"db.example.com"}
	c := looking(t, &other)
	if string(
		c.Credentials().Hosts["pg1"][layout.Postgres].Cert) == before["certs/pg1-postgres.crt"] {
		t.Error("the look does not show what apply would issue")
	}
	if !maps.Equal(before, tree(t, sp.StateDir)) {
		t.Error("looking at another specification changed the state directory")
	}
	if id := identityOf(t, sp.StateDir); id.Generation != 1 {
		t.Errorf("generation %d", id.Generation)
	}
	applied(t, sp) // nothing to write
	if !maps.Equal(before, tree(t, sp.StateDir)) {
		t.Error("an apply without need changed the state directory")
	}
	applied(t, &other)
	if id := identityOf(t, sp.StateDir); id.Generation != 2 ||
		maps.Equal(before, tree(t, sp.StateDir)) {
		t.Errorf("generation %d after new certificates", id.Generation)
	}
}

func TestApplyRefusesWhatChangedSinceItLooked(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	applied(t, sp)
	c := looking(t, sp)
	if err := c.State.Write("secrets/rewind", []byte("drafted")); err != nil {
		t.Fatal(err)
	}
	rewind := filepath.Join(sp.StateDir, "secrets/rewind")
	if err := os.WriteFile(rewind, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := c.State.Begin(sp)
	if !errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(), "secrets/rewind") {
		t.Errorf("%v", err)
	}
	if content, err := os.ReadFile(rewind); err != nil || string(content) != "another" {
		t.Errorf("what another process wrote became %q: %v", content, err)
	}
}

// TestPlanIsNotLockedOut: looking needs no lock, and who holds it is named to who does.
func TestPlanIsNotLockedOut(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	applied(t, sp)
	first, second := looking(t, sp), looking(t, sp)
	if err := first.State.Begin(sp); err != nil {
		t.Fatal(err)
	}
	looking(t, sp)
	name, _, _ := strings.Cut(vault.WhoAmI(), ",")
	if err := second.State.Begin(sp); !errors.Is(err, vault.ErrStateLocked) ||
		!strings.Contains(err.Error(), name) {
		t.Errorf("%v does not name %s", err, name)
	}
}

func TestJudgeState(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	applied(t, sp)
	note := func(s lineage.State) map[string][]byte {
		text, err := json.Marshal(s.Note("alice@desk"))
		if err != nil {
			t.Fatal(err)
		}
		return map[string][]byte{"pg2": text}
	}
	now := identityOf(t, sp.StateDir)
	addresses := vault.DatabaseAddresses(sp)
	renamed, moved := *sp, *sp
	renamed.Cluster = "shop"
	moved.Hosts = slices.Clone(sp.Hosts)
	for i := range moved.Hosts {
		moved.Hosts[i].Address = strings.Replace(moved.Hosts[i].Address, "192.0.2.",
			"198.51.100.", 1)
	}
	for name, c := range map[string]struct {
		sp    *spec.Spec
		notes map[string][]byte
		want  string
		hint  string
	}{
		"hosts that know nothing": {sp, nil, "", ""},
		"as it was left":          {sp, note(now), "", ""},
		"a damaged note":          {sp, map[string][]byte{"pg1": []byte("{\"for")}, "", ""},
		"a later generation": {sp, note(now.Next("demo", addresses)), "older copy",
			"alice@desk"},
		"a stranger's": {
			sp, note(lineage.State{}.Next("demo", addresses)), "another state directory",
			"state_dir",
		},
		"a note of a later version": {
			sp, map[string][]byte{"pg1": []byte(`{"format":9}`)}, "later version",
			"use that version",
		},
		"another cluster's name": {&renamed, nil, "belongs to another cluster: demo, not shop",
			"of its own"},
		"other hosts": {&moved, nil, "belongs to another cluster", "of its own"},
	} {
		err := looking(t, c.sp).JudgeState(c.notes)
		if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, errs.ErrRefused) ||
			!strings.Contains(err.Error(), c.want) || !strings.Contains(remote.Hint(err), c.hint)) {
			t.Errorf("%s: %v (%s), want %q", name, err, remote.Hint(err), c.want)
		}
	}
}

// TestIncompleteStateIsRefused: what is missing must not be invented where a cluster has it.
func TestIncompleteStateIsRefused(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"secrets", "secrets/superuser", "ca/etcd.crt", "ca",
		"ca/postgres.key", "certs"} {
		sp := testkit.Spec(t)
		applied(t, sp)
		if err := os.RemoveAll(filepath.Join(sp.StateDir, missing)); err != nil {
			t.Fatal(err)
		}
		before := tree(t, sp.StateDir)
		s, err := site.StateOf(t.Context(), sp, false)
		if err != nil {
			t.Fatal(err)
		}
		c := &site.Site{
			Spec: sp, State: s, Connections: map[string]*remote.Target{},
			Log: slog.New(slog.DiscardHandler),
		}
		cr, err := vault.LoadCredentials(t.Context(), s, sp)
		if err == nil {
			c.Hold(cr)
			err = provision.RefuseIncomplete(t.Context(), (&job.Job{
				Site: c, Out: &event.Emitter{Log: c.Log},
			}), map[string]preflight.Facts{"pg1": {EtcdCA: "one"}})
		}
		if (err == nil) != (missing == "certs") { // certificates can be issued again
			t.Errorf("without %s: %v", missing, err)
		}
		if !maps.Equal(before, tree(t, sp.StateDir)) {
			t.Errorf("without %s: something was written", missing)
		}
	}
}

// TestWhatIsWrittenIsNotMissing: who applies twice with one connection has what the first time
// made.
func TestWhatIsWrittenIsNotMissing(t *testing.T) {
	t.Parallel()
	c := looking(t, testkit.Spec(t))
	run := &job.Job{Site: c, Out: &event.Emitter{Log: c.Log}}
	if err := engine.SaveState(t.Context(), run, nil); err != nil {
		t.Fatal(err)
	}
	if err := provision.RefuseIncomplete(t.Context(), run, map[string]preflight.Facts{
		"pg1": {StateNote: []byte("{}")},
	}); err != nil {
		t.Error(err)
	}
}

// TestDamagedStateIsNotMadeUpFor: a file that is there and cannot be read is an error, and nothing
// is put in its place.
func TestDamagedStateIsNotMadeUpFor(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"empty": func(path string) error { return os.Truncate(path, 0) },
		"a directory": func(path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		},
	} {
		for _, file := range []string{
			"secrets/superuser", "ca/etcd.key", "ca/postgres.crt", "certs/pg1-postgres.key",
			"certs/pg1-etcd-peer.crt", "secrets/rewind.verifier",
		} {
			sp := testkit.Spec(t)
			applied(t, sp)
			if err := damage(filepath.Join(sp.StateDir, file)); err != nil {
				t.Fatal(err)
			}
			s, err := site.StateOf(t.Context(), sp, false)
			if err == nil {
				_, err = vault.LoadCredentials(t.Context(), s, sp)
			}
			if err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("%s, %s: %v", file, name, err)
			}
		}
	}
}

// TestStrangeStateDirectories: each is refused by its name, or works as a plain one.
func TestStrangeStateDirectories(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	applied(t, sp)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(sp.StateDir, link); err != nil {
		t.Fatal(err)
	}
	linked := *sp
	linked.StateDir = link
	applied(t, &linked)
	if id := identityOf(t, link); id.Generation != 1 {
		t.Errorf("by a link: generation %d", id.Generation)
	}
	file := *sp
	file.StateDir = filepath.Join(sp.StateDir, "cluster.json")
	if _, err := site.StateOf(t.Context(), &file, false); err == nil ||
		!strings.Contains(err.Error(), "no directory") {
		t.Errorf("a file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(sp.StateDir, vault.IdentityFile), []byte(`{"format": 7}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	s, err := site.StateOf(t.Context(), sp, false)
	if err == nil {
		_, err = vault.LoadCredentials(t.Context(), s, sp)
	}
	if !errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(), "later version") ||
		!strings.Contains(remote.Hint(err), "version") {
		t.Errorf("a later version's: %v", err)
	}
}

// TestFullDisk: nothing of a draft is taken for whole.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	c := looking(t, sp)
	// A directory that cannot be made stands in for a disk on which nothing can be written, for
	// root, too.
	if err := os.MkdirAll(sp.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(sp.StateDir, "certs"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.State.Begin(sp); err == nil || !strings.Contains(err.Error(), "certs") {
		t.Errorf("%v", err)
	}
}
