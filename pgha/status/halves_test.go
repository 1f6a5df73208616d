package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
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

// member answers as the Patroni of a cluster of which m1 leads; the others stream.
func member(a *sitetest.Answering, host, cluster string) {
	h, _ := a.Spec.Host(host)
	leads := h.Member == "m1"
	a.REST(host, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cluster":
			_, _ = io.WriteString(w, cluster)
		case "/primary", "/replica", "/read-only", "/health":
			if leads != (r.URL.Path == "/primary") {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		default:
			_, _ = io.WriteString(w, `{"state":"running","role":"replica","timeline":4,`+
				`"patroni":{"name":"`+h.Member+`","version":"4.1.5"}}`)
		}
	})
}

const wholeCluster = `{"scope":"demo","members":[
{"name":"m1","role":"leader","state":"running","timeline":4},
{"name":"m2","role":"replica","state":"streaming","timeline":4,"lag":0},
{"name":"m3","role":"replica","state":"streaming","timeline":4,"lag":"unknown"}]}`

// TestLookAtHalves: whatever part of a cluster answers, and whatever it says, the status is one,
// names what does not answer, and calls nothing healthy that has not said so.
func TestLookAtHalves(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	for name, tt := range map[string]struct {
		prepare func(*sitetest.Answering)
		healthy []string // members
		says    []string // of the problems
	}{
		"hosts without servers": {func(*sitetest.Answering) {}, nil, []string{"m1", "m2", "m3"}},
		"one Patroni of three": {func(a *sitetest.Answering) { member(a, "pg2", wholeCluster) },
			[]string{"m2"}, []string{"m1", "m3"}},
		"the leader's alone": {func(a *sitetest.Answering) { member(a, "pg1", wholeCluster) },
			[]string{"m1"}, []string{"m2", "m3"}},
		"all": {func(a *sitetest.Answering) {
			for _, h := range a.Spec.Databases() {
				member(a, h.Name, wholeCluster)
			}
		}, []string{"m1", "m2", "m3"}, []string{"etcd"}},
		"garbage": {func(a *sitetest.Answering) {
			for _, h := range a.Spec.Databases() {
				member(a, h.Name, "<html>")
			}
		}, nil, []string{"m1", "m2", "m3"}},
		"another leader than theirs": {func(a *sitetest.Answering) {
			for _, h := range a.Spec.Databases() {
				member(a, h.Name, strings.ReplaceAll(wholeCluster, "m1", "m9"))
			}
		}, []string{"m2", "m3"}, []string{"m1", "m9"}},
		"of another timeline": {func(a *sitetest.Answering) {
			for _, h := range a.Spec.Databases() {
				member(a, h.Name, strings.Replace(wholeCluster, `"streaming","timeline":4`,
					`"streaming","timeline":3`, 1))
			}
		}, []string{"m1", "m3"}, []string{"m2"}},
	} {
		t.Run(name, func(t *testing.T) {
			a.Silence()
			tt.prepare(a)
			s, err := status.Look(t.Context(), a.Site)
			if err != nil {
				t.Fatal(err)
			}
			var healthy []string
			for _, m := range s.Members {
				if m.Healthy {
					healthy = append(healthy, m.Name)
				} else if m.Role != "" && m.Fault == "" {
					t.Errorf("%s is not healthy, and nobody says why", m.Name)
				}
			}
			slices.Sort(healthy)
			if !slices.Equal(healthy, tt.healthy) {
				t.Errorf("healthy are %v", healthy)
			}
			problems := strings.Join(s.Problems(), "\n")
			for _, want := range tt.says {
				if !strings.Contains(problems, want) {
					t.Errorf("nothing of %s:\n%s", want, problems)
				}
			}
			if s.NoWrites == "" {
				t.Error("applications can write, and nobody answers them")
			}
			if _, err := json.Marshal(s); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLookAtNothing: a cluster of which no host can be reached has a status, too.
func TestLookAtNothing(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	a.Away("lb1", "lb2", "pg1", "pg2", "pg3")
	s, err := status.Look(t.Context(), a.Site)
	if err != nil || len(s.Members) != 3 || len(s.Unreachable) != 5 || s.NoWrites == "" ||
		!strings.Contains(strings.Join(s.Problems(), "\n"), "unreachable") {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestLookIsCancelled: half of the answers of a look that was cut short are no status.
func TestLookIsCancelled(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := status.Look(ctx, a.Site); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := status.Settled(ctx, a.Site); !errors.Is(err, context.Canceled) {
		t.Errorf("settled: %v", err)
	}
}

// TestRecordsOfEtcd: a change that is half done, a restore that is kept and hosts of before are
// told as etcd has them, and damaged ones as damaged, by every one who asks.
func TestRecordsOfEtcd(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t, "backup: {repository: [{type: host, host: pg3}]}")
	a.Etcd()
	if r, err := status.Change(t.Context(), a.Site); r != nil || err != nil {
		t.Errorf("no change: %v, %v", r, err)
	}
	if err := status.Alone(t.Context(), a.Site, true, &procedure.Record{}); err != nil {
		t.Errorf("alone: %v", err)
	}
	if err := status.Alone(t.Context(), a.Site, false, &procedure.Record{Verb: "x"}); !errors.Is(err,
		errs.ErrRefused) {
		t.Errorf("it has been finished: %v", err)
	}
	half := procedure.Record{Verb: "host remove", Subject: "pg3", By: "alice@desk",
		Since: time.Unix(1796030991, 5).UTC(), Steps: []procedure.Outline{{Name: "one"}, {Name: "two"}},
		Reached: 1}
	keep(t, a, a.ChangeKey(), half.Text())
	if err := status.Alone(t.Context(), a.Site, true, &procedure.Record{}); !errors.Is(err,
		errs.ErrRefused) || !strings.Contains(err.Error(), "step 2 of 2 (two)") {
		t.Errorf("a second one: %v", err)
	}
	mine := half
	mine.Reached = 0
	if err := status.Alone(t.Context(), a.Site, false, &mine); err != nil || mine.Reached != 1 {
		t.Errorf("to go on: %d, %v", mine.Reached, err)
	}
	mine.Subject = "pg2"
	if err := status.Alone(t.Context(), a.Site, false, &mine); !errors.Is(err, errs.ErrRefused) {
		t.Errorf("to go on with another one: %v", err)
	}
	s, err := status.Look(t.Context(), a.Site)
	if err != nil || s.Change == nil || len(s.ProblemsOf(status.PartChange)) != 1 {
		t.Errorf("%+v, %v", s.Change, err)
	}
	for _, text := range []string{"", "{}", "{", `{"verb":"x","reached":-1,"steps":[{"name":"one"}]}`,
		`{"verb":"x","reached":2,"steps":[{"name":"one"}]}`, `{"verb":"x","since":"noon"}`} {
		keep(t, a, a.ChangeKey(), text)
		if r, err := status.Change(t.Context(), a.Site); r != nil || !errors.Is(err,
			procedure.ErrDamaged) {
			t.Errorf("%q: %v, %v", text, r, err)
		}
		if err := status.Alone(t.Context(), a.Site, true, &procedure.Record{}); err == nil {
			t.Errorf("beside %q something begins", text)
		}
	}
	s, err = status.Look(t.Context(), a.Site)
	problems := s.ProblemsOf(status.PartChange)
	if err != nil || s.Change != nil || len(problems) != 1 ||
		!strings.Contains(problems[0], "cannot be read") {
		t.Errorf("a damaged record: %v, %v", problems, err)
	}
	keep(t, a, a.RestoreKey(), "[]")
	if k, err := status.Kept(t.Context(), a.Site); k != nil || err == nil {
		t.Errorf("%+v, %v", k, err)
	}
	keep(t, a, a.HostsKey(), `[{"name":"pg1"},{"name":"old","address":"192.0.2.12"},`+
		`{"name":"gone","member":"m9","address":"192.0.2.99"},{"name":"x","member":"m2"}]`)
	former, err := status.Former(t.Context(), a.Site)
	if err != nil || len(former) != 1 || former[0].Name != "gone" {
		t.Errorf("%+v, %v", former, err)
	}
	if err := status.LeftBehind(former); !errors.Is(err, errs.ErrRefused) ||
		!strings.Contains(errs.NextOf(err).String(), "--remove gone") {
		t.Errorf("%v", err)
	}
	for range 2 {
		if err := status.RememberHosts(t.Context(), a.Site); err != nil {
			t.Fatal(err)
		}
	}
	if former, err = status.Former(t.Context(), a.Site); err != nil || len(former) > 0 {
		t.Errorf("after they are remembered: %+v, %v", former, err)
	}
	keep(t, a, a.HostsKey(), `{"name":`)
	if _, err = status.Former(t.Context(), a.Site); err == nil {
		t.Error("a damaged list names nobody")
	}
	if err := status.RememberHosts(t.Context(), a.Site); err == nil {
		t.Error("a damaged list is written over without a word")
	}
}

// TestWithoutEtcd: records that nobody can read are not taken for none.
func TestWithoutEtcd(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	for name, err := range map[string]error{
		"change": func() error { _, err := status.Change(t.Context(), a.Site); return err }(),
		"kept":   func() error { _, err := status.Kept(t.Context(), a.Site); return err }(),
		"former": func() error { _, err := status.Former(t.Context(), a.Site); return err }(),
		"alone":  status.Alone(t.Context(), a.Site, true, &procedure.Record{}),
	} {
		if !errors.Is(err, etcd.ErrUnhealthy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
