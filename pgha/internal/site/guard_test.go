package site_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestGuard: the cluster of another state directory is refused, an older copy is not; a directory
// that knows of no cluster asks nobody. The fakes refuse connections, so etcd tells nothing.
func TestGuard(t *testing.T) {
	t.Parallel()
	own := lineage.State{}.Next("demo", []string{"192.0.2.11"})
	stranger := lineage.State{}.Next("shop", []string{"192.0.2.11"})
	moved := own
	moved.Cluster = "shop"
	for name, tt := range map[string]struct {
		state lineage.State
		note  lineage.State
		says  string
	}{
		"the same":                   {own, own, ""},
		"an older copy":              {own, own.Next("demo", nil), ""},
		"no host remembers":          {own, lineage.State{}, ""},
		"another cluster's hosts":    {own, stranger, "another state directory"},
		"another cluster's state":    {moved, moved, "shop, not demo"},
		"a directory without record": {lineage.State{}, stranger, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, dirs := sitetest.HostsBelow(t)
			if tt.state.Known() {
				text, err := json.Marshal(tt.state)
				if err == nil {
					err = c.State.Write(vault.IdentityFile, text)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if tt.note.Known() {
				c.TellGeneration(t.Context(), tt.note, nil)
				if _, err := os.Stat(filepath.Join(dirs["pg1"], "state.json")); err != nil {
					t.Fatal(err)
				}
			}
			err := site.Guard(t.Context(), c)
			testkit.CheckSays(t, err, tt.says)
			if err != nil && (!errors.Is(err, errs.ErrRefused) || remote.Hint(err) == "") {
				t.Errorf("%v is no refusal with a way on", err)
			}
			if c.TakesOver = true; site.Guard(t.Context(), c) != nil {
				t.Error("a takeover is refused")
			}
		})
	}
}

// TestFoundClusterIsJudged by the identifiers.
func TestFoundClusterIsJudged(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t)
	id := lineage.State{SystemIdentifier: "7001", EtcdCluster: "cdf8"}
	if err := site.JudgeFound(c, id, "7001", "cdf8"); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct{ system, etcd, says, hint string }{
		{"7002", "cdf8", "7002", "delete system_identifier from " + c.State.Path("cluster.json")},
		{"7001", "beef", "beef", "apply"},
	} {
		err := site.JudgeFound(c, id, tt.system, tt.etcd)
		if !errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(), tt.says) ||
			!strings.Contains(remote.Hint(err), tt.hint) {
			t.Errorf("%v, hint %q", err, remote.Hint(err))
		}
	}
}

// TestTwoSpecificationsShareADirectory: the second one is refused before any host is asked.
func TestTwoSpecificationsShareADirectory(t *testing.T) {
	t.Parallel()
	first := testkit.Spec(t)
	s := &vault.State{Dir: first.StateDir}
	_, err := vault.LoadCredentials(t.Context(), s, first)
	if err == nil {
		_, err = s.Grow(first, lineage.State{})
	}
	if err == nil {
		err = s.Begin(first)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	named, elsewhere := *first, *first
	named.Cluster = "shop"
	elsewhere.Hosts = nil
	for _, h := range first.Hosts {
		h.Address = strings.Replace(h.Address, "192.0.2.", "198.51.100.", 1)
		elsewhere.Hosts = append(elsewhere.Hosts, h)
	}
	for name, sp := range map[string]*spec.Spec{"another name": &named, "other hosts": &elsewhere} {
		for _, opts := range []site.Options{{}, {ReadOnly: true}, {Existing: true}} {
			opts.Executor = func(context.Context, spec.Host) (remote.Executor, error) {
				t.Error("a host is connected to")
				return nil, remote.ErrUnreachable
			}
			_, err := site.Connect(t.Context(), sp, opts)
			if !errors.Is(err, errs.ErrRefused) ||
				!strings.Contains(remote.Hint(err), "a state_dir of its own") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
