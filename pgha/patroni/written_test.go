package patroni

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/patroni/dynamic"
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

// TestTakenBack: what an earlier run wrote and nobody says any more goes, and so does what is null;
// the rest stays.
func TestTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		zero := int64(0)
		o.MaximumLagOnFailover = &zero
		given(t, o, map[string]any{"work_mem": "8MB", "jit": "off", "log_lock_waits": "on"})
		f := newFakePatroni(t, o)
		f.config = map[string]any{"maximum_lag_on_failover": 5,
			"postgresql": map[string]any{"parameters": map[string]any{
				"work_mem": "8MB", "jit": "on", "log_lock_waits": "on", "deadlock_timeout": "3s",
				"shared_buffers": "256MB"}}}
		o.Parameters = map[string]any{"log_lock_waits": "on", "Deadlock_Timeout": nil,
			"shared_buffers": nil}
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
		left := dynamic.Parameters(f.config)
		if left["jit"] != "on" || left["log_lock_waits"] != "on" || left["work_mem"] != nil {
			t.Errorf("left: %v", left)
		}
		rendered, err := Config(o, o.Members[0])
		if err != nil || strings.Contains(string(rendered), "deadlock_timeout") ||
			!strings.Contains(string(rendered), "maximum_lag_on_failover: 0") {
			t.Errorf("%v\n%s", err, rendered)
		}
	})
}

// TestCorrectionGetsThrough: the DCS is corrected before anything is waited for, although no member
// gets healthy.
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
		if patch := dynamic.Parameters(f.config); len(patch) == 0 || patch["work_mem"] != nil {
			t.Errorf("patched with %v", f.config)
		}
	})
}
