package labtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/spec"
)

// testStateDirectory goes through what happens to a state directory in an operator's life: it is
// copied, shared, damaged, and used by two at a time. What is refused leaves hosts and directory as
// they were, and doctor reports the directory and recommends no apply.
func testStateDirectory(t *testing.T, s site) {
	original := must(os.ReadFile(s.specFile))(t)
	dir := s.spec(t).StateDir
	older, newest := filepath.Join(t.TempDir(), "older"), filepath.Join(t.TempDir(), "newest")
	copyState(t, dir, older)
	testLookingWritesNothing(t, s, dir)
	s.edit(t, value("db3.example.net", "hosts", "5", "dns_names", "-"))
	s.apply(t, pgha.ApplyOptions{})
	copyState(t, dir, newest)
	files, processes := digests(t, s), s.processes(t)
	for _, c := range []struct {
		name, from, without string
		stateDir            string
		verbs               []string
		refused, doctor     string
	}{
		{
			"an older copy", older, "", dir,
			[]string{"plan", "apply", "secrets rotate --yes", "config set work_mem=7MB --yes"},
			"older copy", "state-directory-refused",
		},
		{
			"without passwords", newest, "secrets", dir, []string{"plan", "apply"},
			"has no secrets/",
			"restore the state directory from its backup",
		},
		{
			"an empty one", "", "", filepath.Join(t.TempDir(), "empty"), []string{"apply"},
			"the hosts belong to", "point state_dir of the spec to where it was run",
		},
	} {
		if c.from != "" {
			copyState(t, c.from, dir)
		}
		if c.without != "" {
			if err := os.RemoveAll(filepath.Join(dir, c.without)); err != nil {
				t.Fatal(err)
			}
		}
		text := must(os.ReadFile(s.specFile))(t)
		writeFile(t, s.specFile, []byte(keepState(string(text), c.stateDir)))
		before := treeOf(t, c.stateDir)
		for _, verb := range c.verbs {
			if got := s.cli(t, strings.Fields(verb)...); got.code != 3 ||
				!strings.Contains(got.stderr, c.refused) {
				t.Errorf("%s: %s ends with %d, want 3 and %q\n%s", c.name, verb, got.code,
					c.refused, got.stderr)
			}
		}
		got := s.cli(t, "doctor")
		said := got.stdout + got.stderr
		if got.code == 0 || !strings.Contains(said, c.doctor) ||
			strings.Contains(said, "mend     here: pgha-cli apply") ||
			strings.Contains(said, "file-differs") {
			t.Errorf("%s: doctor ends with %d and says\n%s", c.name, got.code, said)
		}
		if diff := cmp.Diff(before, treeOf(t, c.stateDir)); diff != "" {
			t.Errorf("%s: the state directory was changed (-before +after):\n%s", c.name, diff)
		}
		writeFile(t, s.specFile, text)
	}
	if diff := cmp.Diff(files, digests(t, s)); diff != "" {
		t.Errorf("files were changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(processes, s.processes(t)); diff != "" {
		t.Errorf("processes were changed (-before +after):\n%s", diff)
	}
	copyState(t, newest, dir)
	testBesideAnApply(t, s)
	testHalfAnApply(t, s)
	writeFile(t, s.specFile, original)
	s.apply(t, pgha.ApplyOptions{})
}

// testLookingWritesNothing plans another specification, for which certificates would have to be
// made again.
func testLookingWritesNothing(t *testing.T, s site, dir string) {
	t.Helper()
	original, before := must(os.ReadFile(s.specFile))(t), treeOf(t, dir)
	s.edit(t, value(200, "tls", "leaf_lifetime_days"),
		value("other.example.net", "hosts", "3", "dns_names", "-"))
	for _, args := range [][]string{{"plan"}, {"doctor"}} {
		got := s.cli(t, args...)
		if args[0] == "plan" && (got.code != 2 || !strings.Contains(got.stdout,
			"postgres-server.crt")) {
			t.Errorf("%v ends with %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
		if diff := cmp.Diff(before, treeOf(t, dir)); diff != "" {
			t.Errorf("%v has written into the state directory (-before +after):\n%s", args, diff)
		}
	}
	writeFile(t, s.specFile, original)
	if got := s.cli(t, "plan"); got.code != 0 || !strings.Contains(got.stdout,
		"nothing to change") {
		t.Errorf("the plan of the unchanged specification ends with %d\n%s%s", got.code, got.stdout,
			got.stderr)
	}
}

// testBesideAnApply runs others while an apply is at it: one that would write learns who does, one
// that looks is not held up.
func testBesideAnApply(t *testing.T, s site) {
	t.Helper()
	tried := false
	s.apply(t, pgha.ApplyOptions{Observer: func(e pgha.Event) {
		if tried || e.Phase != "etcd" {
			return
		}
		tried = true
		if got := s.cli(t, "apply"); got.code != 5 || !strings.Contains(got.stderr, "process") {
			t.Errorf("a second apply ends with %d, want 5 and who is at it\n%s", got.code,
				got.stderr)
		}
		if got := s.cli(t, "plan"); got.code != 0 ||
			!strings.Contains(got.stdout, "nothing to change") {
			t.Errorf("a plan beside it ends with %d\n%s%s", got.code, got.stdout, got.stderr)
		}
	}})
	if !tried {
		t.Error("the phase of etcd had no event")
	}
}

// testHalfAnApply cuts an apply off: what it has not done yet is new in the specification, and
// nobody's change by hand.
func testHalfAnApply(t *testing.T, s site) {
	t.Helper()
	s.edit(t, value("2h", "etcd", "auto_compaction"), value("350ms", "balancer", "check_interval"),
		value("db2.example.net", "hosts", "4", "dns_names", "-"))
	s.with(t, pgha.ConnectOptions{}, func(c *pgha.Cluster) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := c.Apply(ctx, pgha.ApplyOptions{Observer: func(e pgha.Event) {
			if e.Phase == "etcd" && e.Change != nil {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the apply that was cut off: %v", err)
		}
	})
	s.awaitHealthy(t) // a member of etcd may be about to come back
	got := s.cli(t, "plan")
	if got.code != 2 || strings.Contains(got.stdout, "by hand") ||
		strings.Contains(got.stdout, "nothing to change") {
		t.Errorf("the plan afterwards ends with %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.apply(t, pgha.ApplyOptions{})
	s.applyNothing(t)
}

// edit changes the specification's file.
func (s site) edit(t *testing.T, changes ...spec.Change) {
	t.Helper()
	text, err := spec.Edit(must(os.ReadFile(s.specFile))(t), changes)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.specFile, text)
}

// copyState puts a copy of a state directory in the place of another.
func copyState(t *testing.T, from, to string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from))); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// treeOf are the files below a folder, but for the lock, by the sums of their content; none where
// there is no folder.
func treeOf(t *testing.T, dir string) map[string][sha256.Size]byte {
	t.Helper()
	files := map[string][sha256.Size]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		content, err := os.ReadFile(path)
		files[path] = sha256.Sum256(content)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}
