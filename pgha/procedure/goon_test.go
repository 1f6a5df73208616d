package procedure_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/procedure"
)

// TestGoOn: between the look at a record and the lock somebody else may have gone on with it,
// turned it round, or finished it and begun another one.
func TestGoOn(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 30, 12, 0, 0, 500, time.UTC)
	looked := procedure.Record{Verb: "restore", Subject: "to latest", Since: began, Reached: 1,
		Steps: []procedure.Outline{{Name: "one"}, {Name: "two"}, {Name: "three"}}}
	with := func(change func(*procedure.Record)) procedure.Record {
		r := looked
		change(&r)
		return r
	}
	back := func(r *procedure.Record) { r.Undoing, r.Reached, r.Steps = true, 0, nil }
	turned := with(func(r *procedure.Record) { r.Undoing, r.Reached = true, 2 })
	for name, tt := range map[string]struct {
		looked, now procedure.Record
		reached     int    // by then
		says        string // "" for no refusal
	}{
		"nobody did anything": {looked, looked, 1, ""},
		"it went on":          {looked, with(func(r *procedure.Record) { r.Reached = 3 }), 3, ""},
		"it is kept as JSON": {looked, with(func(r *procedure.Record) {
			r.Since = r.Since.In(time.FixedZone("there", 3600))
		}), 1, ""},
		"another verb": {looked, with(func(r *procedure.Record) { r.Verb = "host remove" }), 0,
			"another change is half done: host remove"},
		"another subject": {looked, with(func(r *procedure.Record) { r.Subject = "to 0/1" }), 0,
			"another change is half done"},
		"the same once more": {looked, with(func(r *procedure.Record) {
			r.Since = r.Since.Add(time.Nanosecond)
		}), 0, "another change is half done"},
		"it is taken back": {looked, turned, 0, "turned it round"},
		"other steps": {looked, with(func(r *procedure.Record) { r.Steps = r.Steps[:2] }), 0,
			"2 steps by now, and had 3"},
		"to be taken back": {with(back), looked, 0, ""},
		"to be taken back, went on": {with(back), with(func(r *procedure.Record) { r.Reached = 3 }),
			0, ""},
		"to be taken back, is so now": {with(back), turned, 0, "turned it round"},
		"the undoing went on": {turned, with(func(r *procedure.Record) {
			r.Undoing,
				r.Reached = true, 3
		}), 3, ""},
		"the undoing was turned": {turned, looked, 0, "turned it round"},
	} {
		r := tt.looked
		err := r.GoOn(tt.now)
		switch {
		case tt.says == "" && (err != nil || r.Reached != tt.reached):
			t.Errorf("%s: reached %d, %v", name, r.Reached, err)
		case tt.says != "" && (!errors.Is(err, errs.ErrRefused) ||
			!strings.Contains(err.Error(), tt.says) || r.Reached != tt.looked.Reached):
			t.Errorf("%s: reached %d, %v", name, r.Reached, err)
		}
	}
}

// TestRunOfADamagedRecord: what other steps were recorded for, and places that there are not, are
// refused before anything is done or written.
func TestRunOfADamagedRecord(t *testing.T) {
	t.Parallel()
	for _, reached := range []int{-1, 4, 1 << 30} {
		j := &journal{}
		r := procedure.Record{Verb: "x", Steps: procedure.Outlines(j.steps(0)), Reached: reached}
		if err := procedure.Run(t.Context(), &r, j.steps(0), j.keep, silent); !errors.Is(err,
			errs.ErrRefused) || len(j.did)+len(j.kept) > 0 {
			t.Errorf("reached %d: %v, did %v, kept %v", reached, err, j.did, j.kept)
		}
	}
	// All are done, and nobody has written that it is finished: nothing is done again.
	j := &journal{}
	r := procedure.Record{Verb: "x", Steps: procedure.Outlines(j.steps(0)), Reached: 3}
	if err := procedure.Run(t.Context(), &r, j.steps(0), j.keep, silent); err != nil ||
		len(j.did) > 0 {
		t.Errorf("%v, did %v", err, j.did)
	}
}

// TestKeepFailsInBetween: a step whose end cannot be written down counts as not done, and is done
// again.
func TestKeepFailsInBetween(t *testing.T) {
	t.Parallel()
	j := &journal{}
	r := procedure.Record{Verb: "x", Steps: procedure.Outlines(j.steps(0))}
	var written procedure.Record
	keep := func(ctx context.Context, now procedure.Record) error {
		if now.Reached == 2 {
			return errBroken
		}
		written = now
		return j.keep(ctx, now)
	}
	err := procedure.Run(t.Context(), &r, j.steps(0), keep, silent)
	if !errors.Is(err, errBroken) || !strings.HasPrefix(err.Error(), "step 2 of 3, s2: ") ||
		written.Reached != 1 {
		t.Fatalf("%v, written %d", err, written.Reached)
	}
	again, err := procedure.Parse(written.Text())
	if err != nil {
		t.Fatal(err)
	}
	if err := procedure.Run(t.Context(), &again, j.steps(0), j.keep, silent); err != nil ||
		strings.Join(j.did, " ") != "s1 s2 s2 s3" {
		t.Errorf("%v, did %v", err, j.did)
	}
}

// TestRecordOfALaterVersion: fields that nobody knows here are no damage, and what is cut off is.
func TestRecordOfALaterVersion(t *testing.T) {
	t.Parallel()
	text := procedure.Record{Verb: "restore", Steps: []procedure.Outline{{Name: "one"}}, Reached: 1,
		Order: json.RawMessage(`{}`)}.Text()
	later := strings.Replace(text, `"verb"`, `"approved":["bob"],"verb"`, 1)
	if r, err := procedure.Parse(later); err != nil || r.Verb != "restore" {
		t.Errorf("%+v, %v", r, err)
	}
	for i := range len(text) {
		if _, err := procedure.Parse(text[:i]); err == nil {
			t.Errorf("%q is a record", text[:i])
		}
	}
	if _, err := procedure.Parse(text + "}"); err == nil {
		t.Error("what follows it is no matter")
	}
	if s := (procedure.Record{Verb: "x"}).String(); !strings.Contains(s, "step 0 of 0") {
		t.Errorf("%q", s)
	}
}
