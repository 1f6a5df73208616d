package dynamic

import (
	"slices"
	"testing"
)

// TestKeysAreAccepted: what is offered is what is accepted, and a former name is accepted alone.
func TestKeysAreAccepted(t *testing.T) {
	t.Parallel()
	for _, key := range append(Keys(), "master_start_timeout") {
		if problems := problemsOf(map[string]any{key: nil}); len(problems) > 0 {
			t.Errorf("%s: %v", key, problems)
		}
		if _, known := rules()[key]; !known {
			t.Errorf("%s is offered, and unknown", key)
		}
	}
	if slices.Contains(Keys(), "master_start_timeout") || !slices.Contains(Keys(), "ttl") {
		t.Errorf("got %q", Keys())
	}
	for name, want := range map[string]bool{"wal_level": true, "max_connections": true,
		"work_mem": false} {
		if DCSOnly(name) != want {
			t.Errorf("%s is from the DCS alone: %v", name, !want)
		}
	}
}
