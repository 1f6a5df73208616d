package patroni

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/remote"
)

// given makes the first member's host one that an earlier run has left with these parameters.
func given(t *testing.T, o Options, parameters map[string]any) *fakeHost {
	t.Helper()
	before := o
	before.Parameters = parameters
	text, err := Config(before, o.Members[0])
	if err != nil {
		t.Fatal(err)
	}
	host := o.Members[0].Target.Executor.(*fakeHost)
	if host.files == nil {
		host.files = map[string]string{}
	}
	host.files[ConfigPath] = string(text)
	return host
}

func TestDropped(t *testing.T) {
	t.Parallel()
	config := func(text string) map[string]any {
		c, err := parseConfig([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, tt := range map[string]struct{ wanted, written, current, want string }{
		"no longer said":           {`{"ttl": 30}`, `{"ttl": 30, "a": 1}`, `{"ttl": 30, "a": 1}`, `{"a":null,"ttl":30}`},
		"another's value by now":   {`{}`, `{"a": 1}`, `{"a": 2}`, `{}`},
		"gone already":             {`{}`, `{"a": 1}`, `{}`, `{}`},
		"another's key":            {`{}`, `{}`, `{"a": 1}`, `{}`},
		"nothing written":          {`{"a": 2}`, `{}`, `{"a": 1, "b": 2}`, `{"a":2}`},
		"a parameter":              {`{"postgresql": {"parameters": {"x": 1}}}`, `{"postgresql": {"parameters": {"x": 1, "y": "2"}}}`, `{"postgresql": {"parameters": {"x": 1, "y": 2}}}`, `{"postgresql":{"parameters":{"x":1,"y":null}}}`},
		"the section is not named": {`{}`, `{"p": {"q": {"y": 1}}}`, `{"p": {"q": {"y": 1}}}`, `{"p":{"q":{"y":null}}}`},
		"a section became a value": {`{}`, `{"p": {"y": 1}}`, `{"p": 1}`, `{}`},
		"zero is a value":          {`{"a": 0}`, `{"a": 1}`, `{"a": 1}`, `{"a":0}`},
		"null is a wish":           {`{"a": null}`, `{"a": 1}`, `{"a": 5}`, `{"a":null}`},
	} {
		wanted := config(tt.wanted)
		dropped(wanted, config(tt.written), config(tt.current))
		got, err := json.Marshal(wanted)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, want %s (%v)", name, got, tt.want, err)
		}
	}
}

// TestTakenBack: what an earlier run wrote and nobody says any more goes, and so does what is null; the rest stays.
func TestTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		zero := int64(0)
		o.MaximumLagOnFailover = &zero
		given(t, o, map[string]any{"work_mem": "8MB", "jit": "off", "log_lock_waits": "on"})
		f := newFakePatroni(t, o)
		f.config = map[string]any{"maximum_lag_on_failover": 5, "postgresql": map[string]any{"parameters": map[string]any{
			"work_mem": "8MB", "jit": "on", "log_lock_waits": "on", "deadlock_timeout": "3s", "shared_buffers": "256MB"}}}
		o.Parameters = map[string]any{"log_lock_waits": "on", "Deadlock_Timeout": nil, "shared_buffers": nil}
		changes, err := SyncConfig(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, c := range changes {
			if strings.HasPrefix(c.Action, "removed") || strings.Contains(c.Name, "lag") {
				words = append(words, c.Name+" "+c.Action)
			}
		}
		want := []string{
			"maximum_lag_on_failover changed from 5 to 0",
			"postgresql.parameters.deadlock_timeout removed, it was 3s",
			"postgresql.parameters.shared_buffers removed, it was 256MB",
			"postgresql.parameters.work_mem removed, it was 8MB",
		}
		if diff := cmp.Diff(want, words); diff != "" {
			t.Error(diff)
		}
		left := parametersOf(f.config)
		if left["jit"] != "on" || left["log_lock_waits"] != "on" || left["work_mem"] != nil {
			t.Errorf("left: %v", left)
		}
		rendered, err := Config(o, o.Members[0])
		if err != nil || strings.Contains(string(rendered), "deadlock_timeout") || !strings.Contains(string(rendered), "maximum_lag_on_failover: 0") {
			t.Errorf("%v\n%s", err, rendered)
		}
	})
}

// TestCorrectionGetsThrough: the DCS is corrected before anything is waited for, although no member gets healthy.
func TestCorrectionGetsThrough(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		o.Wait = 400 * time.Millisecond
		given(t, o, map[string]any{"work_mem": "64mb"})
		f := newFakeCluster(t, o)
		f.leader = "" // nobody ever leads
		f.config = map[string]any{"postgresql": map[string]any{"parameters": map[string]any{"work_mem": "64mb"}}}
		var mu sync.Mutex
		var order []string
		for _, m := range o.Members {
			m.Target.OnChange = func(c remote.Change) {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, c.Kind+" "+c.Name)
			}
		}
		if err := Bootstrap(t.Context(), o); !errors.Is(err, ErrTimeout) {
			t.Fatalf("got %v", err)
		}
		fixed := slices.Index(order, "setting postgresql.parameters.work_mem")
		if file := slices.Index(order, "file "+ConfigPath); fixed < 0 || file < fixed {
			t.Errorf("the DCS at %d, the file at %d of %q", fixed, file, order)
		}
		if patch := parametersOf(f.config); len(patch) == 0 || patch["work_mem"] != nil {
			t.Errorf("patched with %v", f.config)
		}
	})
}
