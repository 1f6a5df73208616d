package patroni

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/remote"
)

func TestReinitialize(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*fakePatroni)
		options ReinitializeOptions
		body    string
	}{
		"healthy": {nil, ReinitializeOptions{Member: third}, `{"force":false}`},
		"forced": {
			nil, ReinitializeOptions{Member: third, Force: true, FromLeader: true},
			`{"force":true,"from_leader":true}`,
		},
		"stranded": {
			func(f *fakePatroni) { m := f.members[third]; m.streaming, m.timeline = false, 3 },
			ReinitializeOptions{Member: third}, `{"force":false}`,
		},
		"only one": {
			func(f *fakePatroni) { f.members[second].dead = true },
			ReinitializeOptions{Member: third, AllowLast: true}, `{"force":false}`,
		},
		"stopped, the other is healthy": {func(f *fakePatroni) {
			m := f.members[third]
			m.streaming, m.state = false, "start failed"
		}, ReinitializeOptions{Member: third}, `{"force":false}`},
		"no answer": {func(f *fakePatroni) {
			f.on["POST /reinitialize"] = func(w http.ResponseWriter, name string,
				body map[string]any) bool {
				f.act(w, "POST /reinitialize", name, body)
				panic(http.ErrAbortHandler)
			}
		}, ReinitializeOptions{Member: third}, `{"force":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				if tt.prepare != nil {
					tt.prepare(f)
				}
				began, ended := false, false
				tt.options.Copying = func(ctx context.Context) {
					began = true
					<-ctx.Done()
					ended = true
				}
				result, err := Reinitialize(t.Context(), o, tt.options)
				if err != nil {
					t.Fatal(err)
				}
				if !result.After.Healthy(third) || result.Took == 0 || !began || !ended {
					t.Errorf("%+v, began %v, ended %v", result, began, ended)
				}
				if diff := cmp.Diff([]string{third + " POST /reinitialize " + tt.body},
					f.asked()); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff([]string{"member " + third + ": reinitialized"},
					f.told()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestReinitializeRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*fakePatroni)
		options ReinitializeOptions
		want    error
		text    string
	}{
		"misspelt": {
			nil, ReinitializeOptions{Member: "postgresql-3"}, ErrInvalid,
			"did you mean postgresql-03?",
		},
		"nobody named": {nil, ReinitializeOptions{}, ErrInvalid, "the members are"},
		"leader": {nil, ReinitializeOptions{Member: first, AllowLast: true}, ErrInvalid,
			"is the leader"},
		"no leader": {
			func(f *fakePatroni) { f.leader = "" }, ReinitializeOptions{Member: third}, ErrNoLeader,
			"nobody to copy from",
		},
		"silent": {
			func(f *fakePatroni) {
				f.members[third].dead = true
			}, ReinitializeOptions{Member: third},
			ErrUnhealthy, "does not answer",
		},
		"second primary": {
			func(f *fakePatroni) {
				f.members[third].promoted = true
			}, ReinitializeOptions{Member: third},
			ErrInvalid, "runs as primary",
		},
		"last healthy": {
			func(f *fakePatroni) { f.members[second].streaming = false },
			ReinitializeOptions{Member: third}, ErrUnhealthy, "only healthy replica",
		},
		"last answering": {
			func(f *fakePatroni) {
				f.members[second].dead = true
			}, ReinitializeOptions{Member: third},
			ErrUnhealthy, "only healthy replica",
		},
		"being copied": {
			func(f *fakePatroni) {
				m := f.members[third]
				m.state, m.streaming = "creating replica", false
			},
			ReinitializeOptions{Member: third}, ErrInvalid, "already",
		},
		"Patroni too old": {
			func(f *fakePatroni) { f.members[third].version = "4.0.6" },
			ReinitializeOptions{Member: third, FromLeader: true}, ErrVersion, "needs 4.1",
		},
	} {
		refuses(t, name, tt.prepare, tt.want, tt.text, func(ctx context.Context, o Options) error {
			_, err := Reinitialize(ctx, o, tt.options)
			return err
		})
	}
}

func TestReinitializeThatEndsOtherwise(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.on["POST /reinitialize"] = answerWith(503, "restart already in progress")
		if _, err := Reinitialize(t.Context(), o, ReinitializeOptions{Member: third}); !errors.Is(
			err, ErrInvalid) ||
			!strings.Contains(remote.Hint(err), "force") {
			t.Errorf("busy: %v", err)
		}
		f.on["POST /reinitialize"] = func(http.ResponseWriter, string, map[string]any) bool {
			f.members[third].state, f.members[third].streaming = "start failed", false
			return true
		}
		_, err := Reinitialize(t.Context(), o, ReinitializeOptions{Member: third,
			Timeout: 500 * time.Millisecond})
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), `"start failed"`) ||
			!strings.Contains(remote.Hint(err), "on "+third) {
			t.Errorf("fails: %v, hint %q", err, remote.Hint(err))
		}
		ctx, cancel := context.WithCancel(t.Context())
		f.on["POST /reinitialize"] = func(http.ResponseWriter, string, map[string]any) bool {
			cancel()
			return false
		}
		if _, err := Reinitialize(ctx, o, ReinitializeOptions{Member: third}); !errors.Is(err,
			context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

func TestCopyThatIsStuck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		c := newOperator(o)
		w := copyWatch{
			client: c, member: third, before: NodeState{StartedAt: f.members[third].started},
			good: time.Now().Add(-stuckAfter),
		}
		if _, err := w.look(t.Context()); err == nil ||
			!strings.Contains(err.Error(), "never began") {
			t.Errorf("got %v", err)
		}
		f.members[third].state = "creating replica"
		if missing, err := w.look(t.Context()); missing == "" || err != nil {
			t.Errorf("a copy under way: %q %v", missing, err)
		}
	})
}

func TestAtLeast(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"4.1.0": true, "4.1": true, "4.10.2": true, "5.0.0": true, "4.0.6": false, "3.9.9": false,
		"": false, "x": false,
	} {
		if got := atLeast(version, 4, 1); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
