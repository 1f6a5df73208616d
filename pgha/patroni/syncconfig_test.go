package patroni

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/patroni/dynamic"
	"github.com/pgha/toolkit/pgha/remote"
)

func TestFormsOfParametersAreKept(t *testing.T) {
	t.Parallel()
	have := func() map[string]any {
		return map[string]any{
			"ttl": 30,
			"postgresql": map[string]any{"parameters": map[string]any{"work_mem": "8192kB",
				"jit": "on", "only": 1}},
		}
	}
	want := func() map[string]any {
		return map[string]any{
			"ttl": 30,
			"postgresql": map[string]any{"parameters": map[string]any{"work_mem": "8MB",
				"jit": "off", "gone": nil}},
		}
	}
	asked := 0
	o := Options{Meaning: func(context.Context) (func(name, a, b string) bool, error) {
		asked++
		return func(name, a, b string) bool {
			return name == "work_mem" && a == "8192kB" && b == "8MB"
		}, nil
	}}
	wanted := want()
	keepForms(t.Context(), o, have(), wanted)
	if diff := cmp.Diff(map[string]any{
		"work_mem": "8192kB", "jit": "off", "gone": nil,
	}, dynamic.Parameters(wanted)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	keepForms(t.Context(), o, have(), have())
	if asked != 1 {
		t.Errorf("PostgreSQL was asked %d times, want once: where texts differ", asked)
	}
	o.Meaning = func(context.Context) (func(name, a, b string) bool, error) {
		return nil, errors.New("no answer")
	}
	wanted = want()
	keepForms(t.Context(), o, have(), wanted)
	if diff := cmp.Diff(want(), wanted); diff != "" {
		t.Errorf("without an answer (-want +got):\n%s", diff)
	}
}

func TestSyncConfigIsIdempotent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		config := map[string]any{"ttl": 30, "loop_wait": 10, "mine": "kept"}
		rest := serve(t, o, 0, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPatch {
				var patch map[string]any
				if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
					t.Error(err)
				}
				for k, v := range patch {
					config[k] = v
				}
			}
			if err := json.NewEncoder(w).Encode(config); err != nil {
				t.Error(err)
			}
		})
		var heard []remote.Change
		o.Members[0].Target.OnChange = func(c remote.Change) { heard = append(heard, c) }
		changes, err := SyncConfig(t.Context(), o)
		if err != nil || !changes.Touched("failsafe_mode", "postgresql.use_pg_rewind") ||
			changes.Touched("ttl") {
			t.Errorf("first: %v %v", changes, err)
		}
		if len(heard) != len(changes) {
			t.Errorf("heard of %d changes out of %d", len(heard), len(changes))
		}
		if changes, err = SyncConfig(t.Context(), o); err != nil || changes.Any() {
			t.Errorf("second: %v %v", changes, err)
		}
		if diff := cmp.Diff([]string{"GET /config", "PATCH /config", "GET /config"},
			rest.seen()); diff != "" {
			t.Error(diff)
		}
		if config["mine"] != "kept" {
			t.Error("a foreign key was lost")
		}
	})
}
