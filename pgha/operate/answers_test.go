package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/patroni"
)

// fake is a cluster of which m1 leads and m2 and m3 stream. answers override a call of a member's
// API, "m1 GET /cluster" or "GET /cluster" of all; asked are the calls that change something.
type fake struct {
	*sitetest.Answering
	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   []string
	events  []event.Event
	slots   map[string][][]any // by member
	primary func(statement string) ([][]any, error)
}

func newFake(t *testing.T, more ...string) *fake {
	t.Helper()
	f := &fake{Answering: sitetest.NewAnswering(t, more...), answers: map[string]http.HandlerFunc{},
		slots: map[string][][]any{}}
	for _, h := range f.Spec.Databases() {
		f.REST(h.Name, func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, h.Member) })
		f.SQL(h.Name, func(statement string) ([][]any, error) {
			if strings.Contains(statement, "pg_replication_slots") {
				return f.slots[h.Member], nil
			}
			return nil, nil
		})
	}
	f.Writes(func(statement string) ([][]any, error) {
		if f.primary != nil {
			return f.primary(statement)
		}
		return nil, nil
	})
	return f
}

// apartEtcd is a host of etcd's own, so that one member is all of it.
const apartEtcd = "  - {name: e1, address: 192.0.2.21, role: etcd}"

// withEtcd also has an etcd that answers.
func withEtcd(t *testing.T) *fake {
	t.Helper()
	f := newFake(t, apartEtcd)
	f.Etcd()
	return f
}

// fresh forgets what a test has prepared and seen.
func (f *fake) fresh() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.answers)
	clear(f.slots)
	f.asked, f.events, f.primary = nil, nil, nil
}

// op is an operation whose events the fake keeps.
func (f *fake) op(dry bool) engine.Operation {
	return engine.Operation{DryRun: dry, Observer: func(e event.Event) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events = append(f.events, e)
	}}
}

// told are the events of a kind: what changes, or what is said.
func (f *fake) told(kind event.EventKind) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, e := range f.events {
		if e.Kind == kind && e.Change != nil {
			all = append(all, e.Change.String())
		} else if e.Kind == kind {
			all = append(all, e.Message)
		}
	}
	return strings.Join(all, "\n")
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request, member string) {
	f.mu.Lock()
	call := r.Method + " " + r.URL.Path
	if r.Method != http.MethodGet {
		f.asked = append(f.asked, member+" "+call)
	}
	answer := f.answers[member+" "+call]
	if answer == nil {
		answer = f.answers[call]
	}
	f.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	switch call {
	case "GET /cluster":
		_ = json.NewEncoder(w).Encode(map[string]any{"scope": "demo", "members": []any{
			f.row("m1"), f.row("m2"), f.row("m3")}})
	case "GET /patroni":
		_ = json.NewEncoder(w).Encode(f.node(member))
	case "GET /config":
		_, _ = io.WriteString(w, `{"ttl":30,"loop_wait":10}`)
	case "GET /history":
		_, _ = io.WriteString(w, "[]")
	case "GET /primary", "GET /replica", "GET /health":
		if (call == "GET /primary") != (member == "m1") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

func (f *fake) row(member string) map[string]any {
	row := map[string]any{"name": member, "role": "replica", "state": "streaming", "timeline": 4,
		"lag": 0}
	if member == "m1" {
		row["role"], row["state"] = "leader", "running"
	}
	return row
}

func (f *fake) node(member string) map[string]any {
	node := map[string]any{"state": "running", "role": "replica", "timeline": 4,
		"dcs_last_seen": time.Now().Unix(), "postmaster_start_time": "2026-11-23 10:00:00.0+00:00",
		"patroni": map[string]any{"name": member, "version": "4.1.5"},
		"xlog":    map[string]any{"received_location": 1000, "replayed_location": 1000}}
	if member == "m1" {
		node["role"], node["xlog"] = "primary", map[string]any{"location": 1000}
		node["replication"] = []any{
			map[string]any{"application_name": "m2", "state": "streaming", "sync_state": "async"},
			map[string]any{"application_name": "m3", "state": "streaming", "sync_state": "async"}}
	} else {
		node["replication_state"] = "streaming"
	}
	return node
}

// says answers with a code and a text.
func says(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

// slot1 is a row of slotsSQL: a logical slot of nobody's, or one that is copied.
func slot1(name string, failover, synced bool, xmin int64) []any {
	return []any{name, true, "app", "pgoutput", false, failover, synced, true, xmin}
}

// everything are the verbs that act on members, without one that looks past Patroni first.
func everything(f *fake, op engine.Operation) map[string]func(context.Context) error {
	all := verbs(f.Site, "m2", op)
	all["pause"] = func(ctx context.Context) error {
		_, err := Pause(ctx, f.Site, PauseOptions{Operation: op})
		return err
	}
	all["resume"] = func(ctx context.Context) error {
		_, err := Resume(ctx, f.Site, PauseOptions{Operation: op})
		return err
	}
	all["sync"] = func(ctx context.Context) error {
		_, err := SetSynchronous(ctx, f.Site, SynchronousOptions{Operation: op,
			Mode: patroni.SynchronousOn})
		return err
	}
	all["cancel switchover"] = func(ctx context.Context) error {
		_, err := CancelSwitchover(ctx, f.Site, op)
		return err
	}
	return all
}

// TestVerbsOnGarbage: where Patroni answers what no Patroni says, or nothing in time, every verb
// ends with an error, has asked for no change, and reports none.
func TestVerbsOnGarbage(t *testing.T) {
	t.Parallel()
	f := withEtcd(t)
	for name, answer := range map[string]http.HandlerFunc{
		"HTML":               says(200, "<html><body>It works!</body></html>"),
		"nothing":            says(200, ""),
		"null":               says(200, "null"),
		"a list":             says(200, "[]"),
		"cut off":            says(200, `{"members": [{"name": "m1", "role": "lea`),
		"members of a word":  says(200, `{"members": "m1", "scope": "demo"}`),
		"a number as a name": says(200, `{"members": [{"name": 1, "role": 2}], "scope": "demo"}`),
		"503":                says(503, `{"state": "running"}`),
		"500":                says(500, "Traceback (most recent call last)"),
		"no members":         says(200, `{"members": [], "scope": "demo"}`),
		"strangers": says(200, `{"members": [{"name": "x", "role": "leader", "state": "running"}], `+
			`"scope": "other"}`),
		"it hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		f.fresh()
		for _, call := range []string{"GET /cluster", "GET /patroni", "GET /config"} {
			f.answers[call] = answer
		}
		all := everything(f, f.op(true))
		if slices.Contains([]string{"members of a word", "a number as a name", "no members",
			"strangers"}, name) { // a cluster without members can be paused
			delete(all, "pause")
			delete(all, "resume")
		}
		for verb, do := range all {
			if name != "HTML" && name != "503" && !slices.Contains([]string{"switchover", "pause",
				"sync"}, verb) {
				continue // all read what these read
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			err := do(ctx)
			cancel()
			if err == nil {
				t.Errorf("%s: %s went on", name, verb)
			}
		}
		if len(f.asked) > 0 || f.told(event.Changed) != "" {
			t.Errorf("%s: asked for %v, told of %s", name, f.asked, f.told(event.Changed))
		}
	}
}

// TestSwitchoverRehearsed: a dry run on a cluster that is well tells the candidate, and each thing
// that speaks against it refuses it, or with force is a warning.
func TestSwitchoverRehearsed(t *testing.T) {
	t.Parallel()
	f := withEtcd(t)
	session := func(part, text string) func(string) ([][]any, error) {
		return func(statement string) ([][]any, error) {
			if strings.Contains(statement, part) {
				return [][]any{{text}}, nil
			}
			return nil, nil
		}
	}
	for name, tt := range map[string]struct {
		prepare func(*fake)
		says    string // of the refusal; "" for none
		always  bool   // with force, too
	}{
		"nothing": {func(*fake) {}, "", false},
		"an archiver that fails": {func(f *fake) {
			f.primary = session("last_failed_wal", "archiving of 00000001 fails")
		}, "archiving of 00000001 fails", false},
		"a long transaction": {func(f *fake) {
			f.primary = session("pg_stat_activity", "a transaction of app (x, pid 7) runs for 00:02:00")
		}, "pid 7", false},
		"a base backup and an archiver": {func(f *fake) {
			f.primary = func(statement string) ([][]any, error) {
				return [][]any{{"reason of " + strings.Fields(statement)[1][:6]}}, nil
			}
		}, "; reason of", false},
		"the primary answers with an error": {func(f *fake) {
			f.primary = func(string) ([][]any, error) {
				return nil, &pgconn.PgError{Severity: "ERROR", Code: "53300", Message: "too many clients"}
			}
		}, "too many clients", true},
		"a slot of nobody's": {func(f *fake) {
			f.slots["m1"] = [][]any{slot1("cdc", false, false, 5)}
		}, "slot cdc is on m1 alone", false},
		"a copy that is not there": {func(f *fake) {
			f.slots["m1"] = [][]any{slot1("cdc", true, false, 5)}
		}, "slot cdc is not copied to m2", false},
		"a copy": {func(f *fake) {
			f.slots["m1"] = [][]any{slot1("cdc", true, false, 5)}
			f.slots["m2"] = [][]any{slot1("cdc", true, true, 5)}
		}, "", false},
		"a cluster's configuration that is none": {func(f *fake) {
			f.answers["GET /config"] = says(200, "ttl: 30")
		}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, force := range []bool{false, true} {
				f.fresh()
				tt.prepare(f)
				result, err := Switchover(t.Context(), f.Site, SwitchoverOptions{Operation: f.op(true),
					To: "pg2", Force: force})
				broken := tt.always && tt.says == ""
				refused := tt.says != "" && (!force || tt.always) || broken
				switch {
				case refused != (err != nil):
					t.Errorf("forced %v: %v", force, err)
				case refused && !strings.Contains(err.Error(), tt.says):
					t.Errorf("forced %v: %v, want %q", force, err, tt.says)
				case refused && !tt.always && (!errors.Is(err, errs.ErrRefused) ||
					!strings.Contains(errs.NextOf(err).String(), "--force")):
					t.Errorf("forced %v: %v", force, err)
				case !refused && (result.NewLeader != "m2" || result.OldLeader != "m1"):
					t.Errorf("forced %v: %+v", force, result)
				case force && !tt.always && !strings.Contains(f.told(event.Warning), tt.says):
					t.Errorf("forced, and warned of %q alone", f.told(event.Warning))
				}
				if len(f.asked) > 0 {
					t.Errorf("a dry run asked for %v", f.asked)
				}
			}
		})
	}
}

// TestSwitchoverOfAHalfDeadCluster: with a member down nobody could take over while the former
// leader restarts, so it is refused before a checkpoint is written.
func TestSwitchoverOfAHalfDeadCluster(t *testing.T) {
	t.Parallel()
	f := withEtcd(t)
	f.answers["GET /cluster"] = func(w http.ResponseWriter, _ *http.Request) {
		gone := f.row("m3")
		gone["state"], gone["lag"] = "stopped", "unknown"
		_ = json.NewEncoder(w).Encode(map[string]any{"scope": "demo",
			"members": []any{f.row("m1"), f.row("m2"), gone}})
	}
	f.answers["m3 GET /patroni"] = says(503, `{"state": "stopped", "role": "replica", `+
		`"patroni": {"name": "m3", "version": "4.1.5"}}`)
	f.answers["m3 GET /replica"] = says(503, "")
	f.answers["m3 GET /health"] = says(503, "")
	_, err := Switchover(t.Context(), f.Site, SwitchoverOptions{Operation: f.op(true), To: "m2"})
	if !errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(),
		"no other healthy member") {
		t.Errorf("%v", err)
	}
	if _, err := Switchover(t.Context(), f.Site, SwitchoverOptions{Operation: f.op(true),
		To: "m3"}); !errors.Is(err, patroni.ErrNoCandidate) {
		t.Errorf("to the one that is down: %v", err)
	}
	if _, err := Switchover(t.Context(), f.Site, SwitchoverOptions{Operation: f.op(true),
		To: "m1"}); err == nil {
		t.Errorf("to the leader: %v", err)
	}
	if f.told(event.Changed) != "" {
		t.Errorf("told of %s", f.told(event.Changed))
	}
}

// TestMembersThatAnswerDifferently: one member whose API is broken does not keep the others from
// being used, whichever it is.
func TestMembersThatAnswerDifferently(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for _, broken := range []string{"m1", "m2", "m3"} {
		f.fresh()
		f.answers[broken+" GET /cluster"] = says(502, "<html>Bad Gateway</html>")
		result, err := Pause(t.Context(), f.Site, PauseOptions{Operation: f.op(true)})
		if err != nil || f.told(event.Changed) == "" {
			t.Errorf("without %s: %+v, %v", broken, result, err)
		}
	}
}

// TestReinitializeRefuses a copy after which nothing would be left, and options that exclude each
// other.
func TestReinitializeRefuses(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for name, tt := range map[string]struct {
		opts ReinitializeOptions
		want error
	}{
		"two sources": {ReinitializeOptions{Member: "m2", FromBackup: true, FromLeader: true},
			patroni.ErrInvalid},
		"without backups": {ReinitializeOptions{Member: "m2", FromBackup: true}, nil},
		"the leader":      {ReinitializeOptions{Member: "m1"}, nil},
		"a forced leader": {ReinitializeOptions{Member: "pg1", Force: true}, nil},
	} {
		tt.opts.Operation = f.op(true)
		if _, err := Reinitialize(t.Context(), f.Site, tt.opts); err == nil || tt.want != nil &&
			!errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The last copy but the leader's is only deleted with force.
	f.answers["GET /cluster"] = func(w http.ResponseWriter, _ *http.Request) {
		gone := f.row("m3")
		gone["state"], gone["lag"] = "start failed", "unknown"
		_ = json.NewEncoder(w).Encode(map[string]any{"scope": "demo",
			"members": []any{f.row("m1"), f.row("m2"), gone}})
	}
	for _, force := range []bool{false, true} {
		_, err := Reinitialize(t.Context(), f.Site, ReinitializeOptions{Operation: f.op(true),
			Member: "m2", Force: force})
		if (err == nil) != force {
			t.Errorf("forced %v: %v", force, err)
		}
	}
	if len(f.asked) > 0 {
		t.Errorf("asked for %v", f.asked)
	}
}

// TestLostSlotsAreTold: only what is known of the new leader before the failover is told.
func TestLostSlotsAreTold(t *testing.T) {
	t.Parallel()
	f := &fake{Answering: &sitetest.Answering{Site: sitetest.New(t)}}
	usable := slot{Name: "cdc", Usable: true}
	for name, tt := range map[string]struct {
		permanent []string
		before    map[string][]slot
		says      string
	}{
		"nothing is kept":  {nil, map[string][]slot{"m2": nil}, ""},
		"it was not asked": {[]string{"cdc"}, map[string][]slot{"m1": {usable}}, ""},
		"it had a copy":    {[]string{"cdc"}, map[string][]slot{"m2": {usable}}, ""},
		"it had none": {[]string{"cdc"}, map[string][]slot{"m2": nil},
			"m2 had no copy of the replication slot cdc"},
		"its copy was lost":     {[]string{"cdc"}, map[string][]slot{"m2": {{Name: "cdc"}}}, "slot cdc"},
		"it had one of the two": {[]string{"a", "cdc"}, map[string][]slot{"m2": {usable}}, "slot a:"},
	} {
		f.fresh()
		tellLostSlots(&job.Job{Site: f.Site, Out: &event.Emitter{Log: slog.New(slog.DiscardHandler),
			Observer: f.op(false).Observer}}, tt.permanent, tt.before, "m2")
		if got := f.told(event.Warning); (got == "") != (tt.says == "") ||
			!strings.Contains(got, tt.says) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestPermanentSlots reads them from each of the names that Patroni has had for them; a section
// that is none is no list.
func TestPermanentSlots(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	po, err := f.PatroniOptions()
	if err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{
		`{}`:                              "",
		`{"slots": null}`:                 "",
		`{"slots": ["cdc"]}`:              "",
		`{"slots": {"b": {}, "a": null}}`: "a b",
		`{"permanent_slots": {"a": {}}}`:  "a",
		`{"permanent_slots": {}, "slots": {"b": {}}}`:                    "b",
		`{"permanent_replication_slots": {"c": {}}, "slots": {"b": {}}}`: "c",
	} {
		f.answers["GET /config"] = says(200, config)
		got, err := permanentSlots(t.Context(), po)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, %v", config, got, err)
		}
	}
}

// TestSlotsOfAll: a member that does not answer, or answers what is no list, has no entry; that it
// has none is another thing than that it was not asked.
func TestSlotsOfAll(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.slots["m1"] = [][]any{slot1("cdc", true, true, 7)}
	f.slots["m2"] = [][]any{{"cdc", true}}
	f.Away("pg3")
	all := slotsOfAll(t.Context(), f.Site)
	one, known := all["m1"]
	if _, odd := all["m2"]; !known || odd || len(all) != 1 || len(one) != 1 ||
		one[0].CatalogXmin != 7 || !one[0].Synced || one[0].Database != "app" {
		t.Errorf("%+v", all)
	}
	f.slots["m2"] = nil
	if none, known := slotsOfAll(t.Context(), f.Site)["m2"]; !known || len(none) > 0 {
		t.Errorf("a member without slots: %v, %v", none, known)
	}
}

// TestCandidates: a switchover without a target may end at any member that is well and not tagged
// otherwise, and refuses for the slots of each.
func TestCandidates(t *testing.T) {
	t.Parallel()
	member := func(name, state string, tags map[string]any) patroni.MemberState {
		lag := int64(0)
		return patroni.MemberState{Name: name, Role: "replica", State: state, Timeline: 4,
			LagBytes: &lag, Tags: tags}
	}
	leader := patroni.MemberState{Name: "m1", Role: patroni.RoleLeader, State: "running", Timeline: 4}
	planned := patroni.SwitchoverResult{OldLeader: "m1", NewLeader: "m2"}
	planned.Before.Members = []patroni.MemberState{leader, member("m2", "streaming", nil),
		member("m3", "streaming", nil), member("m4", "stopped", nil),
		member("m5", "streaming", map[string]any{"nofailover": true}),
		member("m6", "streaming", map[string]any{"failover_priority": 0})}
	if got := candidates(planned, ""); !slices.Equal(got, []string{"m2", "m3"}) {
		t.Errorf("%v", got)
	}
	if got := candidates(planned, "m4"); !slices.Equal(got, []string{"m4"}) {
		t.Errorf("one that was asked for: %v", got)
	}
}

// TestSlotsKeep compares transactions around the point where their numbers come round.
func TestSlotsKeep(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		own, other int64
		keeps      bool
	}{
		{5, 5, true}, {4, 5, true}, {6, 5, false}, {0, 5, false}, {5, 0, false},
		{4294967295, 3, true}, {3, 4294967295, false}, {1, 1<<31 + 1, true}, {1, 1<<31 + 2, false},
	} {
		if got := (slot{CatalogXmin: tt.own}).keeps(slot{CatalogXmin: tt.other}); got != tt.keeps {
			t.Errorf("%d keeps %d: %v", tt.own, tt.other, got)
		}
	}
}

// TestProveSynchronous: the proof is the leader's own view, and one that it does not have is an
// error though the mode is set.
func TestProveSynchronous(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for name, tt := range map[string]struct {
		commit   string
		replicas [][]any
		refuses  string // the statement that fails
		nodes    int
		says     string
		notes    int
	}{
		"one waits":           {"on", [][]any{{"m2", "sync"}, {"m3", "potential"}}, "", 1, "", 0},
		"a quorum":            {"on", [][]any{{"m2", "quorum"}, {"m3", "quorum"}}, "", 2, "", 0},
		"nobody waits":        {"on", [][]any{{"m2", "async"}}, "", 1, "waits for 0 replicas, not 1", 0},
		"nobody streams":      {"on", nil, "", 1, "waits for 0 replicas, not 1", 0},
		"commits do not wait": {"local", [][]any{{"m2", "sync"}}, "", 1, "", 1},
		"too few": {"remote_apply", [][]any{{"m2", "sync"}}, "", 2,
			"waits for 1 replicas, not 2", 0},
		"no commit":          {"on", nil, "pg_logical_emit_message", 1, "prove that commits work", 0},
		"no answer after it": {"on", nil, "pg_stat_replication", 1, "prove that commits work", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f.primary = func(statement string) ([][]any, error) {
				switch {
				case tt.refuses != "" && strings.Contains(statement, tt.refuses):
					return nil, fmt.Errorf("canceling statement")
				case strings.Contains(statement, "pg_logical_emit_message"):
					return [][]any{{"0/1"}}, nil
				case strings.HasPrefix(statement, "SHOW"):
					return [][]any{{tt.commit}}, nil
				case strings.Contains(statement, "pg_stat_replication"):
					return tt.replicas, nil
				}
				return nil, nil
			}
			result := SynchronousResult{}
			result.Mode, result.Nodes = patroni.SynchronousOn, tt.nodes
			r := &job.Job{Site: f.Site, Out: &event.Emitter{Log: f.Log}}
			err := proveSynchronous(t.Context(), r, &result)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) ||
				len(result.Notes) != tt.notes {
				t.Errorf("%v, notes %v", err, result.Notes)
			}
		})
	}
}
