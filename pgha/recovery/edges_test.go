package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestNotesOfHosts: the newest of the hosts' notes counts; damaged ones say nothing, and one of a
// later version of pgha ends it.
func TestNotesOfHosts(t *testing.T) {
	t.Parallel()
	note := func(generation int, cluster string) string {
		var s lineage.State
		for range generation {
			s = s.Next(cluster, nil)
		}
		text, err := json.Marshal(s.Note("alice@desk"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, tt := range map[string]struct {
		notes      map[string]string
		generation int
		want       error
	}{
		"no host remembers anything": {nil, 0, nil},
		"one host has a newer one": {map[string]string{"pg1": note(2, "demo"), "pg3": note(5, "demo"),
			"lb1": note(4, "demo")}, 5, nil},
		"damaged ones": {map[string]string{"pg1": "{", "pg2": "", "pg3": "\n\n", "lb1": "[]",
			"lb2": note(1, "demo")}, 1, nil},
		"all are damaged": {map[string]string{"pg1": `{"id":"x"}`, "pg2": "null"}, 0, nil},
		"a later version": {map[string]string{"pg1": note(9, "demo"), "pg2": `{"format":7}`}, 0,
			errs.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, dirs := sitetest.HostsBelow(t)
			for host, text := range tt.notes {
				path := filepath.Join(dirs[host], strings.TrimPrefix(vault.NoteFile, sitetest.HostDir))
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f := foundNothing()
			err := f.readNotes(t.Context(), c)
			if !errors.Is(err, tt.want) || err == nil && f.note.Generation != tt.generation {
				t.Errorf("generation %d, %v", f.note.Generation, err)
			}
			if err != nil && (!errors.Is(err, lineage.ErrNewer) || !strings.Contains(err.Error(), "pg2")) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestFoundDamagedFiles: a file that is there and empty is one that lacks, and one that is no
// certificate an error that names it, and shows nothing of it.
func TestFoundDamagedFiles(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	cr := newState(t, sp).Credentials()
	h := sp.Databases()[0]
	of := layout.CertificateOf(layout.EtcdClient)
	for name, tt := range map[string]struct {
		path, text string
		absent     bool
		says       string
	}{
		"an empty key":          {of.Key, "", true, ""},
		"a key of white space":  {of.Key, " \n\t", true, ""},
		"no authority":          {of.CA, "\n", true, ""},
		"an authority of words": {of.CA, "s3cret words", false, "read " + of.CA},
		"half an authority": {of.CA, string(cr.EtcdCA)[:len(cr.EtcdCA)/2], false,
			"read " + of.CA},
		"no password file": {layout.PasswordFile, "", false, ""},
	} {
		f := foundNothing()
		files := hostFiles(cr, h.Name, "*:*:*:replicator:one\n")
		files[tt.path] = []byte(tt.text)
		err := f.add(sp, h, files)
		testkit.CheckSays(t, err, tt.says)
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: it is shown: %v", name, err)
		}
		if _, known := f.hosts[h.Name]; (f.absent[h.Name] != "") != tt.absent ||
			known == (tt.absent || tt.says != "") {
			t.Errorf("%s: lacks %q, known %v", name, f.absent[h.Name], known)
		}
		if name == "no password file" && len(f.roles) > 0 {
			t.Errorf("%s: %d roles", name, len(f.roles))
		}
	}
}

// TestLossOfDamagedRecords: what etcd has that is no record of Patroni's is not known, and never no
// loss.
func TestLossOfDamagedRecords(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sync, status string
		bytes        int64 // -1 for not known
	}{
		"cut off":               {`{"leader":"m1","sync_sta`, `{"optime":1`, -1},
		"another type":          {`["pg2"]`, `{"optime":"150"}`, -1},
		"a negative position":   {"", `{"optime":-1}`, -1},
		"no position":           {"", `{"optime":0}`, -1},
		"nobody is synchronous": {`{"leader":"m1","sync_standby":""}`, `{"optime":150}`, 30},
		"a null":                {`null`, `{"optime":150}`, 30},
		"part of its name":      {`{"leader":"m1","sync_standby":"pg22,pg"}`, `{"optime":150}`, 30},
		"a quorum of nobody": {`{"leader":"m1","quorum":0,"sync_standby":"pg2"}`,
			`{"optime":150}`, 30},
		"synchronous, no status":  {`{"leader":"m1","sync_standby":"pg2"}`, ``, 0},
		"one of two, and no more": {`{"leader":"m1","sync_standby":"pg3,pg2"}`, `{"optime":150}`, 0},
	} {
		v := viewOf(t, func(v *view) { v.keys["sync"], v.keys["status"] = tt.sync, tt.status })
		bytes, words := v.loss()
		if (bytes == nil) != (tt.bytes < 0) || bytes != nil && *bytes != tt.bytes || words == "" {
			t.Errorf("%s: %v, %q", name, bytes, words)
		}
	}
}

// TestRefuseBehindAtTheEdges: as far as the others is far enough, a byte less is not, and data of
// another cluster does not count, however far it goes.
func TestRefuseBehindAtTheEdges(t *testing.T) {
	t.Parallel()
	sp := sitetest.PowerSpec()
	with := func(l hostlook.Look, change func(*hostlook.Look)) hostlook.Look {
		change(&l)
		return l
	}
	for name, tt := range map[string]struct {
		db1     hostlook.Look
		node    *patroni.NodeState
		refused string
	}{
		"as far":      {replica(3, 120), nil, ""},
		"a byte more": {replica(3, 121), nil, "1 bytes more"},
		"more, says Patroni": {replica(3, 100), &patroni.NodeState{Timeline: 3, Location: 500},
			"380 bytes more"},
		"a later timeline": {replica(4, 1), nil, "a leader came after"},
		"later, says Patroni": {replica(3, 1), &patroni.NodeState{Timeline: 9, Location: 1},
			"on timeline 9"},
		"more, of an old line": {replica(2, 999999), nil, ""},
		"another cluster's": {with(replica(9, 999999), func(l *hostlook.Look) {
			l.Control.Identifier = "8"
		}), nil, ""},
		"no data": {with(replica(9, 999999), func(l *hostlook.Look) {
			l.Control.Identifier = ""
		}), nil, ""},
		"it is silent": {with(replica(9, 999999), func(l *hostlook.Look) {
			l.Err = errors.New("no answer")
		}), nil, ""},
	} {
		v := viewOf(t, func(v *view) {
			v.looks["db1"] = tt.db1
			if tt.node != nil {
				v.nodes["pg1"] = *tt.node
			}
		})
		err := v.refuse(sp)
		testkit.CheckSays(t, err, tt.refused)
		if (tt.refused != "") != errors.Is(err, errs.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(errs.NextOf(err).String(), "pg1") {
			t.Errorf("%s: nobody says from whom: %q", name, errs.NextOf(err))
		}
	}
}

// TestLeaderOfAView: who holds the lock in an etcd without a quorum leads nobody, nor does one
// whose Patroni does not say so itself.
func TestLeaderOfAView(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*view)
		leads  string
	}{
		"no quorum": {func(v *view) { v.nodes["m1"] = patroni.NodeState{Role: patroni.RoleLeader} }, ""},
		"a quorum": {func(v *view) {
			v.store, v.nodes["m1"] = aloneWith("pg2"), patroni.NodeState{Role: patroni.RoleLeader}
		}, "m1"},
		"it is silent": {func(v *view) { v.store = aloneWith("pg2") }, ""},
		"it follows": {func(v *view) {
			v.store, v.nodes["m1"] = aloneWith("pg2"), patroni.NodeState{Role: "replica"}
		}, ""},
		"nobody has the lock": {func(v *view) {
			v.store = aloneWith("pg2")
			delete(v.keys, "leader")
		}, ""},
	} {
		if got := viewOf(t, tt.change).leader(); got != tt.leads {
			t.Errorf("%s: %q", name, got)
		}
	}
	two := viewOf(t, func(v *view) {
		v.store = &etcd.Store{Members: []etcd.StoreMember{{Name: "pg1"}, {Name: "pg2"}}}
	})
	if two.alone(sitetest.PowerSpec()) {
		t.Error("an etcd of two members counts as one")
	}
	if err := two.refuse(sitetest.PowerSpec()); !errors.Is(err, etcd.ErrHasQuorum) ||
		!strings.Contains(err.Error(), "pg1, pg2") {
		t.Errorf("%v", err)
	}
}

// TestFromMemberRefuses what is no member, one that cannot be reached, and everything while
// somebody else works on a host that is left; nothing is changed then.
func TestFromMemberRefuses(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	changed := 0
	op := engine.Operation{Observer: func(e event.Event) {
		if e.Change != nil {
			changed++
		}
	}}
	for from, want := range map[string]error{"pg9": spec.ErrUnknownHost, "lb1": errs.ErrRefused,
		"": spec.ErrUnknownHost, "pg2": errs.ErrRefused, "m3": errs.ErrRefused} {
		for _, dry := range []bool{true, false} {
			op.DryRun = dry
			_, err := FromMember(t.Context(), a.Site, FromOptions{Operation: op, From: from})
			if !errors.Is(err, want) {
				t.Errorf("from %q, dry %v: %v", from, dry, err)
			}
		}
	}
	a.Away("pg2")
	op.DryRun = false
	if _, err := FromMember(t.Context(), a.Site, FromOptions{Operation: op,
		From: "m2"}); !errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("from one that is away: %v", err)
	}
	a.On("pg3", sitetest.Lockable("pg3", "taken bob@desk since noon: start\n", nil))
	if _, err := FromMember(t.Context(), a.Site, FromOptions{Operation: op,
		From: "m1"}); !errors.Is(err, job.ErrLocked) {
		t.Errorf("beside somebody else: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FromMember(ctx, a.Site, FromOptions{Operation: op, From: "m1"}); err == nil {
		t.Error("it began after the end of its context")
	}
	if changed > 0 {
		t.Errorf("%d changes were told", changed)
	}
}
