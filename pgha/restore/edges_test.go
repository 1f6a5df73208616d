package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestParseTargetAtTheEdges: what is nearly a moment is none, and what is one means one thing only.
func TestParseTargetAtTheEdges(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"FFFFFFFF/FFFFFFFF":                 "lsn FFFFFFFF/FFFFFFFF",
		"0/0":                               "lsn 0/0",
		" 1/a ":                             "lsn 1/A",
		"name:" + strings.Repeat("a", 63):   "name restore point " + strings.Repeat("a", 63),
		"name:latest":                       "name restore point latest",
		"name:0/1":                          "",
		"name:-x":                           "",
		"name:" + strings.Repeat("a", 64):   "",
		"name:a'b":                          "",
		"Latest":                            "",
		"100000000/0":                       "",
		"0/100000000":                       "",
		"0/":                                "",
		"/0":                                "",
		"0/1/2":                             "",
		"0":                                 "",
		"0s":                                "",
		"ago":                               "",
		"1ns ago":                           "time 2026-11-30T10:59:59.999999Z",
		"2562048h":                          "", // more than a duration can hold
		"2026-11-30T11:00:00Z":              "time 2026-11-30T11:00:00Z",
		"2026-11-30T11:00:00.000001Z":       "", // in the future by a microsecond
		"2026-02-29 10:00":                  "",
		"2026-11-30 24:00":                  "",
		"2026-11-30":                        "",
		"20261130-092951":                   "",
		"20261130-092951D":                  "",
		"20261130-092951F_20261130-101010F": "",
		"20261130-092951F; rm":              "",
		"--type=none":                       "",
	} {
		got, err := parseTarget(text, now)
		said := got.Kind + " " + got.String()
		if want == "" && !errors.Is(err, backup.ErrInvalid) || want != "" && (err != nil ||
			said != want) {
			t.Errorf("%q: %s, %v", text, said, err)
		}
	}
}

// TestTargetOverAChangeOfClocks: the hour that comes twice is told apart by its zone, and what
// pgBackRest is given is always in UTC.
func TestTargetOverAChangeOfClocks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-10-25 02:30:00+02:00": "--target=2026-10-25 00:30:00+00",
		"2026-10-25 02:30:00+01:00": "--target=2026-10-25 01:30:00+00",
		"2026-10-25 02:30:00+02":    "--target=2026-10-25 00:30:00+00",
		"2026-11-30 10:00:00.25":    "--target=2026-11-30 09:00:00.25+00",
	} {
		to, err := parseTarget(text, now)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if args := strings.Join(to.arguments(1, 1), " "); !strings.Contains(args, want) {
			t.Errorf("%s: %s, want %s", text, args, want)
		}
	}
}

// TestChooseBesideAGap: a recovery would end at a missing segment without a word, so what lies
// behind it is refused, and what lies before it is not.
func TestChooseBesideAGap(t *testing.T) {
	t.Parallel()
	// Segment 6 never came.
	gap := backup.Archive{Segments: append(segments(1, 1, 5), segments(1, 7, 12)...)}
	before, behind := set("a", 1, 2), set("b", 1, 8)
	for name, c := range map[string]struct {
		sets []backup.Set
		to   target
		want string // a label, or words of the refusal
	}{
		"the end, by the backup behind it": {[]backup.Set{before, behind}, target{Kind: kindLatest}, "b"},
		"the end, from before it": {[]backup.Set{before}, target{Kind: kindLatest},
			"segment " + segment(1, 6) + " is missing"},
		"a place before it": {[]backup.Set{before, behind},
			target{Kind: kindLSN, Value: "0/5FFFFFF"}, "a"},
		"a place in it": {[]backup.Set{before, behind},
			target{Kind: kindLSN, Value: "0/6000000"}, "cannot be reached"},
		"a place between it and the next backup": {[]backup.Set{before, behind},
			target{Kind: kindLSN, Value: "0/7000000"}, "nothing after " + at(6).Format(time.RFC3339)},
		"a place behind both": {[]backup.Set{before, behind},
			target{Kind: kindLSN, Value: "0/9000000"}, "b"},
		"a place that is none yet": {[]backup.Set{before, behind},
			target{Kind: kindLSN, Value: "FF/0"}, "b"},
		"a restore point may be before it": {[]backup.Set{before}, target{Kind: kindName, Value: "x"},
			"a"},
		"a label needs no log behind it": {[]backup.Set{before}, target{Kind: kindBackup,
			Value: "a"}, "a"},
	} {
		got, err := c.to.choose(c.sets, gap, "", 1)
		switch {
		case err == nil && got.Label != c.want:
			t.Errorf("%s: %q", name, got.Label)
		case err != nil && (!errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestChooseOfDamagedAnswers: backups without a place in the log lead nowhere, and an archive that
// has nothing ends with the backup.
func TestChooseOfDamagedAnswers(t *testing.T) {
	t.Parallel()
	whole := backup.Archive{Segments: segments(1, 1, 9)}
	broken := set("a", 1, 2)
	broken.FirstSegment, broken.LastSegment, broken.StopLSN = "", "", ""
	for _, to := range []target{{Kind: kindLatest}, {Kind: kindTime, Time: at(5)},
		{Kind: kindLSN, Value: "0/5000000"}} {
		if got, err := to.choose([]backup.Set{broken}, whole, "", 1); !errors.Is(err,
			errs.ErrRefused) {
			t.Errorf("%s by a backup without a place: %+v, %v", to, got, err)
		}
	}
	if got, err := (target{Kind: kindTime, Time: at(5)}).choose([]backup.Set{set("a", 1, 2)},
		backup.Archive{}, "", 1); err != nil || got.Label != "a" {
		t.Errorf("what will be archived yet: %+v, %v", got, err)
	}
}

// good is an order that can be gone on with.
func good(host string) order {
	return order{To: target{Kind: kindLatest, Value: "latest"}, Set: "20261130-092951F", Size: 1,
		Timeline: 1, Own: 1, Host: host, Before: "m1", Mark: "20261130-101010"}
}

// TestReadOrder: by an order directories are put aside and deleted, so one that is damaged or names
// a host that has left the specification is refused.
func TestReadOrder(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	with := func(change func(*order)) string {
		o := good("pg1")
		change(&o)
		return string(o.text())
	}
	for name, tt := range map[string]struct{ text, says string }{
		"good":              {with(func(*order) {}), ""},
		"nobody led":        {with(func(o *order) { o.Before = "" }), ""},
		"of before Own":     {with(func(o *order) { o.Own = 0 }), ""},
		"nothing":           {"", "read the record of it"},
		"cut off":           {`{"to":{"kind":"lat`, "read the record of it"},
		"null":              {"null", "damaged, or of another version"},
		"another verb's":    {`{"remove":[{"name":"pg1"}]}`, "damaged, or of another version"},
		"no mark":           {with(func(o *order) { o.Mark = "" }), "damaged"},
		"a mark that leads": {with(func(o *order) { o.Mark = "20261130-101010/../x" }), "damaged"},
		"no backup":         {with(func(o *order) { o.Set = "" }), "damaged"},
		"an option":         {with(func(o *order) { o.Set = "x --delta" }), "damaged"},
		"a kind of later":   {with(func(o *order) { o.To.Kind = "xid" }), "damaged"},
		"a host that left":  {with(func(o *order) { o.Host = "pg9" }), "pg9, which is no database host"},
		"a balancer":        {with(func(o *order) { o.Host = "lb1" }), "lb1, which is no database host"},
		"no host":           {with(func(o *order) { o.Host = "" }), "which is no database host"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readOrder(json.RawMessage(tt.text), "it", sp)
			testkit.CheckSays(t, err, tt.says)
			if strings.Contains(tt.says, "record of it") == errors.Is(err, errs.ErrRefused) &&
				tt.says != "" {
				t.Errorf("%v", err)
			}
		})
	}
}

// record is a restore that has come so far.
func record(t *testing.T, o order, reached int) procedure.Record {
	t.Helper()
	w := &work{Job: &job.Job{Site: sitetest.New(t)}, order: o}
	w.build()
	return procedure.Record{Verb: verbRestore, Subject: "to latest", By: "alice@desk",
		Since: time.Date(2026, 11, 30, 10, 10, 10, 0, time.UTC), Steps: procedure.Outlines(w.steps),
		Reached: reached, Order: o.text()}
}

// TestSteps: where nobody led there is nothing to archive first, and what was restored gets a
// timeline of its own only once it has led. Nothing of an undoing can be taken back.
func TestSteps(t *testing.T) {
	t.Parallel()
	o := good("pg2")
	led := len(record(t, o, 0).Steps)
	o.Before = ""
	if n := len(record(t, o, 0).Steps); n != led-1 {
		t.Errorf("%d steps where nobody led, %d where somebody did", n, led)
	}
	for _, s := range record(t, o, 0).Steps {
		if s.Back == "" {
			t.Errorf("%q cannot be taken back", s.Name)
		}
	}
	for _, has := range []bool{false, true} {
		o.Led = has
		w := &work{Job: &job.Job{Site: sitetest.New(t)}, order: o}
		w.buildUndo()
		own := 0
		for _, s := range w.steps {
			if s.Back != "" {
				t.Errorf("%q of an undoing has a way back", s.Name)
			}
			if strings.Contains(s.Name, "timeline of its own") {
				own++
			}
		}
		if own == 1 != has {
			t.Errorf("led %v: %d steps for a timeline", has, own)
		}
	}
}

// TestLed: what was restored counts as having led from the moment on at which it may have.
func TestLed(t *testing.T) {
	t.Parallel()
	o := good("pg2")
	steps := record(t, o, 0).Steps
	lead := 0
	for i, s := range steps {
		if s.Name == leadStep("pg2") {
			lead = i
		}
	}
	for reached := range len(steps) + 1 {
		if got := o.led(record(t, o, reached)); got != (reached >= lead) {
			t.Errorf("%d of %d done, it leads in step %d: %v", reached, len(steps), lead+1, got)
		}
	}
	// Steps with other names, of another version: it may have led.
	r := record(t, o, 0)
	r.Steps = []procedure.Outline{{Name: "other"}}
	if !o.led(r) {
		t.Error("a record with other steps counts as one that has not led")
	}
}

// TestReachable: a member that is out of reach would come back with its data of before; a balancer
// has none.
func TestReachable(t *testing.T) {
	t.Parallel()
	w := &work{Job: &job.Job{Site: sitetest.New(t)}, order: good("pg2")}
	w.Unreachable = map[string]error{"pg3": remote.OnHost("pg3", remote.ErrUnreachable)}
	if err := w.reachable(); !errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(),
		"pg3") {
		t.Errorf("a host that is away: %v", err)
	}
	w.Unreachable = map[string]error{"lb1": remote.OnHost("lb1", remote.ErrUnreachable)}
	if err := w.reachable(); err != nil {
		t.Errorf("a balancer that is away: %v", err)
	}
}

// roomy answers move.sh's look on every database host.
func roomy(t *testing.T, answers map[string]string) *work {
	t.Helper()
	c, fakes := sitetest.HeldHosts(t)
	for host, text := range answers {
		cmd := remote.Cmd{Script: moveScript, Argv: []string{"look", c.Spec.PostgreSQL.DataDir}}
		var err error
		if text == "!" {
			text, err = "", remote.ErrUnreachable
		}
		fakes[host].On(cmd.String(), remote.Result{Stdout: []byte(text)}, err)
	}
	w := &work{Job: &job.Job{Site: c, Out: &event.Emitter{Log: slog.New(slog.DiscardHandler)}}}
	w.Size = 100 << 20
	return w
}

// TestRoom: each host needs 5 % more than the copy, and what cannot be renamed is refused; an
// answer that says nothing is no room.
func TestRoom(t *testing.T) {
	t.Parallel()
	enough := fmt.Sprint(105 << 20)
	for name, tt := range map[string]struct {
		first string // what pg1 says
		says  string
	}{
		"just enough":          {enough + " here 0\n", ""},
		"a byte less":          {fmt.Sprint(105<<20-1) + " here 0\n", "pg1 has 104 MB free"},
		"with the data's size": {"77 " + enough + " here 0\n", ""},
		"a mount":              {enough + " apart 0\n", "is a mount or a link"},
		"tablespaces":          {enough + " here 2\n", "tablespaces outside"},
		"nothing":              {"\n", "it says nothing of"},
		"half an answer":       {enough + " here\n", "it says nothing of"},
		"words":                {"no such file\n", "look for room beside"},
		"it does not answer":   {"!", "unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := map[string]string{"pg1": tt.first}
			if !strings.Contains(tt.says, "says nothing") && tt.says != "unreachable" &&
				!strings.Contains(tt.says, "look for") {
				answers["pg2"], answers["pg3"] = enough+" here 0\n", enough+" here 0\n"
			}
			testkit.CheckSays(t, roomy(t, answers).room(t.Context()), tt.says)
		})
	}
	// All reasons at once, in the order of the hosts.
	err := roomy(t, map[string]string{"pg1": "0 here 0", "pg2": enough + " apart 0",
		"pg3": enough + " here 1"}).room(t.Context())
	if !errors.Is(err, errs.ErrRefused) || strings.Count(err.Error(), "pg") < 3 {
		t.Errorf("%v", err)
	}
}

// TestVerbsRefuseBadTargets: a moment that is none is refused before any host is asked anything.
func TestVerbsRefuseBadTargets(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t)
	b := Of(c)
	for _, to := range []string{"", "yesterday", "2030-01-01 00:00", "0/G", "name:"} {
		if _, err := b.Restore(t.Context(), Options{To: to}); !errors.Is(err, backup.ErrInvalid) {
			t.Errorf("restore to %q: %v", to, err)
		}
		err := b.Look(t.Context(), Options{To: to}, func(context.Context, Sight) error {
			t.Errorf("%q was opened", to)
			return nil
		})
		if !errors.Is(err, backup.ErrInvalid) {
			t.Errorf("look at %q: %v", to, err)
		}
	}
	if _, err := b.Take(t.Context(), TakeOptions{Type: "hourly"}); !errors.Is(err, backup.ErrInvalid) {
		t.Errorf("a type that is none: %v", err)
	}
}

// TestVerbsWithoutBackups: a specification that says nothing of backups is told so by every verb,
// also in a dry run, and the remedy is named.
func TestVerbsWithoutBackups(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	a.Away("lb1", "lb2", "pg1", "pg2", "pg3")
	b, op := Of(a.Site), engine.Operation{DryRun: true}
	for verb, do := range map[string]func() error{
		"list":   func() error { _, err := b.List(t.Context()); return err },
		"take":   func() error { _, err := b.Take(t.Context(), TakeOptions{Operation: op}); return err },
		"check":  func() error { return b.Check(t.Context(), op) },
		"expire": func() error { return b.Expire(t.Context(), op) },
		"drill":  func() error { _, err := b.Prove(t.Context(), op); return err },
		"look": func() error {
			return b.Look(t.Context(), Options{Operation: op, To: "latest"},
				func(context.Context, Sight) error { return nil })
		},
	} {
		if err := do(); !errors.Is(err, ErrNone) || errs.NextOf(err).String() == "" {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

// TestSourceBeginsOnNothing: a source whose moment is none stops the phase before a host is asked.
func TestSourceBeginsOnNothing(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t)
	r := &job.Job{Site: c, Out: &event.Emitter{Log: slog.New(slog.DiscardHandler)}}
	from := Source{BootstrapFrom: spec.BootstrapFrom{Cluster: "shop", To: "soon"}}
	if err := from.fill(t.Context(), r); !errors.Is(err, backup.ErrInvalid) {
		t.Errorf("%v", err)
	}
	from.To = "latest"
	if err := from.fill(t.Context(), r); !errors.Is(err, ErrNone) {
		t.Errorf("without backups: %v", err)
	}
	from.Repository, from.KeyFile = &spec.BackupRepository{}, "/nowhere/key"
	if err := from.fill(t.Context(), r); err == nil || !strings.Contains(err.Error(),
		"read the key of the backups") {
		t.Errorf("without the key: %v", err)
	}
}
