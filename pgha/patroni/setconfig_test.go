package patroni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/patroni/dynamic"
	"github.com/pgha/toolkit/pgha/remote"
)

func TestSetConfig(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.config = map[string]any{
			"ttl": 30, "maximum_lag_on_failover": 5,
			"postgresql": map[string]any{"parameters": map[string]any{"work_mem": "4MB"}},
		}
		f.members[third].dead = true
		f.on["PATCH /config"] = func(http.ResponseWriter, string, map[string]any) bool {
			f.members[second].pending = []string{"max_connections"}
			return false
		}
		result, err := SetConfig(t.Context(), o, SetConfigOptions{Patch: map[string]any{
			"ttl": 30, "loop_wait": 5, "maximum_lag_on_failover": nil, "check_timeline": nil,
			"postgresql": map[string]any{"parameters": map[string]any{"max_connections": 200,
				"work_mem": "4MB"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		want := []ConfigChange{
			{Key: "loop_wait", New: json.Number("5")},
			{Key: "maximum_lag_on_failover", Old: json.Number("5")},
			{Key: "postgresql.parameters.max_connections", New: json.Number("200")},
		}
		if diff := cmp.Diff(want, result.Changes); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]PendingMember{{second, []string{"max_connections"}}},
			result.Pending); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{third}, result.Silent); diff != "" {
			t.Error(diff)
		}
		if _, there := result.Config["maximum_lag_on_failover"]; there ||
			result.Config["loop_wait"] != json.Number("5") {
			t.Errorf("config %v", result.Config)
		}
		if diff := cmp.Diff([]string{
			first +
				` PATCH /config {"loop_wait":5,"maximum_lag_on_failover":null,"postgresql":{"parameters":{"max_connections":200}}}`,
		}, f.asked()); diff != "" {
			t.Error(diff)
		}
		words := []string{
			"setting loop_wait: set to 5", "setting maximum_lag_on_failover: removed, it was 5",
			"setting postgresql.parameters.max_connections: set to 200",
		}
		if diff := cmp.Diff(words, f.told()); diff != "" {
			t.Error(diff)
		}
		again, err := SetConfig(t.Context(), o, SetConfigOptions{
			Patch: map[string]any{"loop_wait": "5"}, Expect: result.Config,
		})
		if err != nil || len(again.Changes) > 0 || len(again.Pending) != 1 || len(f.asked()) != 1 {
			t.Errorf("again: %+v %v", again, err)
		}
	})
}

func TestSetConfigRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options SetConfigOptions
		want    error
		text    string
	}{
		"changed meanwhile": {
			SetConfigOptions{
				Patch:  map[string]any{"loop_wait": 5},
				Expect: map[string]any{"ttl": 20, "loop_wait": 10},
			}, ErrConflict, "ttl",
		},
		"new meanwhile": {
			SetConfigOptions{Patch: map[string]any{"loop_wait": 5},
				Expect: map[string]any{"ttl": 30}},
			ErrConflict, "loop_wait",
		},
		"gone meanwhile": {SetConfigOptions{
			Patch:  map[string]any{"loop_wait": 5},
			Expect: map[string]any{"ttl": 30, "loop_wait": 10, "pause": true},
		},
			ErrConflict, "pause"},
		"against the rules": {SetConfigOptions{Patch: map[string]any{"ttl": 20}}, ErrInvalid,
			"raise ttl to 30"},
		"unknown": {
			SetConfigOptions{Patch: map[string]any{"loopwait": 5}}, ErrInvalid,
			"did you mean loop_wait?",
		},
		"not for JSON": {
			SetConfigOptions{Patch: map[string]any{"ttl": func() {}}}, ErrInvalid,
			"unsupported type",
		},
	} {
		for _, planning := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					o := fullOptions(t)
					f := newFakePatroni(t, o)
					if planning {
						plan(o)
					}
					result, err := SetConfig(t.Context(), o, tt.options)
					if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) ||
						len(result.Changes) > 0 {
						t.Errorf("got %v, %+v", err, result.Changes)
					}
					if len(f.asked()) > 0 || len(f.told()) > 0 {
						t.Errorf("asked %q, told %q", f.asked(), f.told())
					}
				})
			})
		}
	}
}

func TestSetConfigPlansWaitsAndEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.config["mistake"] = 1 // of somebody else: no reason against this change
		f.members[second].deaf = true
		_, err := SetConfig(t.Context(), o, SetConfigOptions{
			Patch: map[string]any{"loop_wait": 4}, Timeout: 1500 * time.Millisecond,
		})
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "not yet: "+second) {
			t.Errorf("got %v", err)
		}
		plan(o)
		result, err := SetConfig(t.Context(), o,
			SetConfigOptions{Patch: map[string]any{"loop_wait": 3}})
		if err != nil || len(result.Changes) != 1 || len(f.asked()) != 1 {
			t.Errorf("%+v %v", result, err)
		}
		if told := f.told(); told[len(told)-1] != "would: setting loop_wait: changed from 4 to 3" {
			t.Errorf("told %q", told)
		}
	})
}

// elect makes the fake cluster choose its synchronous standbys when the configuration changes.
func (f *fakePatroni) elect() {
	f.on["PATCH /config"] = func(w http.ResponseWriter, _ string, body map[string]any) bool {
		f.config = configtree.Merged(f.config, body)
		r := dynamic.ReadRules(f.config)
		count, err := strconv.Atoi(fmt.Sprint(f.config["synchronous_node_count"]))
		if err != nil {
			count = 1
		}
		for i, name := range []string{second, third} {
			switch m := f.members[name]; {
			case r.Quorum:
				m.sync = RoleQuorumStandby
			case r.Synchronous && i < count:
				m.sync = RoleSyncStandby
			default:
				m.sync = ""
			}
		}
		_ = json.NewEncoder(w).Encode(f.config)
		return true
	}
}

func TestSetSynchronous(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.elect()
		f.config = map[string]any{}
		for _, step := range []struct {
			mode     SynchronousMode
			nodes    int
			standbys []string
			body     string // "" when nothing has to change
		}{
			{
				SynchronousOn, 0, []string{second},
				`{"synchronous_mode":true,"synchronous_mode_strict":false,"synchronous_node_count":1}`,
			},
			{SynchronousOn, 1, []string{second}, ``},
			{
				SynchronousStrict, 2, []string{second, third},
				`{"synchronous_mode_strict":true,"synchronous_node_count":2}`,
			},
			{
				SynchronousQuorum, 1, []string{second, third},
				`{"synchronous_mode":"quorum","synchronous_mode_strict":false,"synchronous_node_count":1}`,
			},
			{SynchronousOff, 0, nil, `{"synchronous_mode":false,"synchronous_node_count":null}`},
		} {
			asked := len(f.asked())
			result, err := SetSynchronous(t.Context(), o, step.mode, step.nodes)
			if err != nil {
				t.Fatalf("%s: %v", step.mode, err)
			}
			if diff := cmp.Diff(step.standbys, result.Standbys); diff != "" {
				t.Errorf("%s: %s", step.mode, diff)
			}
			switch now := f.asked()[asked:]; {
			case step.body == "" && len(now) > 0, step.body != "" &&
				(len(now) != 1 || now[0] != first+" PATCH /config "+step.body):
				t.Errorf("%s: asked %q", step.mode, now)
			}
		}
	})
}

func TestSetSynchronousRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*fakePatroni)
		mode    SynchronousMode
		nodes   int
		want    error
		text    string
	}{
		"unknown":    {nil, "sometimes", 1, ErrInvalid, "off, on, strict and quorum"},
		"negative":   {nil, SynchronousOn, -1, ErrInvalid, "-1 nodes"},
		"off with 2": {nil, SynchronousOff, 2, ErrInvalid, "leave the number out"},
		"too many":   {nil, SynchronousStrict, 3, ErrUnhealthy, "all writes would stop"},
		"not well": {
			func(f *fakePatroni) {
				f.members[third].streaming = false
			}, SynchronousOn, 2, ErrUnhealthy,
			"only 1 are healthy",
		},
		"nosync": {
			func(f *fakePatroni) {
				f.members[third].tags = map[string]any{"nosync": true}
			}, SynchronousOn,
			2, ErrUnhealthy, "only 1 are healthy",
		},
		"no leader": {func(f *fakePatroni) { f.leader = "" }, SynchronousOff, 0, ErrNoLeader,
			"chooses the standbys"},
		"too old": {
			func(f *fakePatroni) {
				f.members[third].version = "3.3.2"
			}, SynchronousQuorum, 1, ErrVersion,
			"quorum needs 4.0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				if tt.prepare != nil {
					tt.prepare(f)
				}
				_, err := SetSynchronous(t.Context(), o, tt.mode, tt.nodes)
				if !errors.Is(err, tt.want) || !strings.Contains(err.Error()+" "+remote.Hint(err),
					tt.text) {
					t.Errorf("got %v (hint %q)", err, remote.Hint(err))
				}
				if asked := f.asked(); len(asked) > 0 {
					t.Errorf("asked %q", asked)
				}
			})
		})
	}
}

func TestSynchronousThatDoesNotHoldIsPutBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		o.Wait = 500 * time.Millisecond
		f := newFakePatroni(t, o) // nobody is ever chosen
		f.config["synchronous_mode"] = false
		_, err := SetSynchronous(t.Context(), o, SynchronousStrict, 1)
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(),
			"the former settings were put back") {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff(map[string]any{
			"ttl": 30, "loop_wait": 10, "synchronous_mode": false,
		}, f.config); diff != "" {
			t.Error(diff)
		}
		o.Wait = time.Minute
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		if _, err := SetSynchronous(ctx, o, SynchronousOn, 1); !errors.Is(err, context.Canceled) ||
			f.config["synchronous_mode"] != false {
			t.Errorf("interrupted: %v, %v", err, f.config)
		}
	})
}

func TestSetSynchronousPlans(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		plan(o)
		if _, err := SetSynchronous(t.Context(), o, SynchronousOn, 1); err != nil ||
			len(f.asked()) > 0 ||
			len(f.told()) != 3 {
			t.Errorf("%v, told %q", err, f.told())
		}
	})
}
