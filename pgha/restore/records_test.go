package restore

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/status"
)

// keep writes a value of etcd.
func keep(t *testing.T, a *sitetest.Answering, key, text string) {
	t.Helper()
	o, err := a.EtcdOptions()
	if err == nil {
		err = etcd.Keep(t.Context(), o, key, text)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRecordsInEtcd goes on with, and takes back, what a real etcd says of a restore: records that
// are damaged, of another version, replaced and turned round.
func TestRecordsInEtcd(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t, "backup: {repository: [{type: host, host: pg3}]}")
	a.Etcd()
	b := Of(a.Site)
	planned := 0
	dry := engine.Operation{DryRun: true, Observer: func(e event.Event) {
		if e.Change != nil {
			planned++
		}
	}}
	whole := record(t, good("pg2"), 2)
	with := func(change func(*procedure.Record)) procedure.Record {
		r := whole
		change(&r)
		return r
	}
	for _, tt := range []struct {
		name        string
		looked, now procedure.Record
		planned     int
		says        string
	}{
		{"as it is", whole, whole, len(whole.Steps) - 2, ""},
		{"somebody went on", whole, with(func(r *procedure.Record) { r.Reached = 5 }),
			len(whole.Steps) - 5, ""},
		{"another one was begun", whole, with(func(r *procedure.Record) { r.Subject = "to 0/1" }), 0,
			"another change is half done: restore to 0/1"},
		{"of a version with more steps", with(func(r *procedure.Record) {
			r.Steps = append([]procedure.Outline{{Name: "new"}}, r.Steps...)
		}), with(func(r *procedure.Record) {
			r.Steps = append([]procedure.Outline{{Name: "new"}}, r.Steps...)
		}), 0, "this version of pgha makes"},
		{"by a host that left", with(func(r *procedure.Record) { r.Order = good("pg9").text() }),
			whole, 0, "pg9, which is no database host"},
		{"without an order", with(func(r *procedure.Record) { r.Order = json.RawMessage("null") }),
			whole, 0, "is damaged"},
	} {
		keep(t, a, a.ChangeKey(), tt.now.Text())
		planned = 0
		_, err := b.Continue(t.Context(), tt.looked, dry)
		if tt.says == "" && err != nil || tt.says != "" && (!errors.Is(err, errs.ErrRefused) ||
			!strings.Contains(err.Error(), tt.says)) || planned != tt.planned {
			t.Errorf("continue, %s: %d steps planned, %v", tt.name, planned, err)
		}
	}
	// Taking it back begins from its order; what another one turned round meanwhile is refused.
	keep(t, a, a.ChangeKey(), whole.Text())
	done, err := b.UndoChange(t.Context(), whole, dry)
	if err != nil || len(done.Steps) == 0 || strings.Contains(done.Steps[2].Name, "own") {
		t.Errorf("undo: %+v, %v", done, err)
	}
	late := with(func(r *procedure.Record) { r.Reached = len(r.Steps) - 1 })
	keep(t, a, a.ChangeKey(), late.Text())
	done, err = b.UndoChange(t.Context(), whole, dry) // it has led since it was looked at
	if err != nil || len(done.Steps) < 3 || !strings.Contains(done.Steps[2].Name, "of its own") {
		t.Errorf("undo of what has led meanwhile: %+v, %v", done, err)
	}
	keep(t, a, a.ChangeKey(), with(func(r *procedure.Record) { r.Undoing = true }).Text())
	if _, err = b.UndoChange(t.Context(), whole, dry); !errors.Is(err, errs.ErrRefused) ||
		!strings.Contains(err.Error(), "turned it round") {
		t.Errorf("undo of what is undone already: %v", err)
	}
	// Another restore does not begin beside it, nor beside a record that nobody can read.
	if _, err = b.Restore(t.Context(), Options{Operation: dry, To: "latest"}); !errors.Is(err,
		errs.ErrRefused) || !strings.Contains(err.Error(), "half done") {
		t.Errorf("a second restore: %v", err)
	}
	keep(t, a, a.ChangeKey(), `{"verb":"restore","steps":[],"reached":7}`)
	if _, err = b.Restore(t.Context(), Options{Operation: dry, To: "latest"}); err == nil ||
		!strings.Contains(err.Error(), "the record of a change cannot be read") {
		t.Errorf("beside a damaged record: %v", err)
	}
}

// TestKeptInEtcd: what the last restore kept is confirmed and taken back by its own order alone.
func TestKeptInEtcd(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t, "backup: {repository: [{type: host, host: pg3}]}")
	a.Etcd()
	b, dry := Of(a.Site), engine.Operation{DryRun: true}
	if err := b.Confirm(t.Context(), dry); !errors.Is(err, ErrNothingKept) {
		t.Errorf("confirm of nothing: %v", err)
	}
	if _, err := b.Undo(t.Context(), dry); !errors.Is(err, ErrNothingKept) {
		t.Errorf("undo of nothing: %v", err)
	}
	kept := func(o order) string {
		text, err := json.Marshal(status.KeptRestore{Target: "latest", Set: o.Set, By: "alice@desk",
			Since: time.Unix(0, 0), Directory: "/x", Order: o.text()})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	damaged := good("pg1")
	damaged.Mark = "" // it would delete, and exchange, directories of another name
	for name, text := range map[string]string{"not complete": kept(damaged),
		"of a host that left": kept(good("pg9")), "empty": "{}", "no JSON": "restored"} {
		keep(t, a, a.RestoreKey(), text)
		if err := b.Confirm(t.Context(), dry); err == nil || errors.Is(err, ErrNothingKept) {
			t.Errorf("confirm, %s: %v", name, err)
		}
		if _, err := b.Undo(t.Context(), dry); err == nil || errors.Is(err, ErrNothingKept) {
			t.Errorf("undo, %s: %v", name, err)
		}
	}
	keep(t, a, a.RestoreKey(), kept(good("pg1")))
	if _, err := b.Restore(t.Context(), Options{Operation: dry, To: "latest"}); !errors.Is(err,
		errs.ErrRefused) || !strings.Contains(errs.NextOf(err).String(), "confirm") {
		t.Errorf("a restore on top of one: %v", err)
	}
	a.Away("pg2")
	for name, err := range map[string]error{
		"confirm": b.Confirm(t.Context(), dry),
		"undo":    func() error { _, err := b.Undo(t.Context(), dry); return err }(),
	} {
		if !errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(), "pg2") {
			t.Errorf("%s while a host is away: %v", name, err)
		}
	}
}
