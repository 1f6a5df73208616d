package patroni

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/configtree"
)

func TestPauseAndResume(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.members[third].dead = true
		result, err := Pause(t.Context(), o, PauseOptions{Wait: true})
		result.Took = 0
		want := PauseResult{Paused: true, Changed: true, Confirmed: []string{first, second},
			Silent: []string{third}}
		if diff := cmp.Diff(want, result); diff != "" || err != nil || f.config["pause"] != true {
			t.Errorf("%v %s", err, diff)
		}
		if again, err := Pause(t.Context(), o, PauseOptions{}); err != nil || again.Changed ||
			!again.Paused {
			t.Errorf("again: %+v %v", again, err)
		}
		if result, err := Resume(t.Context(), o, PauseOptions{Wait: true}); err != nil ||
			result.Paused ||
			!result.Changed || f.config["pause"] != nil {
			t.Errorf("resumed: %+v %v", result, err)
		}
		if again, err := Resume(t.Context(), o, PauseOptions{}); err != nil || again.Changed ||
			again.Paused {
			t.Errorf("again: %+v %v", again, err)
		}
		if diff := cmp.Diff([]string{
			first + ` PATCH /config {"pause":true}`, first + ` PATCH /config {"pause":null}`,
		}, f.asked()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"setting pause: set to true", "setting pause: removed"},
			f.told()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPausePlans(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		plan(o)
		if result, err := Pause(t.Context(), o, PauseOptions{Wait: true}); err != nil ||
			result.Changed ||
			result.Paused {
			t.Errorf("%+v %v", result, err)
		}
		if diff := cmp.Diff([]string{"would: setting pause: set to true"}, f.told()); diff != "" ||
			len(f.asked()) > 0 {
			t.Errorf("asked %q%s", f.asked(), diff)
		}
	})
}

func TestPauseIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(f *fakePatroni, cancel func())
		want    error
	}{
		"nobody notices": {func(f *fakePatroni, _ func()) { f.members[second].deaf = true },
			ErrTimeout},
		"interrupted while waiting": {func(f *fakePatroni, cancel func()) {
			f.members[second].deaf = true
			time.AfterFunc(300*time.Millisecond, cancel)
		}, context.Canceled},
		"interrupted while asking": {func(f *fakePatroni, cancel func()) {
			f.on["PATCH /config"] = func(http.ResponseWriter, string, map[string]any) bool {
				cancel()
				return false
			}
		}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				ctx, cancel := context.WithCancel(t.Context())
				tt.prepare(f, cancel)
				_, err := Pause(ctx, o, PauseOptions{Wait: true, Timeout: 700 * time.Millisecond})
				if !errors.Is(err, tt.want) || !strings.Contains(err.Error(),
					"the pause was taken back") {
					t.Errorf("got %v", err)
				}
				f.mu.Lock()
				defer f.mu.Unlock()
				if f.config["pause"] != nil {
					t.Error("still paused")
				}
			})
		})
	}
}

func TestPauseThatCannotBeTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.members[second].deaf = true
		f.on["PATCH /config"] = func(w http.ResponseWriter, _ string, body map[string]any) bool {
			if body["pause"] == nil {
				http.Error(w, "no", http.StatusServiceUnavailable)
				return true
			}
			return false
		}
		if _, err := Pause(t.Context(), o, PauseOptions{
			Wait: true, Timeout: 400 * time.Millisecond,
		}); err == nil || !strings.Contains(err.Error(), "may be PAUSED") {
			t.Errorf("got %v", err)
		}
	})
}

func TestUnconfirmedPauseIsLookedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.on["PATCH /config"] = func(_ http.ResponseWriter, _ string, body map[string]any) bool {
			f.config = configtree.Merged(f.config, body)
			panic(http.ErrAbortHandler)
		}
		if result, err := Pause(t.Context(), o, PauseOptions{Wait: true}); err != nil ||
			!result.Changed ||
			!result.Paused {
			t.Errorf("%+v %v", result, err)
		}
	})
}

func TestHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.history = `[[1, 25623960, "no recovery target specified"], [2, 25624344, "no recovery target specified", "2026-11-23T11:22:33.123456+00:00", "postgresql-02"], [3]]`
		got, err := History(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i].At = got[i].At.UTC()
		}
		want := []HistoryEntry{
			{Timeline: 1, LSN: 25623960, Reason: "no recovery target specified"},
			{
				Timeline: 2, LSN: 25624344, Reason: "no recovery target specified",
				At: time.Date(2026, 11, 23, 11, 22, 33, 123456000, time.UTC), Leader: second,
			},
			{Timeline: 3},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		f.history = `[]`
		if got, err := History(t.Context(), o); err != nil || len(got) != 0 {
			t.Errorf("new cluster: %v %v", got, err)
		}
		f.history = `{}`
		if _, err := History(t.Context(), o); !errors.Is(err, ErrUnavailable) {
			t.Errorf("nonsense: %v", err)
		}
	})
}

func TestStranded(t *testing.T) {
	t.Parallel()
	leader := MemberState{Name: "pg1", Role: RoleLeader, State: "running", Timeline: 5}
	for name, tt := range map[string]struct {
		member MemberState
		want   string
	}{
		"streams": {MemberState{State: "streaming", Timeline: 5}, ""},
		"old timeline": {MemberState{State: "running", Timeline: 4},
			"stays on timeline 4, the leader is on 5"},
		"streams from old": {MemberState{State: "streaming", Timeline: 4}, "stays on timeline 4"},
		"does not stream":  {MemberState{State: "running", Timeline: 5}, "does not stream"},
		"start failed":     {MemberState{State: "start failed"}, `PostgreSQL is "start failed"`},
		"stopped":          {MemberState{State: "stopped"}, "stopped although Patroni runs"},
		"being copied":     {MemberState{State: "creating replica"}, ""},
		"starting":         {MemberState{State: "starting", Timeline: 4}, ""},
		"replays archives": {MemberState{State: "in archive recovery", Timeline: 5}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.member.Name, tt.member.Role = "pg2", RoleReplica
			got := Stranded(ClusterState{Members: []MemberState{leader, tt.member}})
			switch {
			case tt.want == "" && len(got) > 0, tt.want != "" && len(got) != 1:
				t.Errorf("got %+v", got)
			case tt.want != "" && (!strings.Contains(got[0].Reason, tt.want) ||
				!strings.Contains(got[0].Hint, "reinit pg2")):
				t.Errorf("got %+v", got)
			}
		})
	}
	if got := Stranded(ClusterState{
		Members: []MemberState{{Name: "pg2", Role: RoleReplica, State: "running"}},
	}); got != nil {
		t.Errorf("without a leader: %v", got)
	}
}

func TestFindStrandedWatches(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.members[second].streaming, f.members[third].streaming, f.members[third].timeline = false,
			false, 3
		time.AfterFunc(100*time.Millisecond, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.members[second].streaming = true // it was only on its way
		})
		got, err := FindStranded(t.Context(), o, 300*time.Millisecond)
		if err != nil || len(got) != 1 || got[0].Name != third {
			t.Errorf("%+v %v", got, err)
		}
		f.mu.Lock()
		f.members[third].streaming, f.members[third].timeline = true, 4
		f.mu.Unlock()
		if got, err := FindStranded(t.Context(), o, time.Hour); err != nil || len(got) != 0 {
			t.Errorf("%+v %v", got, err)
		}
	})
}
