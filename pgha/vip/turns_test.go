package vip

import (
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
)

func TestChangesRouterID(t *testing.T) {
	t.Parallel()
	for diff, want := range map[string]bool{
		"@@ -1 +1 @@\n-    virtual_router_id 51\n+    virtual_router_id 77\n": true,
		"@@ -1 +1 @@\n+    virtual_router_id 77\n":                            false, // a new file
		"@@ -1 +1 @@\n-    priority 90\n+    priority 95\n":                   false,
		"": false,
	} {
		if got := changesRouterID(remote.Changes{
			{Kind: "file", Name: ConfigPath, Action: "updated", Diff: diff},
		}); got != want {
			t.Errorf("%q: %v", diff, got)
		}
	}
}
