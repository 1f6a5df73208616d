package failover_test

import (
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/failover"
)

// TestReadFence reads what agent.py writes, as TestFenceIsARoute has it do, and nothing else.
func TestReadFence(t *testing.T) {
	t.Parallel()
	f, ok := failover.ReadFence([]byte(`{"leader": "m1", "timeline": 3, "since": 5.0, "keep": 80.5, ` +
		`"address": "192.0.2.7", "boot": "x", "at": 1700000000.25}`))
	at := time.Unix(1700000000, 250000000)
	if want := (failover.Fence{Leader: "m1", Address: "192.0.2.7", At: at,
		Keep: 80500 * time.Millisecond}); !ok || f != want ||
		!f.Ends().Equal(at.Add(80500*time.Millisecond)) {
		t.Errorf("got %+v, %v", f, ok)
	}
	if list := failover.ReadAside([]byte(`{"addresses": ["192.0.2.8", "::8"], "at": 1.5}`)); len(list) != 2 ||
		list[1] != "::8" || failover.ReadAside([]byte("{")) != nil {
		t.Errorf("aside: %q", list)
	}
	for _, text := range []string{"", "{", "{}", `{"at": "x", "leader": "m1"}`, `[]`} {
		if f, ok := failover.ReadFence([]byte(text)); ok || f != (failover.Fence{}) {
			t.Errorf("%q is %+v", text, f)
		}
	}
}
