package health_test

import (
	"testing"

	"github.com/pgha/toolkit/pgha/health"
)

func TestFull(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		total, free int64
		want        bool
	}{{0, 0, false}, {100, 3, false}, {100, 2, true}, {1000, 20, true}, {1000, 21, false},
		{1 << 50, 0, true}} {
		if got := health.Full(tt.total, tt.free); got != tt.want {
			t.Errorf("%d of %d are left: full is %v", tt.free, tt.total, got)
		}
	}
}
