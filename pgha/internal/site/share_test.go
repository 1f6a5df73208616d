package site_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// shared is a site with a state directory of a first generation and recipients; etcd never answers.
// dirs are the hosts' own folders.
func shared(t *testing.T) (c *site.Site, dirs map[string]string) {
	t.Helper()
	c, dirs = sitetest.HostsBelow(t)
	ageFor(t, c.Spec)
	if err := c.State.Close(); err != nil {
		t.Fatal(err)
	}
	box, err := vault.Box(t.Context(), c.Spec)
	if err == nil {
		c.State, err = vault.SettledState(c.Spec, box)
	}
	if err == nil {
		_, err = c.State.Grow(c.Spec, lineage.State{})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.State.Close() })
	return c, dirs
}

// ageFor gives a specification an identity and its recipient.
func ageFor(t *testing.T, sp *spec.Spec) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	sp.Secrets.Age.IdentityFile = filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(sp.Secrets.Age.IdentityFile, []byte(id.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	sp.Secrets.Age.Recipients = append(sp.Secrets.Age.Recipients, id.Recipient().String())
}

// joining connects as a new operator would: to the same hosts, with a directory of his own.
func joining(t *testing.T, of *site.Site, dirs map[string]string, opts site.Options) (*site.Site,
	error) {
	t.Helper()
	sp := *of.Spec
	sp.StateDir = filepath.Join(t.TempDir(), "state")
	opts.Executor = execute(dirs)
	return site.Connect(t.Context(), &sp, opts)
}

// TestShareOnHosts: while etcd does not answer the database hosts have the copies, a second run
// writes nothing, and a host that was away gets it later. A change makes a generation.
func TestShareOnHosts(t *testing.T) {
	t.Parallel()
	c, dirs := shared(t)
	secret, err := c.State.Read("secrets/superuser")
	if err != nil {
		t.Fatal(err)
	}
	away := c.Connections["pg3"]
	delete(c.Connections, "pg3")
	done, err := site.Share(t.Context(), c, c.State)
	if err != nil || done.Etcd || strings.Join(done.Hosts, " ") != "pg1 pg2" || len(done.Failed) < 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	read := func(host string) string {
		text, err := os.ReadFile(filepath.Join(dirs[host], "state.age"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first := read("pg1")
	if strings.Contains(first, string(secret)) || first != read("pg2") {
		t.Error("the copy is plain, or another one on each host")
	}
	if info, err := os.Stat(filepath.Join(dirs["pg1"], "state.age")); err != nil ||
		info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(dirs["lb1"], "state.age")); err == nil {
		t.Error("a balancer has a copy")
	}
	if _, err = site.Share(t.Context(), c, c.State); err != nil {
		t.Fatal(err)
	}
	c.Connections["pg3"] = away
	if done, err = site.Share(t.Context(), c, c.State); err != nil || len(done.Hosts) != 3 ||
		done.Generation != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	before := read("pg3")
	if done, err = site.Share(t.Context(), c, c.State); err != nil || read("pg3") != before {
		t.Errorf("nothing has changed and something was written: %+v, %v", done, err)
	}
	if err := os.WriteFile(filepath.Join(dirs["pg2"], "state.age"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = site.Share(t.Context(), c, c.State); err != nil || read("pg2") == "x" {
		t.Errorf("a damaged copy stays: %v", err)
	}
	if err := c.State.Write("secrets/superuser", []byte("another")); err != nil {
		t.Fatal(err)
	}
	if done, err = site.Share(t.Context(), c, c.State); err != nil || done.Generation != 2 ||
		read("pg1") == first {
		t.Errorf("a change: %+v, %v", done, err)
	}
	clear(c.Connections)
	if err := c.State.Write("secrets/superuser", []byte("a third")); err != nil {
		t.Fatal(err)
	}
	if _, err = site.Share(t.Context(), c, c.State); err == nil || remote.Hint(err) == "" {
		t.Errorf("nothing but this machine has the state: %v", err)
	}
}

// TestRecipientLeaves: what is kept is encrypted without the one who left, and what that one knows
// is said.
func TestRecipientLeaves(t *testing.T) {
	t.Parallel()
	c, dirs := shared(t)
	leaves := c.Spec.Secrets.Age
	ageFor(t, c.Spec)
	if _, err := site.Share(t.Context(), c, c.State); err != nil { // the box is still the first one's
		t.Fatal(err)
	}
	c.Spec.Secrets.Age.Recipients = c.Spec.Secrets.Age.Recipients[1:]
	box, err := vault.Box(t.Context(), c.Spec)
	if err != nil {
		t.Fatal(err)
	}
	for name := range must(c.State.Files())(t) { // as the next change would
		if strings.HasPrefix(name, "secrets/") || strings.HasSuffix(name, ".key") {
			content := must(c.State.Read(name))(t)
			c.State.Box = box
			if err := c.State.Write(name, content); err != nil {
				t.Fatal(err)
			}
			c.State.Box = must(vault.Box(t.Context(), &spec.Spec{Secrets: spec.Secrets{Age: leaves}}))(t)
		}
	}
	c.State.Box = box
	done, err := site.Share(t.Context(), c, c.State)
	if err != nil || len(done.Removed) != 1 || done.Removed[0] != leaves.Recipients[0] ||
		!strings.Contains(strings.Join(done.Known, ", "), "the password of superuser") {
		t.Errorf("%+v, %v", done, err)
	}
	sp := *c.Spec
	sp.Secrets.Age.IdentityFile = leaves.IdentityFile
	sp.Secrets.Age.Recipients = append(sp.Secrets.Age.Recipients, leaves.Recipients[0])
	sp.StateDir = filepath.Join(t.TempDir(), "state")
	_, err = site.Connect(t.Context(), &sp, site.Options{ReadOnly: true, Executor: execute(dirs)})
	if !errors.Is(err, vault.ErrSealed) || !strings.Contains(remote.Hint(err), "secrets encrypt") {
		t.Errorf("who left opens what is kept: %v", err)
	}
	if _, err := os.Stat(sp.StateDir); err == nil {
		t.Error("a state directory was made")
	}
}

// TestRefresh: a new operator gets the state by connecting, in whatever way; one whose directory is
// older gets the newer one, one whose directory was changed apart is refused, and one who asks for
// nothing newer keeps what he has.
func TestRefresh(t *testing.T) {
	t.Parallel()
	c, dirs := shared(t)
	if _, err := site.Share(t.Context(), c, c.State); err != nil {
		t.Fatal(err)
	}
	own := must(c.State.Files())(t)
	for name, opts := range map[string]site.Options{"to look": {ReadOnly: true},
		"to operate": {Existing: true}, "to apply": {}} {
		other, err := joining(t, c, dirs, opts)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if other.Pulled == nil || other.Pulled.Generation != 1 ||
			!strings.HasPrefix(other.Pulled.From, "pg") ||
			!other.Credentials().Superuser.Equal(c.Credentials().Superuser) ||
			vault.DigestOf(must(other.State.Files())(t)) != vault.DigestOf(own) {
			t.Errorf("%s: pulled %+v", name, other.Pulled)
		}
		_ = other.Close()
	}
	other, err := joining(t, c, dirs, site.Options{Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.GrowState(t.Context(), c.State); err != nil {
		t.Fatal(err)
	}
	connect := func(opts site.Options) (*site.Site, error) {
		opts.Executor = execute(dirs)
		return site.Connect(t.Context(), other.Spec, opts)
	}
	stale, err := connect(site.Options{Existing: true, Stale: true})
	if err != nil || stale.Pulled != nil {
		t.Errorf("with Stale: %+v, %v", stale, err)
	}
	again, err := connect(site.Options{Existing: true})
	if err != nil || again.Pulled == nil || again.Pulled.Generation != 2 {
		t.Fatalf("a directory that is older: %v", err)
	}
	if again, err = connect(site.Options{Existing: true}); err != nil || again.Pulled != nil {
		t.Errorf("one that is as new: %v", err)
	}
	// Both change it apart: the hosts have what c made of it.
	apart, err := vault.SettledState(other.Spec, again.State.Box)
	if err == nil {
		_, err = apart.Grow(other.Spec, must(apart.Identity())(t))
	}
	if err := errors.Join(err, apart.Close(), c.GrowState(t.Context(), c.State)); err != nil {
		t.Fatal(err)
	}
	if again, err = connect(site.Options{Existing: true}); err != nil || again.Pulled != nil {
		t.Fatalf("one that was changed apart: %v", err)
	}
	notes, err := again.AskStateNotes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.JudgeState(notes); !errors.Is(err, errs.ErrRefused) ||
		!strings.Contains(remote.Hint(err), "state pull") {
		t.Errorf("one that was changed apart is used: %v", err)
	}
}

// TestEachCopyWillDo: with all but one gone or damaged, that one is taken; with none the directory
// stays empty, and what to do is said.
func TestEachCopyWillDo(t *testing.T) {
	t.Parallel()
	c, dirs := shared(t)
	if _, err := site.Share(t.Context(), c, c.State); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dirs["pg1"], "state.age")),
		os.WriteFile(filepath.Join(dirs["pg2"], "state.age"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	other, err := joining(t, c, dirs, site.Options{ReadOnly: true})
	if err != nil || other.Pulled == nil || other.Pulled.From != "pg3" {
		t.Fatalf("%+v, %v", other, err)
	}
	if err := os.Remove(filepath.Join(dirs["pg3"], "state.age.json")); err != nil {
		t.Fatal(err)
	}
	if _, err = joining(t, c, dirs, site.Options{ReadOnly: true}); err == nil ||
		!strings.Contains(err.Error(), "fetch the state of cluster demo") {
		t.Errorf("without any copy: %v", err)
	}
}

// TestAheadIsRefused: a record of a newer generation, and of one that was made apart.
func TestAheadIsRefused(t *testing.T) {
	t.Parallel()
	c, _ := shared(t)
	id := must(c.State.Identity())(t)
	newer := id.Next("demo", nil)
	for _, tt := range []struct {
		record lineage.State
		hint   string
	}{{newer, "run it again"}, {lineage.State{}.Next("demo", nil), "state pull"}} {
		err := site.JudgeAhead(c, id, tt.record.CopyOf("anna@desk"))
		if !errors.Is(err, site.ErrStateAhead) || !strings.Contains(err.Error(), "anna@desk") ||
			!strings.Contains(remote.Hint(err), tt.hint) || errs.KindOf(err) != errs.Refused {
			t.Errorf("%v, hint %q", err, remote.Hint(err))
		}
	}
	if err := site.JudgeAhead(c, id, id.CopyOf("anna@desk")); err != nil {
		t.Error(err)
	}
}
