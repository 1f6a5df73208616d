package verify

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
)

// TestFewChecksAtOnce: as many as may run together do, no more, and all are heard of in order.
func TestFewChecksAtOnce(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int32
	full := make(chan struct{})
	list := make([]check, 3*atOnce)
	for i := range list {
		list[i].name = string(rune('a' + i))
		list[i].look = func(ctx context.Context, _ *site.Site) (string, error) {
			defer running.Add(-1)
			n := running.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			if n == atOnce {
				select {
				case <-full:
				default:
					close(full)
				}
			}
			select {
			case <-full:
			case <-time.After(10 * time.Second):
				return "", errors.New("the others do not begin")
			}
			return "", ctx.Err()
		}
	}
	heard := ""
	for _, c := range runChecks(t.Context(), sitetest.New(t), list, func(c Check) { heard += c.Name }) {
		if !c.OK {
			t.Error(c.Problem)
		}
	}
	if most.Load() != atOnce || heard != "abcdefghijkl" {
		t.Errorf("%d at once, heard of %s", most.Load(), heard)
	}
}
